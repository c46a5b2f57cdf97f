/** Our own router, made from the same procedures that hosts merge. */
import { initTRPC, TRPCError } from "@trpc/server";
import superjson from "superjson";
import type { Logger } from "../log.ts";
import type { WorkspaceEntry } from "../protocol/workspace.ts";
import type { Snapwire } from "../snapwire.ts";
import type { SnapwireContext } from "./context.ts";
import { reasonOf } from "./errors.ts";
import { type Identity, mayAct } from "./identity.ts";
import { type AuthorizeRequest, createSnapwireProcedures } from "./procedures.ts";
import { RIGHTS_EVERY_MS } from "./rights.ts";

/** For a host's `initTRPC.create({ sse: SNAPWIRE_SSE })`: a silent proxy is noticed by both ends. */
export const SNAPWIRE_SSE = {
  ping: { enabled: true, intervalMs: 15_000 },
  client: { reconnectAfterInactivityMs: 45_000 },
} as const;

export interface SnapwireRouterOptions<Entry> {
  readonly live: Snapwire<Entry>;
  /** How often the rights of live subscriptions are looked at again, in milliseconds. @defaultValue 60_000 */
  readonly recheckEveryMs?: number;
  readonly logger?: Logger;
}

export function createSnapwireRouter<Entry extends { readonly workspaceId: string } = WorkspaceEntry>(
  options: SnapwireRouterOptions<Entry>,
) {
  const t = initTRPC.context<SnapwireContext>().create({
    transformer: superjson,
    isDev: false, // a stack is for the log, never for a caller
    sse: SNAPWIRE_SSE,
    errorFormatter: ({ shape, error }) => {
      const reason = reasonOf(error);
      return { ...shape, data: { ...shape.data, ...(reason && { reason }) } };
    },
  });
  const procedures = createSnapwireProcedures({
    ...options,
    procedure: t.procedure,
    authorize: authorizeWith(options.live, options.recheckEveryMs),
    connection: (ctx) => ctx.connection,
    subject: (ctx) => ctx.identity?.subject,
  });
  return t.router({
    snapshots: t.router(procedures.snapshots),
    events: t.router(procedures.events),
    agents: t.router(procedures.agents),
    streams: t.router(procedures.streams),
    sessions: t.router(procedures.sessions),
    runScripts: t.router(procedures.runScripts),
    ratchet: t.router(procedures.ratchet),
    github: t.router(procedures.github),
    system: t.router(procedures.system),
  });
}

export type SnapwireRouter = ReturnType<typeof createSnapwireRouter<WorkspaceEntry>>;

/** What a connection was told at its beginning may have ended since. */
const isOver = (live: Pick<Snapwire, "isRevoked">, identity: Identity): boolean =>
  live.isRevoked(identity) || (identity.expiresAt !== undefined && identity.expiresAt <= Date.now());

const authorizeWith =
  (live: Pick<Snapwire, "isRevoked">, everyMs = RIGHTS_EVERY_MS) =>
  async ({ ctx, action, recheck, ...target }: AuthorizeRequest<SnapwireContext>): Promise<boolean> => {
    // A socket may ask and write for days: what its token was good for at the beginning is no answer then.
    const identity = await (recheck && ctx.recheck
      ? ctx.recheck()
      : (ctx.identityWithin?.(everyMs) ?? ctx.identity));
    if (identity && !isOver(live, identity)) return mayAct(identity, action, target);
    const why =
      ctx.refused === "missing"
        ? "A token is needed: pass it in connectionParams or as a Bearer token."
        : "The token is not valid.";
    throw new TRPCError({ code: "UNAUTHORIZED", message: why });
  };
