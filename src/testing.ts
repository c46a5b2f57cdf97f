/** For tests of hosts: frames as a caller gets them, without the envelope. */
import type { TrackedFrame } from "./protocol/frames.ts";

/**
 * Unwraps what `createCaller(ctx, { signal }).snapshots.onProject(...)` yields. The types say `{ id, data }`, the value
 * is tRPC's raw envelope; this gives what the types say. Pass a signal to the caller and abort it when done: leaving a
 * loop while a frame is awaited waits for that frame.
 */
export async function* unwrap<Frame>(
  iterable: AsyncIterable<TrackedFrame<Frame>> | PromiseLike<AsyncIterable<TrackedFrame<Frame>>>,
): AsyncGenerator<TrackedFrame<Frame>, void, void> {
  for await (const value of await iterable) {
    const raw: unknown = value;
    yield Array.isArray(raw) ? { id: String(raw[0]), data: raw[1] as Frame } : value;
  }
}
