/** A host as they are: a context of its own, auth in a middleware, superjson, an error formatter, procedures of its own. */
import { initTRPC, TRPCError } from "@trpc/server";
import superjson from "superjson";
import {
  createSnapwireProcedures,
  reasonOf,
  type Snapwire,
  type SnapwireConnection,
} from "../../src/index.ts";

export interface HostUser {
  readonly name: string;
  readonly teams: readonly string[];
}

interface HostContext {
  readonly user: HostUser | null;
  readonly requestId: string;
  readonly connection?: SnapwireConnection | undefined;
}

interface Asked {
  readonly action: string;
  readonly projectId: string | undefined;
  readonly by: string;
}

export const ADA: HostUser = { name: "ada", teams: ["red"] };

function hostRouter(live: Snapwire) {
  const t = initTRPC.context<HostContext>().create({
    transformer: superjson,
    isDev: false,
    errorFormatter: ({ shape, error, ctx }) => ({
      ...shape,
      data: { ...shape.data, requestId: ctx?.requestId ?? "none", reason: reasonOf(error) ?? null },
    }),
  });
  /** What `authorize` was asked, and with whose context. */
  const asked: Asked[] = [];
  const middlewares: string[] = [];
  const signedIn = t.procedure.use(({ ctx, path, next }) => {
    middlewares.push(path);
    if (!ctx.user) throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first." });
    return next({ ctx: { user: ctx.user, seenBy: `${ctx.user.name}/${ctx.requestId}` } });
  });
  const snapwire = createSnapwireProcedures({
    live,
    procedure: signedIn,
    authorize: ({ ctx, action, projectId }) => {
      asked.push({ action, projectId, by: ctx.seenBy });
      return projectId === undefined || ctx.user.teams.includes(projectId);
    },
    connection: (ctx) => ctx.connection,
  });
  const own = {
    whoami: signedIn.query(({ ctx }) => ({ name: ctx.user.name, since: new Date(0) })),
  };
  return { t, own, snapwire, asked, middlewares };
}

/** The ways in which a host may merge the records; each gives a router that has `snapshots` somewhere. */
export function mergedRouters(live: Snapwire) {
  const host = hostRouter(live);
  const { t, own, snapwire } = host;
  return {
    ...host,
    flat: t.router({ ...own, snapshots: t.router(snapwire.snapshots), system: t.router(snapwire.system) }),
    nested: t.router({
      ...own,
      team: t.router({ live: t.router({ snapshots: t.router(snapwire.snapshots) }) }),
    }),
    merged: t.mergeRouters(t.router(own), t.router({ snapshots: t.router(snapwire.snapshots) })),
    top: t.router({ ...own, ...snapwire.snapshots }),
  };
}
