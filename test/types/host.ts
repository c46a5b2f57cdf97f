/** A host on the server side: what its compiler knows of the records that it merges. */
import { createServer } from "node:http";
import { type inferRouterInputs, type inferRouterOutputs, initTRPC, TRPCError, tracked } from "@trpc/server";
import {
  type AuthorizeRequest,
  createSnapwire,
  createSnapwireProcedures,
  createSnapwireRouter,
  type Identity,
  reasonOf,
  SNAPSHOT_CHANGED,
  SNAPSHOT_REMOVED,
  type Snapwire,
  type SnapwireConnection,
  type SnapwireErrorReason,
  type WorkspaceEntry,
  type WorkspaceStatus,
} from "snapwire";
import { connectionOf, mountSnapwire } from "snapwire/server";
import { unwrap } from "snapwire/testing";
import superjson from "superjson";
import { holds, type IsAny, type Same } from "./is-any.js";

export const live = createSnapwire();
holds<Same<typeof live, Snapwire<WorkspaceEntry>>>();

interface Context {
  readonly user: { readonly id: string; readonly teams: readonly string[] } | null;
  readonly connection: SnapwireConnection | undefined;
}

const t = initTRPC
  .context<Context>()
  .meta<{ readonly label: string }>()
  .create({
    transformer: superjson,
    errorFormatter: ({ shape, error }) => ({
      ...shape,
      data: { ...shape.data, hosted: true as const, reason: reasonOf(error) },
    }),
  });

const protectedProcedure = t.procedure.use(({ ctx, next }) => {
  if (!ctx.user) throw new TRPCError({ code: "UNAUTHORIZED" });
  return next({ ctx: { user: ctx.user } });
});

export const snapwire = createSnapwireProcedures({
  live,
  procedure: protectedProcedure,
  tracked,
  authorize: ({ ctx, action, projectId, recheck }) => {
    holds<Same<IsAny<typeof ctx>, false>>();
    holds<Same<typeof ctx.user.id, string>>(); // the middleware took the null away
    holds<Same<typeof action, "read" | "write" | "receive" | "administer">>();
    holds<Same<typeof projectId, string | undefined>>();
    holds<Same<typeof recheck, boolean | undefined>>();
    // @ts-expect-error the host's context has no such key
    ctx.nobody;
    return projectId === undefined || ctx.user.teams.includes(projectId);
  },
  connection: (ctx) => ctx.connection,
});

createSnapwireProcedures({
  live,
  procedure: protectedProcedure,
  // @ts-expect-error the context of this host is another one
  authorize: ({ ctx }: AuthorizeRequest<{ readonly user: number }>) => ctx.user > 0,
});
createSnapwireProcedures({
  live,
  procedure: protectedProcedure,
  // @ts-expect-error yes or no, not words
  authorize: () => "yes",
});
// @ts-expect-error a procedure is needed
createSnapwireProcedures({ live });
// @ts-expect-error a router is no procedure
createSnapwireProcedures({ live, procedure: t });

export const appRouter = t.router({
  hello: t.procedure.query(() => ({ at: new Date(0) })),
  team: t.router({ live: t.router({ snapshots: t.router(snapwire.snapshots) }) }),
  system: t.router(snapwire.system),
});
export type AppRouter = typeof appRouter;

export const merged = t.mergeRouters(
  t.router({ hello: t.procedure.query(() => "hello") }),
  t.router({ snapshots: t.router(snapwire.snapshots) }),
);

type Outputs = inferRouterOutputs<AppRouter>["team"]["live"]["snapshots"];
type Inputs = inferRouterInputs<AppRouter>["team"]["live"]["snapshots"];
type Entry = Outputs["byProject"]["entries"][number];

holds<Same<IsAny<Entry>, false>>();
holds<Same<Entry["status"], WorkspaceStatus>>();
holds<Same<Entry["status"], "NEW" | "PROVISIONING" | "READY" | "FAILED" | "ARCHIVING" | "ARCHIVED">>();
holds<Same<Entry["kanbanColumn"], "WORKING" | "WAITING" | "DONE" | null>>();
holds<Same<Entry["prNumber"], number | null>>();
holds<Same<Inputs["onProject"]["projectId"], string>>();
holds<Same<IsAny<Inputs["upsert"]>, false>>();
holds<Same<Outputs["upsert"]["version"], number>>();
holds<Same<NonNullable<Outputs["byWorkspace"]>["entry"]["status"], WorkspaceStatus>>();

