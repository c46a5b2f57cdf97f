/**
 * What a stored state says of a life that has ended. A persisted "running" says nothing about a process after a
 * restart: whoever is still alive reports again. A pending request stays, since a person may still have to answer it.
 */
import type { SessionRuntimePhase, SessionSummary, WorkspaceFields } from "../protocol/workspace.ts";
import type { WorkspacePatch } from "./patch.ts";

const LIVE_PHASES: ReadonlySet<SessionRuntimePhase> = new Set(["loading", "starting", "running", "stopping"]);

/** The patch that takes back every sign of life; `undefined` when there is none. */
export function withoutLiveness(values: WorkspaceFields): WorkspacePatch | undefined {
  const ended = values.sessionSummaries.map(endedSession);
  const patch: WorkspacePatch = {
    ...(values.isWorking && { isWorking: false }),
    ...(ended.some((session, index) => session !== values.sessionSummaries[index]) && {
      sessionSummaries: ended,
    }),
    ...(isRunning(values.runScriptStatus) && { runScriptStatus: "IDLE" as const }),
  };
  return Object.keys(patch).length > 0 ? patch : undefined;
}

function endedSession(session: SessionSummary): SessionSummary {
  const alive =
    LIVE_PHASES.has(session.runtimePhase) ||
    session.activity === "WORKING" ||
    session.processState === "alive";
  if (!alive) return session;
  const runtimePhase = LIVE_PHASES.has(session.runtimePhase) ? "idle" : session.runtimePhase;
  return { ...session, runtimePhase, activity: "IDLE", processState: "unknown" };
}

function isRunning(status: WorkspaceFields["runScriptStatus"]): boolean {
  return status === "STARTING" || status === "RUNNING" || status === "STOPPING";
}
