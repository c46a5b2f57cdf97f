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

/** Whether the source of truth behind a scope can be observed. */
export interface Freshness {
  readonly fresh: boolean;
  readonly reason?: string;
  /** Since when, RFC 3339. */
  readonly since: string;
}
