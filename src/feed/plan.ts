/** How a subscription begins: a decision that reads like the protocol, taken in the same turn as the first walk. */

import type { FullReason } from "../protocol/frames.ts";
import { type Position, parsePosition } from "../protocol/position.ts";

export interface ScopeRange {
  readonly tag: string;
  readonly floor: number;
  /** The highest sequence that this node has applied. */
  readonly head: number;
  /** The highest sequence that any node knows; `undefined` when it was not asked for. */
  readonly authoritativeHead: number | undefined;
}

export type Plan =
  | { readonly kind: "full"; readonly reason: FullReason }
  | { readonly kind: "resume"; readonly from: Position }
  /** The cursor is above this node's head: ask the engine for its head. */
  | { readonly kind: "ask" }
  /** Another node told of it: wait until it has been applied here, never answer with older state. */
  | { readonly kind: "wait"; readonly sequence: number };

export function planSubscription(lastEventId: string | null | undefined, range: ScopeRange): Plan {
  if (lastEventId === null || lastEventId === undefined) return { kind: "full", reason: "first" };
  const from = parsePosition(lastEventId);
  if (!from) return { kind: "full", reason: "invalid" };
  if (from.tag !== range.tag) return { kind: "full", reason: "epoch-changed" };
  if (from.sequence > range.head) {
    if (range.authoritativeHead === undefined) return { kind: "ask" };
    if (from.sequence > range.authoritativeHead) return { kind: "full", reason: "ahead" };
    return { kind: "wait", sequence: from.sequence };
  }
  if (from.sequence < range.floor) return { kind: "full", reason: "trimmed" };
  return { kind: "resume", from };
}
