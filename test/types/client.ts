/** A client of such a host: what its compiler knows of what arrives. */
import { createTRPCClient, createWSClient, TRPCClientError, wsLink } from "@trpc/client";
import type { SnapwireErrorReason, SnapwireRouter, WorkspaceEntry, WorkspaceStatus } from "snapwire";
import { createProjectReplica, createSnapwireClient, type EntryOf } from "snapwire/client";
import superjson from "superjson";
import type { AppRouter, merged, TaskRouter } from "./host.js";
import { holds, type IsAny, type Same } from "./is-any.js";

const ws = createWSClient({ url: "ws://localhost" });
const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client: ws, transformer: superjson })] });
// @ts-expect-error the host has a transformer: the link needs it too
createTRPCClient<AppRouter>({ links: [wsLink({ client: ws })] });

const { snapshots } = trpc.team.live;
export const subscription = snapshots.onProject.subscribe(
  { projectId: "p", lastEventId: null },
  {
    onData: ({ id, data }) => {
      holds<Same<typeof id, string>>();
      holds<Same<IsAny<typeof data>, false>>();
      if (data.type === "snapshot_changed") {
        holds<Same<typeof data.entry.status, WorkspaceStatus>>();
        // @ts-expect-error a change has one entry
        data.entries;
      }
      // @ts-expect-error not every frame has an entry
      data.entry;
    },
    onError: (error) => {
      holds<Same<NonNullable<typeof error.data>["hosted"], true>>(); // the host's own format
      const reason: SnapwireErrorReason | null | undefined = error.data?.reason;
      void reason;
    },
  },
);
// @ts-expect-error which project?
snapshots.onProject.subscribe({}, {});
// @ts-expect-error a project is named by a text
snapshots.onProject.subscribe({ projectId: 7 }, {});

export async function asking(): Promise<void> {
  const { entries, position, complete } = await snapshots.byProject.query({ projectId: "p" });
  holds<Same<IsAny<(typeof entries)[number]>, false>>();
  holds<Same<(typeof entries)[number]["status"], WorkspaceStatus>>();
  holds<Same<typeof position, string>>();
  holds<Same<typeof complete, boolean>>();
  await snapshots.upsert.mutate({ workspaceId: "w", status: "READY" });
  // @ts-expect-error no such status
  await snapshots.upsert.mutate({ workspaceId: "w", status: "SLEEPING" });
  // @ts-expect-error nobody knows this key
  await snapshots.upsert.mutate({ workspaceId: "w", nmae: "a typing error" });
  const { at } = await trpc.hello.query();
  holds<Same<typeof at, Date>>(); // the host's transformer
}

const mergedClient = createTRPCClient<typeof merged>({
  links: [wsLink({ client: ws, transformer: superjson })],
});
void mergedClient.snapshots.projects.query();

/** Our own router, and the client that comes with it. */
const own = createSnapwireClient({ url: "http://localhost:3000" });
holds<Same<IsAny<typeof own.trpc>, false>>();
// @ts-expect-error there is no such procedure
own.trpc.snapshots.everything;
const replica = createProjectReplica(own.trpc.snapshots, { projectId: "p", connection: own.connection });
holds<Same<EntryOf<typeof own.trpc.snapshots>, WorkspaceEntry>>();
holds<Same<(typeof replica)["projectId"], string>>();
const [first] = replica.getSnapshot().entries;
holds<Same<NonNullable<typeof first>["status"], WorkspaceStatus>>();

/** A replica over a host's own client, however deep, and with the entry of the host's own model. */
const nested = createProjectReplica(snapshots, { projectId: "p" });
holds<
  Same<NonNullable<ReturnType<typeof nested.getSnapshot>["entries"][number]>["status"], WorkspaceStatus>
>();
const tasks = createTRPCClient<TaskRouter>({ links: [wsLink({ client: ws, transformer: superjson })] });
const taskReplica = createProjectReplica(tasks, { projectId: "b" });
holds<Same<NonNullable<ReturnType<typeof taskReplica.getSnapshot>["entries"][number]>["title"], string>>();

export function reasonIn(error: unknown): SnapwireErrorReason | undefined {
  if (!(error instanceof TRPCClientError)) return undefined;
  const { data } = error as TRPCClientError<SnapwireRouter>;
  holds<Same<IsAny<typeof data>, false>>();
  return data?.reason;
}
