/**
 * Single flight: many who ask, one that runs.
 *
 * The obvious single flight lets everybody join the run under way. But that run may have looked before the change that
 * makes the newcomer ask, and would hand out the state from before it. So a run that has begun is never joined: whoever
 * asks during it shares the one run that begins after it. However many ask, at most one runs and one waits.
 */

import { setMaxListeners } from "node:events";

export type Flight<T> = (signal?: AbortSignal) => Promise<T>;

interface Run<T> {
  readonly controller: AbortController;
  readonly promise: Promise<T>;
  askers: number;
}

/** A run is aborted when the last of those who asked for it has given up. */
export function createFlight<T>(work: (signal: AbortSignal) => Promise<T>): Flight<T> {
  let latest: Promise<unknown> = Promise.resolve();
  let waiting: Run<T> | undefined;

  function enqueue(): Run<T> {
    const controller = manyListeners(new AbortController());
    const before = latest;
    const promise = before.then(async () => {
      controller.signal.throwIfAborted();
      waiting = undefined;
      return await work(controller.signal);
    });
    latest = promise.catch(() => {});
    return { controller, promise, askers: 0 };
  }

  return async (signal) => {
    signal?.throwIfAborted();
    waiting ??= enqueue();
    const run = waiting;
    run.askers += 1;
    try {
      return await untilAborted(run.promise, signal);
    } finally {
      run.askers -= 1;
      if (run.askers === 0) {
        run.controller.abort();
        if (waiting === run) waiting = undefined;
      }
    }
  };
}

/** A signal for many who wait at once: one listener on the caller's, however many on this one. */
export async function withSharedSignal<T>(
  signal: AbortSignal,
  work: (shared: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = manyListeners(new AbortController());
  const onAbort = (): void => controller.abort(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await work(controller.signal);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Node warns of more than ten listeners, as of a leak; these all leave when what they wait for has ended. */
export function manyListeners(controller: AbortController): AbortController {
  setMaxListeners(0, controller.signal);
  return controller;
}

/** The promise's outcome, or the signal's reason as soon as it is aborted. Leaves no listener on the signal. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
