/**
 * What the sessions of a workspace mean for its entry: whether one works, what a person is waited for, and a summary of
 * each session that a card shows. Pure, and the same whatever the order in which sessions or their news arrived.
 */
import type { SessionEntry } from "../protocol/sessions.ts";
import type { SessionStatus, SessionSummary, WorkspaceFields } from "../protocol/workspace.ts";
import { WORKSPACE_LIMITS } from "../workspace/schema.ts";
import {
  deriveIsWorking,
  hasSessionRuntimeError,
  isSessionWorking,
  mostUrgentRequestType,
} from "../workspace/session-signals.ts";

export type SessionSignals = Pick<WorkspaceFields, "isWorking" | "pendingRequestType" | "sessionSummaries">;

export function sessionSignals(sessions: readonly SessionEntry[]): SessionSignals {
  const live = sessions.filter((session) => session.live);
  const [latestStart = ""] = sessions
    .map(({ createdAt }) => createdAt)
    .sort()
    .slice(-1);
  const shown = sessions.filter((session) => session.live || isUnseenFailure(session, latestStart));
  return {
    isWorking: deriveIsWorking(live),
    pendingRequestType: mostUrgentRequestType(
      live.flatMap(({ pendingRequest }) => (pendingRequest ? [pendingRequest.type] : [])),
    ),
    sessionSummaries: [...shown].sort(byStart).slice(-WORKSPACE_LIMITS.sessionSummaries).map(summaryOf),
  };
}

/**
 * A session that ended in error is shown until the error is cleared, or another session of the workspace began after it:
 * a crash that nobody saw must not vanish, and one that was followed by new work must not stay for ever.
 */
function isUnseenFailure(session: SessionEntry, latestStart: string): boolean {
  return hasSessionRuntimeError([session]) && session.endedAt !== null && latestStart <= session.endedAt;
}

/** The oldest first: the order in which a person started them. */
function byStart(a: SessionEntry, b: SessionEntry): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? -1 : 1;
  return a.sessionId < b.sessionId ? -1 : 1;
}

function summaryOf(session: SessionEntry): SessionSummary {
  const { provider, errorMessage } = session;
  return {
    sessionId: session.sessionId,
    name: session.name,
    workflow: session.workflow,
    model: session.model,
    ...(provider === null ? {} : { provider }),
    persistedStatus: statusOf(session),
    runtimePhase: session.runtimePhase,
    processState: session.processState,
    activity: session.activity,
    updatedAt: session.updatedAt,
    lastExit: session.lastExit,
    ...(errorMessage === null ? {} : { errorMessage }),
  };
}

function statusOf(session: SessionEntry): SessionStatus {
  if (hasSessionRuntimeError([session]) || session.lifecycle === "failed") return "FAILED";
  if (!session.live) return "COMPLETED";
  return isSessionWorking(session) ? "RUNNING" : "IDLE";
}
