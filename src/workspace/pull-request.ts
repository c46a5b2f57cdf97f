/**
 * What a pull request means for the card: CI observation, flow phase, the sidebar's CI state. The rows of each table
 * stand in their order of precedence: the first that matches wins.
 */
import type {
  ActivityState,
  CIObservation,
  CIStatus,
  FlowPhase,
  PRState,
  SidebarCIState,
  SidebarStatus,
  WorkspaceFields,
} from "../protocol/workspace.ts";

/** The pull request is neither finished nor absent; a draft is open too. */
export function isOpenPullRequest(prState: PRState): boolean {
  return (
    prState === "OPEN" || prState === "DRAFT" || prState === "CHANGES_REQUESTED" || prState === "APPROVED"
  );
}

/** From the CI status alone, whether there is a pull request or not. Total over untyped input too. */
export function observeCi(prCiStatus: CIStatus): CIObservation {
  switch (prCiStatus) {
    case "PENDING":
      return "CHECKS_PENDING";
    case "FAILURE":
      return "CHECKS_FAILED";
    case "SUCCESS":
      return "CHECKS_PASSED";
    case "UNKNOWN":
      return "NOT_FETCHED";
    default:
      return "CHECKS_UNKNOWN"; // not reachable with the enum; a state restored from elsewhere may hold anything
  }
}

export type FlowInputs = Pick<WorkspaceFields, "prUrl" | "prState" | "ratchetEnabled" | "ratchetState">;

export function deriveFlowPhase(raw: FlowInputs, ci: CIObservation): FlowPhase {
  if (raw.prState === "MERGED") return "MERGED"; // also when nobody knows the URL
  if (!raw.prUrl || !isOpenPullRequest(raw.prState)) return "NO_PR";
  if (ci === "NOT_FETCHED" || ci === "CHECKS_PENDING") return "CI_WAIT";
  if (!raw.ratchetEnabled) return "READY";
  if (raw.ratchetState === "CI_FAILED" || raw.ratchetState === "REVIEW_PENDING") return "RATCHET_FIXING";
  if (raw.ratchetState === "READY" || raw.ratchetState === "MERGED") return "READY";
  return "RATCHET_VERIFY"; // IDLE, CI_RUNNING, MERGE_CONFLICT: the ratchet has not yet said what is next
}

export type SidebarInputs = Pick<
  WorkspaceFields,
  "isWorking" | "prUrl" | "prState" | "prCiStatus" | "ratchetState"
>;

export function deriveSidebarStatus(raw: SidebarInputs): SidebarStatus {
  return (raw.isWorking ? SIDEBAR_WORKING : SIDEBAR_IDLE)[deriveSidebarCiState(raw)];
}

/** Does not look at `hasMergeConflict`: with the ratchet off a conflict is told by the status reason alone. */
function deriveSidebarCiState(raw: SidebarInputs): SidebarCIState {
  if (!raw.prUrl) return "NONE"; // even when merged: there is nothing to link to
  if (raw.prState === "MERGED" || raw.ratchetState === "MERGED") return "MERGED";
  if (raw.prState === "CLOSED") return "CLOSED";
  if (raw.ratchetState === "MERGE_CONFLICT") return "CONFLICT";
  if (raw.prCiStatus === "SUCCESS") return "PASSING";
  if (raw.prCiStatus === "FAILURE") return "FAILING";
  if (raw.prCiStatus === "PENDING") return "RUNNING";
  // CI itself says nothing: what the ratchet last saw is the best there is.
  if (raw.ratchetState === "CI_FAILED") return "FAILING";
  return raw.ratchetState === "CI_RUNNING" ? "RUNNING" : "UNKNOWN";
}

// There are sixteen of them, and they are derived on each commit: shared and frozen.
const SIDEBAR_WORKING = sidebarStatuses("WORKING");
const SIDEBAR_IDLE = sidebarStatuses("IDLE");

function sidebarStatuses(activityState: ActivityState): Readonly<Record<SidebarCIState, SidebarStatus>> {
  const status = (ciState: SidebarCIState): SidebarStatus => Object.freeze({ activityState, ciState });
  return {
    NONE: status("NONE"),
    RUNNING: status("RUNNING"),
    FAILING: status("FAILING"),
    PASSING: status("PASSING"),
    UNKNOWN: status("UNKNOWN"),
    CLOSED: status("CLOSED"),
    MERGED: status("MERGED"),
    CONFLICT: status("CONFLICT"),
  };
}
