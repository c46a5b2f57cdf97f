/**
 * The plain iterable over a subscription: the reference for every other way to drive one. It holds nothing between
 * frames: while there is no room to send, the cursor stays where it is.
 */
import type { TrackedFrame } from "../protocol/frames.ts";
import type { Subscription } from "./subscription.ts";

/** Room to send on a connection that may be shared: one frame at a time is handed over. */
export interface SendRoom {
  /** `undefined`: the room is yours until `release`. A promise: wait for it, then claim again. */
  claim(): Promise<void> | undefined;
  release(): void;
}

export interface IterateOptions {
  /** Decides how the subscription begins. */
  readonly begin: () => Promise<void>;
  /** `createCaller` may give none: then leaving the loop ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  readonly room?: SendRoom | undefined;
}

export async function* iterate<Entry, Frame>(
  subscription: Subscription<Entry, Frame>,
  { begin, signal, room }: IterateOptions,
): AsyncGenerator<TrackedFrame<Frame>, void, void> {
  const close = (): void => subscription.close();
  let holdsRoom = false;
  try {
    if (signal?.aborted) return;
    signal?.addEventListener("abort", close, { once: true });
    await begin();
    while (!subscription.closed) {
      if (!subscription.pending) {
        await subscription.sleep();
        continue;
      }
      const noRoom = room?.claim();
      if (noRoom) {
        await roomOrClosed(noRoom, subscription);
        continue;
      }
      holdsRoom = room !== undefined;
      const frame = subscription.take();
      if (frame) yield frame;
      if (holdsRoom) room?.release();
      holdsRoom = false;
    }
  } finally {
    if (holdsRoom) room?.release();
    signal?.removeEventListener("abort", close);
    subscription.close();
  }
}

/** Waits for room, or until the subscriber leaves. Commits meanwhile do not wake it: the cursor stays. */
function roomOrClosed(room: Promise<void>, subscription: Subscription<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      subscription.onWake = undefined;
      resolve();
    };
    subscription.onWake = () => {
      if (subscription.closed) done();
    };
    room.then(done, done);
  });
}
