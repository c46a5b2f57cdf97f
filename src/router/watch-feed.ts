/**
 * One subscription of a feed, as every `on...` procedure runs it: joined at once, its rights looked at again while it
 * lives; iterated over, or opened by a server that drives many at once.
 */
import type { Feed } from "../feed/feed.ts";
import { iterate } from "../feed/iterate.ts";
import type { Subscription } from "../feed/subscription.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { EndedReason } from "../protocol/frames.ts";
import type { Snapwire } from "../snapwire.ts";
import { type OpenFeed, openedBy } from "./driven.ts";
import { answering, toTRPCError } from "./errors.ts";
import type { ProcedureRoom } from "./procedures.ts";

export interface WatchFeedOptions<Item, Frame> {
  readonly ctx: object;
  readonly signal: AbortSignal | undefined;
  readonly feed: Feed<Item, Frame>;
  readonly scope: string;
  readonly lastEventId: string | null | undefined;
  /** Asked every 60 s; false ends the subscription with `revoked`, `moved` with that. */
  readonly allowed: () => Promise<boolean | "moved">;
}

/** Iterated over by whoever knows no better; opened by our own WebSocket server (`driven.ts`). */
export function watchFeed<Entry, Item, Frame>(
  room: ProcedureRoom<Entry>,
  options: WatchFeedOptions<Item, Frame>,
) {
  return openedBy(iterated(room, options), () => opened(room, options));
}

async function* iterated<Entry, Item, Frame>(
  room: ProcedureRoom<Entry>,
  options: WatchFeedOptions<Item, Frame>,
) {
  await answering(() => assertServing(room.live)); // it may have been stopped since the middleware looked
  const connection = await answering(() => room.connection(options.ctx));
  const { subscription, leave } = joined(room, options);
  try {
    const begin = (): Promise<void> => options.feed.begin(subscription, options.lastEventId);
    const { signal } = options;
    for await (const { id, data } of iterate(subscription, { begin, signal, room: connection })) {
      yield room.tracked(id, data);
    }
  } catch (error) {
    if (!(error instanceof SnapwireError && error.reason === "behind" && connection))
      throw toTRPCError(error);
    // An error would end a stock subscription for good; a lost connection makes the client try another node.
    connection.tryElsewhere();
    await aborted(options.signal);
  } finally {
    leave();
  }
}

async function opened<Entry, Item, Frame>(
  room: ProcedureRoom<Entry>,
  options: WatchFeedOptions<Item, Frame>,
): Promise<OpenFeed> {
  await answering(() => assertServing(room.live));
  const { feed, lastEventId } = options;
  const { subscription, leave } = joined(room, options);
  return {
    feed: feed as unknown as Feed<unknown, unknown>,
    subscription: subscription as unknown as Subscription<unknown, unknown>,
    begin: () => feed.begin(subscription, lastEventId),
    close: leave,
  };
}

function joined<Entry, Item, Frame>(
  room: ProcedureRoom<Entry>,
  { feed, scope, allowed }: WatchFeedOptions<Item, Frame>,
) {
  const subscription = feed.join(scope);
  let reason: EndedReason = "revoked";
  const unwatch = room.rights.watch({
    allowed: async () => {
      const answer = await allowed();
      if (answer === "moved") reason = answer;
      return answer === true;
    },
    revoke: () => subscription.end(reason),
  });
  const leave = (): void => {
    unwatch();
    subscription.close();
  };
  return { subscription, leave };
}

export function assertServing<Entry>(live: Snapwire<Entry>): void {
  if (!live.serving()) throw new SnapwireError("unavailable", "The service is not running; try again later.");
}

export function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (!signal || signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
