/** How snapshots word the frames of the feed. */
import type { FrameWording } from "../feed/frames.ts";
import type { SnapshotFrame } from "../protocol/frames.ts";

export function snapshotWording<Entry>(): FrameWording<Entry, SnapshotFrame<Entry>> {
  return {
    full: (projectId, entries, reason, complete) => ({
      type: "snapshot_full",
      projectId,
      entries,
      reason,
      complete,
    }),
    resumed: (projectId, until, missed) => ({ type: "snapshot_resumed", projectId, until, missed }),
    changed: (_, workspaceId, entry) => ({ type: "snapshot_changed", workspaceId, entry }),
    removed: (projectId, workspaceId) => ({ type: "snapshot_removed", workspaceId, projectId }),
    progress: (projectId, complete) => ({ type: "snapshot_progress", projectId, complete }),
    status: (projectId, { fresh, reason, since }) => ({
      type: "snapshot_status",
      projectId,
      fresh,
      ...(reason === undefined ? {} : { reason }),
      since,
    }),
    ended: (projectId, reason) => ({ type: "snapshot_ended", projectId, reason }),
  };
}
