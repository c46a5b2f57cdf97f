/** Frames as a server words them, with entries that are small enough to read in a failed assertion. */
import type { EndedReason, FullReason, SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import { formatPosition } from "../../src/protocol/position.ts";

export const TAG = "aaaaaaaaaaaa";
export const OTHER_TAG = "bbbbbbbbbbbb";

export interface TestEntry {
  readonly workspaceId: string;
  readonly version: number;
  readonly name: string;
}

export type TestFrame = TrackedFrame<SnapshotFrame<TestEntry>>;

export function entry(
  workspaceId: string,
  version: number,
  name = `${workspaceId} at ${version}`,
): TestEntry {
  return { workspaceId, version, name };
}

export function full(
  sequence: number,
  entries: readonly TestEntry[],
  { tag = TAG, reason = "first" as FullReason, complete = true } = {},
): TestFrame {
  return {
    id: formatPosition(tag, sequence, "f"),
    data: { type: "snapshot_full", projectId: "p", entries, reason, complete },
  };
}

export function resumed(sequence: number, until = sequence, { tag = TAG, missed = 0 } = {}): TestFrame {
  return {
    id: formatPosition(tag, sequence, "r"),
    data: { type: "snapshot_resumed", projectId: "p", until: formatPosition(tag, until), missed },
  };
}

export function changed(sequence: number, workspaceId: string, { tag = TAG, name = "" } = {}): TestFrame {
  return {
    id: formatPosition(tag, sequence),
    data: {
      type: "snapshot_changed",
      workspaceId,
      entry: entry(workspaceId, sequence, name || undefined),
    },
  };
}

export function removed(sequence: number, workspaceId: string, { tag = TAG } = {}): TestFrame {
  return {
    id: formatPosition(tag, sequence),
    data: { type: "snapshot_removed", workspaceId, projectId: "p" },
  };
}

export function progress(sequence: number, complete: boolean, { tag = TAG } = {}): TestFrame {
  return {
    id: formatPosition(tag, sequence, "p"),
    data: { type: "snapshot_progress", projectId: "p", complete },
  };
}

export function status(sequence: number, fresh: boolean, reason?: string, { tag = TAG } = {}): TestFrame {
  return {
    id: formatPosition(tag, sequence, "s"),
    data: {
      type: "snapshot_status",
      projectId: "p",
      fresh,
      since: "2026-01-01T00:00:00.000Z",
      ...(reason === undefined ? {} : { reason }),
    },
  };
}

export function ended(sequence: number, reason: EndedReason, { tag = TAG } = {}): TestFrame {
  return { id: formatPosition(tag, sequence, "e"), data: { type: "snapshot_ended", projectId: "p", reason } };
}
