/** How the hub words what is said of a subscription itself. */
import type { LogWording } from "../feed/frames.ts";
import type { EventFrame } from "../protocol/envelope.ts";
import { subscriptionsOf } from "./targets.ts";

/** @param now - Milliseconds since 1970. */
export function eventWording(now: () => number): LogWording<EventFrame> {
  const timestamp = (): string => new Date(now()).toISOString();
  return {
    status: (scope, freshness, head) => ({
      type: "connection:status",
      payload: {
        status: (freshness?.fresh ?? true) ? "connected" : "stale",
        subscriptions: subscriptionsOf(scope),
        head,
        ...(freshness?.reason === undefined ? {} : { reason: freshness.reason }),
        ...(freshness && { since: freshness.since }),
      },
      timestamp: timestamp(),
    }),
    gap: (_, from, to, certain) => ({ type: "gap", payload: { from, to, certain }, timestamp: timestamp() }),
    ended: (_, reason) => ({ type: "connection:ended", payload: { reason }, timestamp: timestamp() }),
  };
}
