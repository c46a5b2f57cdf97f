/**
 * Signals that abort after a time, or with others. Node 20 may collect a signal of `AbortSignal.any` over one of
 * `AbortSignal.timeout` before it fires, and then it never does: here a timer and listeners hold it until it is let go.
 */

export interface HeldSignal extends Disposable {
  readonly signal: AbortSignal;
}

/** Aborts after `ms`, or with the first of the signals. Let go of it when the work is done. */
export function deadlineOf(ms: number, ...signals: readonly AbortSignal[]): HeldSignal {
  const linked = anyOf(...signals);
  const timer = setTimeout(
    () => linked.abort(new DOMException("The operation took too long.", "TimeoutError")),
    ms,
  ).unref();
  return {
    signal: linked.signal,
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      linked[Symbol.dispose]();
    },
  };
}

/** Aborts with the first of the signals. */
export function anyOf(...signals: readonly AbortSignal[]): HeldSignal & {
  readonly abort: (reason: unknown) => void;
} {
  const controller = new AbortController();
  const abort = (reason: unknown): void => controller.abort(reason);
  const leave = signals.map((signal) => {
    const follow = (): void => abort(signal.reason);
    if (signal.aborted) follow();
    else signal.addEventListener("abort", follow, { once: true });
    return () => signal.removeEventListener("abort", follow);
  });
  return {
    signal: controller.signal,
    abort,
    [Symbol.dispose]: () => {
      for (const stop of leave) stop();
    },
  };
}
