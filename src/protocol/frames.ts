/**
 * The frames of `snapshots.onProject`. Each is yielded with a position as its tracked id.
 *
 * Frames are plain JSON: a transformer has nothing to annotate. The entry type is a parameter, since a host may bring
 * its own model; the built-in one is `WorkspaceEntry`.
 */
import type { WorkspaceEntry } from "./workspace.ts";

/** Why a full frame stands where deltas could have stood. A reason is never renamed, only retired. */
export const FULL_REASONS = ["first", "epoch-changed", "trimmed", "ahead", "invalid"] as const;
export type FullReason = (typeof FULL_REASONS)[number];

/** Why the server ended a subscription for good. `moved`: what is watched belongs to another project now; subscribe again. */
export type EndedReason = "revoked" | "project-gone" | "moved";

export interface SnapshotFull<Entry = WorkspaceEntry> {
  readonly type: "snapshot_full";
  readonly projectId: string;
  readonly entries: readonly Entry[];
  readonly reason: FullReason;
  /** False while the first pass of the project's sources still runs: "not seeded yet" is not "empty". */
  readonly complete: boolean;
}

export interface SnapshotResumed {
  readonly type: "snapshot_resumed";
  readonly projectId: string;
  /** The position (`<tag>.<sequence>`) from which on the subscriber has caught up. */
  readonly until: string;
  /** How many changed keys follow; a hint for people. */
  readonly missed: number;
}

export interface SnapshotChanged<Entry = WorkspaceEntry> {
  readonly type: "snapshot_changed";
  readonly workspaceId: string;
  readonly entry: Entry;
}

export interface SnapshotRemoved {
  readonly type: "snapshot_removed";
  readonly workspaceId: string;
  readonly projectId: string;
}

export interface SnapshotProgress {
  readonly type: "snapshot_progress";
  readonly projectId: string;
  readonly complete: boolean;
}

export interface SnapshotStatus {
  readonly type: "snapshot_status";
  readonly projectId: string;
  /** False while the source of truth is away: what is shown is the last known state. */
  readonly fresh: boolean;
  readonly reason?: string;
  /** Since when, RFC 3339. */
  readonly since: string;
}

export interface SnapshotEnded {
  readonly type: "snapshot_ended";
  readonly projectId: string;
  readonly reason: EndedReason;
}

export type SnapshotFrame<Entry = WorkspaceEntry> =
  | SnapshotFull<Entry>
  | SnapshotResumed
  | SnapshotChanged<Entry>
  | SnapshotRemoved
  | SnapshotProgress
  | SnapshotStatus
  | SnapshotEnded;

/** A frame and its position: what `tracked(position, frame)` carries, and what a stock client's `onData` gets. */
export interface TrackedFrame<Frame> {
  readonly id: string;
  readonly data: Frame;
}

const FRAME_TYPES: Readonly<Record<SnapshotFrame["type"], true>> = {
  snapshot_full: true,
  snapshot_resumed: true,
  snapshot_changed: true,
  snapshot_removed: true,
  snapshot_progress: true,
  snapshot_status: true,
  snapshot_ended: true,
};

/**
 * Reads what a subscription delivered. `undefined` for a frame of an unknown type or of a broken shape: a receiver
 * skips it. The entry itself is not checked beyond being an object with a `workspaceId`: its shape belongs to the model.
 */
export function readSnapshotFrame(
  data: unknown,
): SnapshotFrame<{ readonly workspaceId: string }> | undefined {
  if (!isRecord(data) || typeof data.type !== "string" || !Object.hasOwn(FRAME_TYPES, data.type))
    return undefined;
  const type = data.type as SnapshotFrame["type"];
  switch (type) {
    case "snapshot_full":
      return typeof data.projectId === "string" && Array.isArray(data.entries) ? asFrame(data) : undefined;
    case "snapshot_changed":
      return typeof data.workspaceId === "string" && isRecord(data.entry) ? asFrame(data) : undefined;
    case "snapshot_removed":
      return typeof data.workspaceId === "string" ? asFrame(data) : undefined;
    case "snapshot_resumed":
      return typeof data.until === "string" ? asFrame(data) : undefined;
    case "snapshot_progress":
      return typeof data.complete === "boolean" ? asFrame(data) : undefined;
    case "snapshot_status":
      return typeof data.fresh === "boolean" ? asFrame(data) : undefined;
    case "snapshot_ended":
      return typeof data.reason === "string" ? asFrame(data) : undefined;
  }
}

function asFrame(data: Record<string, unknown>): SnapshotFrame<{ readonly workspaceId: string }> {
  return data as unknown as SnapshotFrame<{ readonly workspaceId: string }>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
