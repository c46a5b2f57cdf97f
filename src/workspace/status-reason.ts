/**
 * The one reason that a card gives for where it stands, and the column that follows from it.
 *
 * Label and column used to be decided apart, elsewhere, and disagreed. Here the code is decided once; label, tone,
 * owner and column are total maps over it, so a new code does not compile until it has all of them. WAITING means that
 * a person owns the next action; it is nobody's fallback.
 */
import type {
  CIObservation,
  FlowPhase,
  KanbanColumn,
  StatusReason,
  StatusReasonCode,
  StatusTone,
  WorkspaceFields,
} from "../protocol/workspace.ts";
import { hasSessionRuntimeError, isSessionStarting } from "./session-signals.ts";

export const COLUMN_OF_REASON: Readonly<Record<StatusReasonCode, KanbanColumn | null>> = {
  ARCHIVING: null,
  ARCHIVED: null,
  MERGED: "DONE",
  PR_CLOSED: "DONE",
  NEEDS_PERMISSION: "WAITING",
  NEEDS_PLAN_APPROVAL: "WAITING",
  NEEDS_ANSWER: "WAITING",
  SESSION_ERROR: "WAITING",
  SETTING_UP: "WORKING",
  SETUP_FAILED: "WAITING",
  AGENT_WORKING: "WORKING",
  STARTING_SESSION: "WORKING",
  AUTO_ITERATING: "WORKING",
  RATCHET_STALLED: "WAITING",
  FIXING_MERGE_CONFLICT: "WORKING",
  MERGE_CONFLICT: "WAITING",
  WAITING_FOR_CI: "WORKING",
  FIXING_REVIEW_COMMENTS: "WORKING",
  FIXING_CI_FAILURES: "WORKING",
  CHECKING_PR: "WORKING",
  READY_TO_MERGE: "WAITING",
  READY_FOR_REVIEW: "WAITING",
  NO_SESSION_STARTED: "WAITING",
  READY_FOR_NEXT_PROMPT: "WAITING",
};

/** Shared and frozen: a reason is never built per entry. */
export const STATUS_REASONS: Readonly<Record<StatusReasonCode, StatusReason>> = {
  ARCHIVING: reason("ARCHIVING", "Archiving", "working", false),
  ARCHIVED: reason("ARCHIVED", "Archived", "neutral", false),
  MERGED: reason("MERGED", "Merged", "success", false),
  PR_CLOSED: reason("PR_CLOSED", "Pull request closed", "neutral", false),
  NEEDS_PERMISSION: reason("NEEDS_PERMISSION", "Needs permission", "attention", true),
  NEEDS_PLAN_APPROVAL: reason("NEEDS_PLAN_APPROVAL", "Plan needs approval", "attention", true),
  NEEDS_ANSWER: reason("NEEDS_ANSWER", "Needs an answer", "attention", true),
  SESSION_ERROR: reason("SESSION_ERROR", "Session error", "danger", true),
  SETTING_UP: reason("SETTING_UP", "Setting up", "working", false),
  SETUP_FAILED: reason("SETUP_FAILED", "Setup failed", "danger", true),
  AGENT_WORKING: reason("AGENT_WORKING", "Agent working", "working", false),
  STARTING_SESSION: reason("STARTING_SESSION", "Starting session", "working", false),
  AUTO_ITERATING: reason("AUTO_ITERATING", "Iterating automatically", "working", false),
  RATCHET_STALLED: reason("RATCHET_STALLED", "Automatic fixing stalled", "attention", true),
  FIXING_MERGE_CONFLICT: reason("FIXING_MERGE_CONFLICT", "Fixing merge conflict", "working", false),
  MERGE_CONFLICT: reason("MERGE_CONFLICT", "Merge conflict", "attention", true),
  WAITING_FOR_CI: reason("WAITING_FOR_CI", "Waiting for CI", "waiting", false),
  FIXING_REVIEW_COMMENTS: reason("FIXING_REVIEW_COMMENTS", "Fixing review comments", "working", false),
  FIXING_CI_FAILURES: reason("FIXING_CI_FAILURES", "Fixing CI failures", "working", false),
  CHECKING_PR: reason("CHECKING_PR", "Checking pull request", "working", false),
  READY_TO_MERGE: reason("READY_TO_MERGE", "Ready to merge", "success", true),
  READY_FOR_REVIEW: reason("READY_FOR_REVIEW", "Ready for review", "neutral", true),
  NO_SESSION_STARTED: reason("NO_SESSION_STARTED", "No session started", "neutral", true),
  READY_FOR_NEXT_PROMPT: reason("READY_FOR_NEXT_PROMPT", "Ready for next prompt", "neutral", true),
};

