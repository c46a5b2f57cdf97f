/**
 * What a replica knows, and what each frame does to it: rule 14 of the protocol, without a clock, a timer or a socket.
 *
 * Within one life of the order (one tag) positions only grow: a delta at or below the own position was applied before,
 * and a full below it is older than what is shown. So frames may arrive twice, or from a connection that was replaced,
 * and the result is the same. Work per delta does not depend on how many entries there are.
 */
import {
  type EndedReason,
  type FullReason,
  readSnapshotFrame,
  type SnapshotFull,
} from "../src/protocol/frames.ts";
import { formatPosition, type Position, parsePosition } from "../src/protocol/position.ts";
import { same } from "./same.ts";

/** What an entry must have. A host's own model may have anything else. */
export interface ReplicaEntry {
  readonly workspaceId: string;
}

/** Where a replica stands in the order, and what it was told about its source. */
export interface ReplicaCursor {
  /** Grows whenever `entries` changes. */
  revision: number;
  /** The tag and sequence up to which `entries` is complete; undefined: nothing was loaded yet. */
  position: { readonly tag: string; readonly sequence: number } | undefined;
  /** The sequence at which a resume has caught up; undefined: it has, or there was none. */
  until: number | undefined;
  /** The first pass of the project's sources is done. */
  complete: boolean;
  /** False while the source of truth is away; `staleReason` is the server's own word for why. */
  fresh: boolean;
  staleReason: string | undefined;
  /** Fulls with the same reason and no delta between them. */
  readonly repeated: { reason: FullReason | undefined; times: number };
}

/** Changed in place by {@link applyFrame}; nobody else writes it. */
export interface ReplicaState<Entry extends ReplicaEntry> extends ReplicaCursor {
  /** By workspace id, in the order in which the ids were first seen. */
  readonly entries: Map<string, Entry>;
}

/** What a frame did. */
export type Outcome =
  /** Entries, position or standing are as the frame says. */
  | { readonly kind: "applied" }
  /** The view was replaced; `unreadable` entries of it were not entries. */
  | {
      readonly kind: "full";
      readonly reason: FullReason;
      readonly times: number;
      readonly unreadable: number;
    }
  | { readonly kind: "resumed" }
  | { readonly kind: "ignored"; readonly because: "unknown-frame" | "no-position" | "known" | "older" }
  /** A delta of another order, without a full before it: only a new subscription can help. */
  | { readonly kind: "foreign" }
  | { readonly kind: "ended"; readonly reason: EndedReason };

export function createReplicaState<Entry extends ReplicaEntry>(): ReplicaState<Entry> {
  return {
    entries: new Map(),
    revision: 0,
    position: undefined,
    until: undefined,
    complete: false,
    fresh: true,
    staleReason: undefined,
    repeated: { reason: undefined, times: 0 },
  };
}

/** Where to resume from: what `lastEventId` should be. */
export function resumePoint(state: ReplicaCursor): string | undefined {
  return state.position && formatPosition(state.position.tag, state.position.sequence);
}

export function caughtUp({ position, until }: ReplicaCursor): boolean {
  return position !== undefined && (until === undefined || position.sequence >= until);
}

/** Takes what a subscription delivered, of whatever shape. Never throws. */
export function applyFrame<Entry extends ReplicaEntry>(
  state: ReplicaState<Entry>,
  delivered: unknown,
): Outcome {
  const { id, data } = isRecord(delivered) ? delivered : {};
  const frame = readSnapshotFrame(data);
  if (!frame) return { kind: "ignored", because: "unknown-frame" };
  if (frame.type === "snapshot_ended") return { kind: "ended", reason: frame.reason };
  const at = parsePosition(id);
  if (!at) return { kind: "ignored", because: "no-position" };
  switch (frame.type) {
    case "snapshot_full":
      return applyFull(state, at, frame as SnapshotFull<Entry>);
    case "snapshot_changed":
      return applyDelta(state, at, () => {
        state.entries.set(frame.workspaceId, frame.entry as Entry);
        return true;
      });
    case "snapshot_removed":
      return applyDelta(state, at, () => state.entries.delete(frame.workspaceId));
    case "snapshot_resumed": {
      if (isForeign(state, at)) return { kind: "foreign" };
      const until = parsePosition(frame.until);
      state.until = until?.tag === at.tag ? until.sequence : undefined;
      // A first frame says "complete" and "fresh" by itself; what is not so follows.
      state.complete = true;
      setFresh(state, true, undefined);
      return { kind: "resumed" };
    }
    case "snapshot_progress":
      if (isForeign(state, at)) return { kind: "foreign" };
      state.complete = frame.complete;
      advance(state, at);
      return { kind: "applied" };
    case "snapshot_status":
      setFresh(state, frame.fresh, frame.reason);
      return { kind: "applied" };
  }
}

