/**
 * The life of a workspace. The store does not enforce it: an observation is a fact, even one that skipped a step. Who
 * commands a move (create, retry, archive) asks here first.
 */
import type { WorkspaceStatus } from "../protocol/workspace.ts";

export const WORKSPACE_STATUS_MOVES: Readonly<Record<WorkspaceStatus, readonly WorkspaceStatus[]>> = {
  NEW: ["PROVISIONING"],
  PROVISIONING: ["READY", "FAILED"],
  READY: ["ARCHIVING", "PROVISIONING"],
  FAILED: ["PROVISIONING", "NEW", "ARCHIVING"],
  ARCHIVING: ["READY", "FAILED", "ARCHIVED"],
  ARCHIVED: [],
};

/** Staying is not a move. */
export function isLegalStatusMove(from: WorkspaceStatus, to: WorkspaceStatus): boolean {
  return WORKSPACE_STATUS_MOVES[from].includes(to);
}