function reason(code: StatusReasonCode, label: string, tone: StatusTone, needsUser: boolean): StatusReason {
  return Object.freeze({ code, label, tone, needsUser });
}

export type StatusReasonInputs = Pick<
  WorkspaceFields,
  | "status"
  | "mode"
  | "autoIterationStatus"
  | "hasHadSessions"
  | "prState"
  | "hasMergeConflict"
  | "isWorking"
  | "pendingRequestType"
  | "sessionSummaries"
  | "ratchetEnabled"
  | "ratchetState"
  | "ratchetDispatchStalled"
>;

/** Exactly one code for every input: what is over, what a person must do, what runs, what the pull request waits for. */
export function deriveReasonCode(
  raw: StatusReasonInputs,
  flow: FlowPhase,
  ci: CIObservation,
): StatusReasonCode {
  return (
    endReason(raw, flow) ??
    interruptionReason(raw) ??
    setupReason(raw) ??
    activityReason(raw) ??
    (flow === "NO_PR" ? restReason(raw) : pullRequestReason(raw, flow, ci))
  );
}

/** Over is over, whatever else is still reported; archiving is stronger than merged, since the card goes away. */
function endReason(raw: StatusReasonInputs, flow: FlowPhase): StatusReasonCode | undefined {
  if (raw.status === "ARCHIVING" || raw.status === "ARCHIVED") return raw.status;
  if (flow === "MERGED" || raw.prState === "MERGED" || raw.ratchetState === "MERGED") return "MERGED";
  return raw.prState === "CLOSED" ? "PR_CLOSED" : undefined;
}

/** Somebody is being asked, or a session broke: more urgent than anything that still goes on. */
function interruptionReason(raw: StatusReasonInputs): StatusReasonCode | undefined {
  if (raw.pendingRequestType === "permission_request") return "NEEDS_PERMISSION";
  if (raw.pendingRequestType === "plan_approval") return "NEEDS_PLAN_APPROVAL";
  if (raw.pendingRequestType === "user_question") return "NEEDS_ANSWER";
  return hasSessionRuntimeError(raw.sessionSummaries) ? "SESSION_ERROR" : undefined;
}

function setupReason(raw: StatusReasonInputs): StatusReasonCode | undefined {
  if (raw.status === "NEW" || raw.status === "PROVISIONING") return "SETTING_UP";
  return raw.status === "FAILED" ? "SETUP_FAILED" : undefined;
}

function activityReason(raw: StatusReasonInputs): StatusReasonCode | undefined {
  if (raw.isWorking) return "AGENT_WORKING";
  if (isSessionStarting(raw.sessionSummaries)) return "STARTING_SESSION";
  if (raw.mode === "AUTO_ITERATION" && raw.autoIterationStatus === "RUNNING") return "AUTO_ITERATING";
  return undefined;
}

/** Nobody is active, and there is a pull request: a conflict comes before CI, since CI cannot help while it stands. */
function pullRequestReason(
  raw: StatusReasonInputs,
  flow: Exclude<FlowPhase, "NO_PR">,
  ci: CIObservation,
): StatusReasonCode {
  if (raw.ratchetEnabled && raw.ratchetDispatchStalled) return "RATCHET_STALLED";
  if (raw.hasMergeConflict) return raw.ratchetEnabled ? "FIXING_MERGE_CONFLICT" : "MERGE_CONFLICT";
  switch (flow) {
    case "MERGED":
      return "MERGED"; // said before; here for the types
    case "CI_WAIT":
      return "WAITING_FOR_CI";
    case "RATCHET_FIXING":
      return raw.ratchetState === "REVIEW_PENDING" ? "FIXING_REVIEW_COMMENTS" : "FIXING_CI_FAILURES";
    case "RATCHET_VERIFY":
      return "CHECKING_PR";
    case "READY":
      return ci === "CHECKS_PASSED" ? "READY_TO_MERGE" : "READY_FOR_REVIEW";
  }
}

function restReason(raw: StatusReasonInputs): StatusReasonCode {
  return raw.hasHadSessions ? "READY_FOR_NEXT_PROMPT" : "NO_SESSION_STARTED";
}
