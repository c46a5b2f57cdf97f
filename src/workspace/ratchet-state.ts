/**
 * Upstream of the entry: what the ratchet sees when it looks at a pull request. A projection: it is computed again
 * whenever an input changes and never stored with a life of its own, so it cannot go stale beside a merged request.
 */
import type { RatchetState, WorkspaceFields } from "../protocol/workspace.ts";
import { isOpenPullRequest } from "./pull-request.ts";

export type RatchetInputs = Pick<
  WorkspaceFields,
  "ratchetEnabled" | "prState" | "prCiStatus" | "hasMergeConflict"
> & {
  /**
   * The review decision as the forge says it (`CHANGES_REQUESTED`, `APPROVED`, `REVIEW_REQUIRED`), never on the wire.
   * Raw on purpose: `prState` shows a draft as DRAFT and would hide that changes were requested.
   */
  readonly prReviewState: string | null;
};

export function deriveRatchetState(inputs: RatchetInputs): RatchetState {
  if (!inputs.ratchetEnabled) return "IDLE";
  if (inputs.prState === "MERGED") return "MERGED";
  if (!isOpenPullRequest(inputs.prState)) return "IDLE";
  if (inputs.prCiStatus === "FAILURE") return "CI_FAILED";
  if (inputs.hasMergeConflict) return "MERGE_CONFLICT";
  if (inputs.prCiStatus === "PENDING" || inputs.prCiStatus === "UNKNOWN") return "CI_RUNNING";
  return inputs.prReviewState === "CHANGES_REQUESTED" ? "REVIEW_PENDING" : "READY";
}
