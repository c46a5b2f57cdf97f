/** `sessions`: runs of coding agents, told by whoever sees them, watched one by one. */
import type { TRPCMutationProcedure, TRPCQueryProcedure, TRPCSubscriptionProcedure } from "@trpc/server";
import { z } from "zod";
import type { TrackedFrame } from "../protocol/frames.ts";
import { formatPosition } from "../protocol/position.ts";
import type { SessionEntry, SessionFrame } from "../protocol/sessions.ts";
import type { SessionUpdateResult } from "../sessions/sessions.ts";
import type { SessionUpdateInput } from "../sessions/update.ts";
import { answering } from "./errors.ts";
import { id, lastEventId, reading } from "./input.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";
import { stillAllowed } from "./rights.ts";
import { assertServing, watchFeed } from "./watch-feed.ts";
import { authorizeAll, projectOrEvery } from "./workspace-rights.ts";

/** A type, not an interface: only a type fits the index signature of a router's record. */
export type SessionProcedures = {
  onSession: TRPCSubscriptionProcedure<
    Shape<
      { sessionId: string; lastEventId?: string | null | undefined },
      AsyncIterable<TrackedFrame<SessionFrame>, void, unknown>
    >
  >;
  get: TRPCQueryProcedure<Shape<{ sessionId: string }, { position: string; session: SessionEntry } | null>>;
  list: TRPCQueryProcedure<Shape<{ workspaceId: string }, { sessions: readonly SessionEntry[] }>>;
  update: TRPCMutationProcedure<Shape<SessionUpdateInput, SessionUpdateResult>>;
};

const onSessionInput = reading(z.object({ sessionId: id, lastEventId }));
const getInput = reading(z.object({ sessionId: id }));
const listInput = reading(z.object({ workspaceId: id }));
/** The rest is read where it is folded. */
const updateInput = reading(z.looseObject({ sessionId: id, workspaceId: id.optional() }));

export function sessionProcedures<Entry>(room: ProcedureRoom<Entry>): SessionProcedures {
  const { live, procedure, authorize } = room;
  const projectOf = (sessionId: string): string => projectOrEvery(live.sessions.projectOf(sessionId));

  const onSession = procedure
    .input(onSessionInput)
    .use(async ({ ctx, input: { sessionId }, next }) => {
      await authorizeAll(room, ctx, "read", `session ${sessionId}`, () => [projectOf(sessionId)]);
      await room.assertSameTRPC();
      await answering(() => assertServing(live));
      return next();
    })
    .subscription(({ ctx, input: { sessionId, lastEventId }, signal }) =>
      watchFeed(room, {
        ctx,
        signal,
        feed: live.sessions.feed,
        scope: sessionId,
        lastEventId,
        allowed: () => stillAllowed(room, ctx, { projectId: projectOf(sessionId) }),
      }),
    );

  const get = procedure.input(getInput).query(async ({ ctx, input: { sessionId } }) => {
    await authorize({ ctx, action: "read" });
    await answering(() => assertServing(live));
    const session = live.sessions.get(sessionId);
    // Without the right to its project, a session is as good as not there.
    if (!session || !(await room.allowed({ ctx, action: "read", projectId: projectOf(sessionId) })))
      return null;
    const { tag, sequence } = live.sessions.positionOf(sessionId);
    return { position: formatPosition(tag, sequence), session };
  });

  const list = procedure.input(listInput).query(async ({ ctx, input: { workspaceId } }) => {
    const project = (): string[] => [projectOrEvery(live.workspaces.projectOf(workspaceId))];
    await authorizeAll(room, ctx, "read", `workspace ${workspaceId}`, project);
    await answering(() => assertServing(live));
    return { sessions: live.sessions.ofWorkspace(workspaceId) };
  });

  const update = procedure.input(updateInput).mutation(async ({ ctx, input }) => {
    const { sessionId, workspaceId } = input;
    // Where the session is, and where this update puts it.
    const projects = (): string[] => {
      const known = live.sessions.get(sessionId)?.workspaceId;
      const workspaces = [known, workspaceId].filter((one) => one !== undefined);
      if (workspaces.length === 0) return [projectOrEvery(undefined)];
      return workspaces.map((one) => projectOrEvery(live.workspaces.projectOf(one)));
    };
    await authorizeAll(room, ctx, "write", `session ${sessionId}`, projects);
    return answering(() => live.sessions.update(input as unknown as SessionUpdateInput));
  });

  return { onSession, get, list, update } as unknown as SessionProcedures;
}
