/**
 * One subscription of a feed, as every `on...` procedure runs it: joined at once, handed to the pump where the
 * connection has one and iterated everywhere else, its rights looked at again while it lives.
 */
import type { Feed } from "../feed/feed.ts";
import { iterate } from "../feed/iterate.ts";
import type { Subscription } from "../feed/subscription.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { Snapwire } from "../snapwire.ts";
import type { SnapwireConnection } from "./context.ts";
import { answering, toTRPCError } from "./errors.ts";
import type { ProcedureRoom } from "./procedures.ts";

export interface WatchFeedOptions<Item, Frame> {
  readonly ctx: object;
  readonly signal: AbortSignal | undefined;
  readonly feed: Feed<Item, Frame>;
  readonly scope: string;
  readonly lastEventId: string | null | undefined;
  /** Asked every 60 s; false ends the subscription with `revoked`. */
  readonly allowed: () => Promise<boolean>;
}

export async function* watchFeed<Entry, Item, Frame>(
  room: ProcedureRoom<Entry>,
  { ctx, signal, feed, scope, lastEventId, allowed }: WatchFeedOptions<Item, Frame>,
) {
  await answering(() => assertServing(room.live)); // it may have been stopped since the middleware looked
  const connection = await answering(() => room.connection(ctx));
  const subscription = feed.join(scope);
  const unwatch = room.rights.watch({ allowed, revoke: () => subscription.end("revoked") });
  try {
    const begin = (): Promise<void> => feed.begin(subscription, lastEventId);
    if (connection?.handOff) {
      yield* handedOff(connection.handOff, feed, subscription, begin, signal);
      return;
    }
    for await (const { id, data } of iterate(subscription, { begin, signal, room: connection })) {
      yield room.tracked(id, data);
    }
  } catch (error) {
    if (!(error instanceof SnapwireError && error.reason === "behind" && connection))
      throw toTRPCError(error);
    // An error would end a stock subscription for good; a lost connection makes the client try another node.
    connection.tryElsewhere();
    await aborted(signal);
  } finally {
    unwatch();
    subscription.close();
  }
}

/** Leaves tRPC's loop: the one value that is yielded never reaches the client. */
async function* handedOff<Item, Frame>(
  handOff: NonNullable<SnapwireConnection["handOff"]>,
  feed: Feed<Item, Frame>,
  subscription: Subscription<Item, Frame>,
  begin: () => Promise<void>,
  signal: AbortSignal | undefined,
) {
  const close = (): void => subscription.close();
  signal?.addEventListener("abort", close, { once: true });
  try {
    if (signal?.aborted) return;
    await begin();
    if (subscription.closed) return;
    const { ticket, ended } = handOff(
      feed as unknown as Feed<unknown, unknown>,
      subscription as unknown as Subscription<unknown, unknown>,
    );
    yield ticket as never;
    await ended;
  } finally {
    signal?.removeEventListener("abort", close);
  }
}

export function assertServing<Entry>(live: Snapwire<Entry>): void {
  if (!live.serving()) throw new SnapwireError("unavailable", "The service is not running; try again later.");
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (!signal || signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
