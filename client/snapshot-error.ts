/** Why a query has no live entries, and will not get any by trying again. */
import type { ReplicaReason } from "./status.ts";

export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly projectId: string;
  readonly status: "denied" | "ended";
  /** A stable code. */
  readonly reason: ReplicaReason;

  constructor(projectId: string, status: "denied" | "ended", reason: ReplicaReason, detail?: string) {
    super(`project ${projectId} is ${status} (${reason})${detail === undefined ? "" : `: ${detail}`}`);
    this.projectId = projectId;
    this.status = status;
    this.reason = reason;
  }
}