function applyFull<Entry extends ReplicaEntry>(
  state: ReplicaState<Entry>,
  at: Position,
  frame: SnapshotFull<Entry>,
): Outcome {
  const { position } = state;
  const sameOrder = position?.tag === at.tag;
  if (sameOrder && at.sequence < position.sequence && frame.reason !== "ahead")
    return { kind: "ignored", because: "older" };
  const unreadable = replaceEntries(state, frame.entries, sameOrder);
  state.position = { tag: at.tag, sequence: at.sequence };
  state.until = undefined;
  state.complete = frame.complete !== false;
  setFresh(state, true, undefined);
  const { repeated } = state;
  repeated.times = repeated.reason === frame.reason ? repeated.times + 1 : 1;
  repeated.reason = frame.reason;
  return { kind: "full", reason: frame.reason, times: repeated.times, unreadable };
}

/** One step from the old view to the new one; what did not change keeps its object and its place. */
function replaceEntries<Entry extends ReplicaEntry>(
  state: ReplicaState<Entry>,
  incoming: readonly unknown[],
  sameOrder: boolean,
): number {
  const { entries } = state;
  const kept = new Set<string>();
  let changed = state.position === undefined;
  let unreadable = 0;
  for (const entry of incoming) {
    if (!isEntry<Entry>(entry)) {
      unreadable += 1;
      continue;
    }
    kept.add(entry.workspaceId);
    const before = entries.get(entry.workspaceId);
    if (before !== undefined && isUnchanged(before, entry, sameOrder)) continue;
    entries.set(entry.workspaceId, entry);
    changed = true;
  }
  for (const workspaceId of entries.keys()) {
    if (kept.has(workspaceId)) continue;
    entries.delete(workspaceId);
    changed = true;
  }
  if (changed) state.revision += 1;
  return unreadable;
}

/** Versions of one order name a content; those of two orders say nothing about each other. */
function isUnchanged(before: ReplicaEntry, after: ReplicaEntry, sameOrder: boolean): boolean {
  const [a, b] = [versionOf(before), versionOf(after)];
  if (sameOrder && a !== undefined && b !== undefined) return a === b;
  return same(before, after);
}

function applyDelta<Entry extends ReplicaEntry>(
  state: ReplicaState<Entry>,
  at: Position,
  change: () => boolean,
): Outcome {
  if (isForeign(state, at)) return { kind: "foreign" };
  if (!advance(state, at)) return { kind: "ignored", because: "known" };
  forgetRepeats(state);
  if (change()) state.revision += 1;
  return { kind: "applied" };
}

/** Fulls count as repeated only while nothing else happens. */
export function forgetRepeats({ repeated }: ReplicaCursor): void {
  repeated.reason = undefined;
  repeated.times = 0;
}

function isForeign(state: ReplicaCursor, at: Position): boolean {
  return state.position?.tag !== at.tag;
}

/** False when the position is not above the own one. */
function advance(state: ReplicaCursor, at: Position): boolean {
  if (state.position && at.sequence <= state.position.sequence) return false;
  state.position = { tag: at.tag, sequence: at.sequence };
  return true;
}

function setFresh(state: ReplicaCursor, fresh: boolean, reason: string | undefined): void {
  state.fresh = fresh;
  state.staleReason = fresh || typeof reason !== "string" ? undefined : reason;
}

function versionOf(entry: ReplicaEntry): number | undefined {
  const { version } = entry as { readonly version?: unknown };
  return typeof version === "number" ? version : undefined;
}

function isEntry<Entry extends ReplicaEntry>(value: unknown): value is Entry {
  return isRecord(value) && typeof value.workspaceId === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
