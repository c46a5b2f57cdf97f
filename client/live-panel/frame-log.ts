/**
 * What comes over the wire, kept for whoever develops with it: which frames, at which positions, and why whole snapshots
 * came again. It stands between a client and whatever watches projects through it, and changes nothing of what it sees.
 */
import { readSnapshotFrame } from "../../src/protocol/frames.ts";
import { pageFrames, type Schedule } from "../page-frame.ts";
import type { ProjectInput, SnapshotsClient, SubscriptionCallbacks } from "../snapshots-client.ts";

export interface LoggedFrame {
  /** Counts up; names the frame. */
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly projectId: string;
  /** As on the wire, or what happened to the subscription. */
  readonly type: string;
  readonly position: string | undefined;
  /** The workspace, the reason of a full, what was missed: one line. */
  readonly words: string;
}

export interface FrameLogState {
  /** Newest first; the oldest are forgotten. */
  readonly frames: readonly LoggedFrame[];
  /** All that came, by type, forgotten ones too. */
  readonly counts: Readonly<Record<string, number>>;
  /** Why whole snapshots came, newest first, the very first ones left out. */
  readonly resyncs: readonly LoggedFrame[];
}

export interface FrameLog {
  /** The same client, looked at. Call it once for each client, and watch projects through what it returns. */
  watch<Snapshots extends SnapshotsClient>(snapshots: Snapshots): Pick<Snapshots, "onProject">;
  /** The same object until something changes; needs no `this`. */
  getState(this: void): FrameLogState;
  /** Calls after changes, at most once per frame of the page; needs no `this`. Returns the way to stop listening. */
  subscribe(this: void, listener: () => void): () => void;
  clear(): void;
}

export interface FrameLogOptions {
  /** How many frames are kept. @defaultValue 200 */
  readonly max?: number | undefined;
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: (() => number) | undefined;
  /** When listeners are told. @defaultValue once per animation frame */
  readonly schedule?: Schedule | undefined;
}

const FRAMES_MAX = 200;
const RESYNCS_MAX = 20;
const EMPTY: FrameLogState = Object.freeze({ frames: [], counts: {}, resyncs: [] });

export function createFrameLog(options: FrameLogOptions = {}): FrameLog {
  const { max = FRAMES_MAX, now = Date.now, schedule = pageFrames() } = options;
  const listeners = new Set<() => void>();
  let state = EMPTY;
  let pending: LoggedFrame[] = [];
  let number = 0;

  const log = (projectId: string, type: string, position: string | undefined, words: string): void => {
    number += 1;
    pending.push({ number, at: now(), projectId, type, position, words });
    if (pending.length > 1) return;
    schedule(() => {
      state = withFrames(state, pending, max);
      pending = [];
      for (const listener of [...listeners]) listener();
    });
  };

  const lookAt = (projectId: string, callbacks: SubscriptionCallbacks): SubscriptionCallbacks => ({
    ...callbacks,
    onData(delivered) {
      const { type, position, words } = read(delivered);
      log(projectId, type, position, words);
      callbacks.onData(delivered);
    },
    onError(error) {
      log(projectId, "error", undefined, error instanceof Error ? error.message : String(error));
      callbacks.onError(error);
    },
    onStopped() {
      log(projectId, "stopped", undefined, "the server ended the subscription");
      callbacks.onStopped();
    },
    onConnectionStateChange(change) {
      const { state: word, error } = change;
      if (word === "connecting" && error) log(projectId, "connection lost", undefined, "");
      callbacks.onConnectionStateChange(change);
    },
  });

  return {
    watch(snapshots) {
      const onProject = {
        subscribe(input: ProjectInput, callbacks: SubscriptionCallbacks) {
          log(
            input.projectId,
            "subscribe",
            input.lastEventId,
            input.lastEventId ? "resume" : "from the start",
          );
          return snapshots.onProject.subscribe(input, lookAt(input.projectId, callbacks));
        },
      };
      return { onProject } as never; // the same signature: what the client infers of entries stays
    },
    getState: () => state,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    clear() {
      state = EMPTY;
      for (const listener of [...listeners]) listener();
    },
  };
}

function withFrames(state: FrameLogState, incoming: readonly LoggedFrame[], max: number): FrameLogState {
  const counts: Record<string, number> = { ...state.counts };
  for (const { type } of incoming) counts[type] = (counts[type] ?? 0) + 1;
  const newest = [...incoming].reverse();
  const again = newest.filter(({ type, words }) => type === "snapshot_full" && !words.startsWith("first"));
  return Object.freeze({
    frames: [...newest, ...state.frames].slice(0, max),
    counts,
    resyncs: [...again, ...state.resyncs].slice(0, RESYNCS_MAX),
  });
}

function read(delivered: unknown): Pick<LoggedFrame, "type" | "position" | "words"> {
  const { id, data } = isRecord(delivered) ? delivered : {};
  const position = typeof id === "string" ? id : undefined;
  const frame = readSnapshotFrame(data);
  if (!frame)
    return { type: "unreadable", position, words: "a frame of an unknown type, or of a broken shape" };
  const { type } = frame;
  switch (type) {
    case "snapshot_full": {
      const many = `${frame.reason}, ${frame.entries.length} entries`;
      return { type, position, words: frame.complete ? many : `${many}, more to come` };
    }
    case "snapshot_resumed":
      return { type, position, words: `${frame.missed} missed, until ${frame.until}` };
    case "snapshot_changed":
    case "snapshot_removed":
      return { type, position, words: frame.workspaceId };
    case "snapshot_progress":
      return { type, position, words: frame.complete ? "complete" : "bookmark" };
    case "snapshot_status":
      return { type, position, words: frame.fresh ? "fresh" : `stale: ${frame.reason ?? "no reason given"}` };
    case "snapshot_ended":
      return { type, position, words: frame.reason };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
