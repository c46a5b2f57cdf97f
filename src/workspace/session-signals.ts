/**
 * What sessions mean for their workspace. A source that knows sessions uses these to fill `isWorking` and
 * `pendingRequestType`; the tables use two of them to read the summaries.
 *
 * Liveness comes from the live runtime only: a persisted RUNNING says nothing about a process after a restart.
 */
import type { PendingRequestType, SessionSummary } from "../protocol/workspace.ts";

/** The raw working signal of one session. */
export function isSessionWorking(session: Pick<SessionSummary, "activity" | "runtimePhase">): boolean {
  return session.activity === "WORKING" || session.runtimePhase === "running";
}

/**
 * The workspace's raw `isWorking`, for a source that has nothing better. Inside the store the explicit `isWorking` is
 * the authority: the summaries are not consulted, since late ones would override it.
 */
export function deriveIsWorking(
  sessions: Iterable<Pick<SessionSummary, "activity" | "runtimePhase">>,
): boolean {
  for (const session of sessions) if (isSessionWorking(session)) return true;
  return false;
}

export function isSessionStarting(sessions: readonly Pick<SessionSummary, "runtimePhase">[]): boolean {
  for (const { runtimePhase } of sessions) {
    if (runtimePhase === "starting" || runtimePhase === "loading") return true;
  }
  return false;
}

type ErrorSignals = Pick<SessionSummary, "runtimePhase" | "lastExit">;

/** Some session is in error, or has ended unexpectedly, in whatever phase it is now. */
export function hasSessionRuntimeError(sessions: readonly ErrorSignals[]): boolean {
  for (const session of sessions) if (isInError(session)) return true;
  return false;
}

function isInError(session: ErrorSignals): boolean {
  return session.runtimePhase === "error" || session.lastExit?.unexpected === true;
}

/** What to tell a person about the first session in error; null when none is. */
export function sessionRuntimeErrorMessage(
  sessions: readonly (ErrorSignals & Pick<SessionSummary, "errorMessage">)[],
): string | null {
  const broken = sessions.find(isInError);
  if (broken === undefined) return null;
  const said = broken.errorMessage?.trim();
  if (said) return said;
  const exit = broken.lastExit;
  if (exit?.code == null) return "The session stopped because of an error.";
  return `The session ended ${exit.unexpected ? "unexpectedly " : ""}with exit code ${exit.code}.`;
}

/** A question that a session has put and nobody has answered yet. */
export interface PendingRequest {
  readonly toolName?: string | null | undefined;
  /** What the tool was called with; anything. */
  readonly input?: unknown;
}

export function pendingRequestTypeOf(request: PendingRequest): PendingRequestType {
  const input = isRecord(request.input) ? request.input : {};
  if (request.toolName === "ExitPlanMode" || input.type === "ExitPlanMode") return "plan_approval";
  if (request.toolName === "AskUserQuestion" || Array.isArray(input.questions)) return "user_question";
  return "permission_request";
}

const PENDING_BY_URGENCY: readonly PendingRequestType[] = [
  "plan_approval",
  "user_question",
  "permission_request",
];

/** One answer for all sessions of a workspace: a fixed priority, whatever the order of sessions or requests. */
export function derivePendingRequestType(requests: Iterable<PendingRequest>): PendingRequestType | null {
  const present = new Set<PendingRequestType>();
  for (const request of requests) present.add(pendingRequestTypeOf(request));
  return mostUrgentRequestType(present);
}

/** The same for requests whose types are known already. */
export function mostUrgentRequestType(types: Iterable<PendingRequestType>): PendingRequestType | null {
  const present = new Set(types);
  return PENDING_BY_URGENCY.find((type) => present.has(type)) ?? null;
}

/** What one session shows as. */
export type SessionUiKind =
  | "loading"
  | "starting"
  | "stopping"
  | "error"
  | "unexpected-exit"
  | "stopped"
  | "working"
  | "idle";

export function sessionUiKind(
  session: Pick<SessionSummary, "runtimePhase" | "processState" | "activity" | "lastExit">,
): SessionUiKind {
  switch (session.runtimePhase) {
    case "loading":
    case "starting":
    case "stopping":
    case "error":
      return session.runtimePhase;
    case "running":
    case "idle":
      if (session.processState === "stopped")
        return session.lastExit?.unexpected === true ? "unexpected-exit" : "stopped";
      return isSessionWorking(session) ? "working" : "idle";
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
