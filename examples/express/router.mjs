/** The application's own router: its context, its auth, and Snapwire's procedures beside its own. */
import { initTRPC, TRPCError } from "@trpc/server";
import { createSnapwire, createSnapwireProcedures, reasonOf } from "snapwire";
import superjson from "superjson";

export const live = createSnapwire();

/** Who may do what: yours comes from a database. */
export const USERS = {
  ada: { name: "ada", projects: ["shop"] },
  eve: { name: "eve", projects: [] },
};

const t = initTRPC.context().create({
  transformer: superjson,
  errorFormatter: ({ shape, error }) => ({ ...shape, data: { ...shape.data, reason: reasonOf(error) } }),
});

const signedIn = t.procedure.use(({ ctx, next }) => {
  if (!ctx.user) throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first." });
  return next({ ctx: { user: ctx.user } });
});

const snapwire = createSnapwireProcedures({
  live,
  procedure: signedIn,
  authorize: ({ ctx, action, projectId }) =>
    action === "read" && (projectId === undefined || ctx.user.projects.includes(projectId)),
  connection: (ctx) => ctx.connection,
});

export const appRouter = t.router({
  hello: signedIn.query(({ ctx }) => `hello ${ctx.user.name}`),
  live: t.router({ snapshots: t.router(snapwire.snapshots) }),
});