export async function calling(signal: AbortSignal): Promise<void> {
  const caller = appRouter.createCaller({ user: null, connection: undefined }, { signal });
  // @ts-expect-error a context needs its user
  appRouter.createCaller({ connection: undefined });
  const { snapshots } = caller.team.live;

  for await (const { id, data } of unwrap(snapshots.onProject({ projectId: "p" }))) {
    holds<Same<typeof id, string>>();
    holds<Same<IsAny<typeof data>, false>>();
    switch (data.type) {
      case "snapshot_full":
        holds<Same<(typeof data.entries)[number]["status"], WorkspaceStatus>>();
        holds<Same<typeof data.reason, "first" | "epoch-changed" | "trimmed" | "ahead" | "invalid">>();
        // @ts-expect-error a full has no single entry
        data.entry;
        break;
      case "snapshot_changed":
        holds<Same<typeof data.entry.status, WorkspaceStatus>>();
        // @ts-expect-error a change has one entry
        data.entries;
        break;
      case "snapshot_removed":
        holds<Same<typeof data.workspaceId, string>>();
        // @ts-expect-error what is gone has no entry
        data.entry;
        break;
      case "snapshot_ended":
        holds<Same<typeof data.reason, "revoked" | "project-gone" | "moved">>();
        break;
      case "snapshot_resumed":
      case "snapshot_progress":
      case "snapshot_status":
        break;
      default:
        holds<Same<typeof data, never>>(); // a new frame does not pass by unseen
    }
  }
  for await (const { data } of unwrap(snapshots.onProjects()))
    holds<Same<typeof data.projects, readonly string[]>>();

  // @ts-expect-error which project?
  await snapshots.onProject({});
  // @ts-expect-error a project is named by a text
  await snapshots.onProject({ projectId: 7 });
  await snapshots.upsert({ workspaceId: "w", projectId: "p", status: "READY", prUrl: null, observedAt: 1 });
  // @ts-expect-error no such status
  await snapshots.upsert({ workspaceId: "w", status: "SLEEPING" });
  // @ts-expect-error a status is never null
  await snapshots.upsert({ workspaceId: "w", status: null });
  // @ts-expect-error nobody knows this key
  await snapshots.upsert({ workspaceId: "w", nmae: "a typing error" });
  // @ts-expect-error it is derived
  await snapshots.upsert({ workspaceId: "w", kanbanColumn: "DONE" });
  // @ts-expect-error which workspace?
  await snapshots.upsert({ status: "READY" });
  // @ts-expect-error entries are not the host's to change
  (await snapshots.byProject({ projectId: "p" })).entries.push();
  const { checks, status } = await caller.system.health();
  holds<Same<typeof status, "ok" | "degraded" | "unhealthy">>();
  // @ts-expect-error who may not read does not see the checks
  checks.journal;
}

live.workspaces.on(SNAPSHOT_CHANGED, ({ entry, projectId }) => {
  holds<Same<typeof entry, WorkspaceEntry>>();
  holds<Same<typeof projectId, string>>();
});
live.workspaces.on(SNAPSHOT_REMOVED, (event) => {
  holds<Same<typeof event.workspaceId, string>>();
  // @ts-expect-error what is gone has no entry
  event.entry;
});
// @ts-expect-error there is no such event
live.workspaces.on("snapshot_moved", () => undefined);
// @ts-expect-error entries are frozen
live.workspaces.getByProjectId("p")[0].status = "READY";

createSnapwire({
  list: () => ["w"],
  read: (ids) => ids.map((workspaceId) => ({ workspaceId, projectId: "p", status: "READY" as const })),
});
createSnapwire({
  list: () => ["w"],
  // @ts-expect-error no such status
  read: (ids) => ids.map((workspaceId) => ({ workspaceId, projectId: "p", status: "SLEEPING" as const })),
});

/** A host's own model: the entry is the model's everywhere. */
interface Task {
  readonly workspaceId: string;
  readonly title: string;
}
const options = {
  model: {
    revision: "task-1",
    parsePatch: (input: unknown) => input as Partial<TaskState>,
    fold: (base: TaskState | undefined, patch: Partial<TaskState>) => ({
      state: { board: "b", title: "", ...base, ...patch },
      accepted: true,
      changedFields: ["title"],
    }),
    projectOf: (state: TaskState) => state.board,
    hidden: () => false,
    sameValues: (a: TaskState, b: TaskState) => a.title === b.title,
    entryOf: (workspaceId: string, state: TaskState): Task => ({ workspaceId, title: state.title }),
  },
};
interface TaskState {
  readonly board: string;
  readonly title: string;
}
export const tasks = createSnapwire(options);
holds<Same<typeof tasks, Snapwire<Task>>>();
export const taskRouter = t.router(
  createSnapwireProcedures({ live: tasks, procedure: t.procedure }).snapshots,
);
type TaskEntry = inferRouterOutputs<typeof taskRouter>["byProject"]["entries"][number];
holds<Same<TaskEntry, Task>>();
export type TaskRouter = typeof taskRouter;

export const ownRouter = createSnapwireRouter({ live });
const admin: Identity = { subject: "x", role: "admin", projects: "*" };
ownRouter.createCaller({ identity: admin });
// @ts-expect-error an identity, or null
ownRouter.createCaller({});

const mounted = mountSnapwire(createServer(), { live, router: ownRouter });
holds<Same<IsAny<typeof mounted>, false>>();
mountSnapwire(createServer(), {
  live,
  router: appRouter,
  createContext: ({ req, res, snapwire: own }) => {
    holds<Same<typeof own.identity, Identity | null>>();
    return { user: null, connection: connectionOf({ req, res }) };
  },
});

const reason = reasonOf(new Error("x"));
holds<Same<typeof reason, SnapwireErrorReason | undefined>>();
