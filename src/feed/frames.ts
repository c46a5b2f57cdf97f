/** How a product words its frames. The feed knows when something is said, not what it looks like. */
import type { EndedReason, FullReason } from "../protocol/frames.ts";

export interface FrameWording<Entry, Frame> {
  full(scope: string, entries: readonly Entry[], reason: FullReason, complete: boolean): Frame;
  resumed(scope: string, until: string, missed: number): Frame;
  changed(scope: string, key: string, entry: Entry): Frame;
  removed(scope: string, key: string): Frame;
  progress(scope: string, complete: boolean): Frame;
  status(scope: string, freshness: Freshness): Frame;
  ended(scope: string, reason: EndedReason): Frame;
}

/** How a product that tells what happened words its frames; an entry is its own frame. */
export interface LogWording<Frame> {
  /** The first frame of a subscription (no freshness), and whenever the engine went away or came back. @param head - A position. */
  status(scope: string, freshness: Freshness | undefined, head: string): Frame;
  /** @param from - The client's own position; null when it cannot be read. */
  gap(scope: string, from: string | null, to: string, certain: boolean): Frame;
  ended(scope: string, reason: EndedReason): Frame;
}

/** Whether the source of truth behind a scope can be observed. */
export interface Freshness {
  readonly fresh: boolean;
  readonly reason?: string;
  /** Since when, RFC 3339. */
  readonly since: string;
}
