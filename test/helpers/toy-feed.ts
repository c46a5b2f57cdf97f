/** A feed over a toy collection: its frames are short texts, so that a test reads like a log. */
import { Feed } from "../../src/feed/feed.ts";
import type { Freshness } from "../../src/feed/frames.ts";
import type { Subscription } from "../../src/feed/subscription.ts";
import { parsePosition } from "../../src/protocol/position.ts";
import type { ToyEntry, ToyNode } from "./toy-collection.ts";

export type ToySubscription = Subscription<ToyEntry, string>;

export interface ToyFeed {
  readonly feed: Feed<ToyEntry, string>;
  /** What the sources say; call `feed.wakeAll` after a change. */
  complete: boolean;
  freshness: Freshness | undefined;
}

export function toyFeed(
  node: ToyNode,
  options: { readonly firstPassWaitMs?: number; readonly behindWaitMs?: number } = {},
): ToyFeed {
  const toy: ToyFeed = {
    complete: true,
    freshness: undefined,
    feed: new Feed<ToyEntry, string>({
      collection: node.collection as never,
      wording: {
        full: (_, entries, reason, complete) =>
          `full ${reason}${complete ? "" : " incomplete"}: ${entries.map(({ key, value }) => `${key}=${value}`).join(" ")}`,
        resumed: (_, until, missed) => `resumed until ${parsePosition(until)?.sequence} missed ${missed}`,
        changed: (_, key, { value }) => `${key}=${value}`,
        removed: (_, key) => `${key} removed`,
        progress: (_, complete) => `progress ${complete}`,
        status: (_, { fresh, reason }) => `status ${fresh}${reason === undefined ? "" : ` ${reason}`}`,
        ended: (_, reason) => `ended ${reason}`,
      },
      complete: () => toy.complete,
      freshness: () => toy.freshness,
      ...options,
    }),
  };
  node.onTold = ({ shown, gone }) => {
    for (const scope of gone) toy.feed.wake(scope);
    if (shown) toy.feed.wake(shown.scope);
  };
  return toy;
}

/** Everything that can be taken now: `sequence[.kind] text`. */
export function drain(subscription: ToySubscription, room = Number.POSITIVE_INFINITY): string[] {
  const frames: string[] = [];
  while (frames.length < room) {
    const frame = subscription.take();
    if (!frame) break;
    const { sequence, kind } = parsePosition(frame.id) ?? { sequence: -1 };
    frames.push(`${sequence}${kind === undefined ? "" : `.${kind}`} ${frame.data}`);
    if (frames.length > 10_000) throw new Error("a subscription that never has nothing to say");
  }
  return frames;
}

export async function subscribed(
  { feed }: ToyFeed,
  scope: string,
  lastEventId?: string | null,
): Promise<ToySubscription> {
  const subscription = feed.join(scope);
  await feed.begin(subscription, lastEventId);
  return subscription;
}
