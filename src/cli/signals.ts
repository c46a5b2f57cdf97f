/**
 * Signals, as a person means them. A terminal sends Ctrl-C to every process of its group, and `npx` and `npm start` pass
 * it on as well: one press comes up to three times within a moment. So the same signal within that moment is the same
 * wish; a later one is the second, and it ends at once.
 */
export interface Signals {
  /** Aborted at the first signal; the reason is its name. */
  readonly signal: AbortSignal;
  /** Takes one signal of the process. */
  receive(name: string): void;
}

/** How long repeats of the first signal are the same wish, in milliseconds. A person is slower. */
export const SAME_PRESS_MS = 100;

export interface SignalsOptions {
  /** Ends the process at once. */
  readonly endNow: (name: string) => void;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
}

export function createSignals({ endNow, now = () => performance.now() }: SignalsOptions): Signals {
  const stop = new AbortController();
  let firstAt = 0;
  return {
    signal: stop.signal,
    receive(name) {
      if (!stop.signal.aborted) {
        firstAt = now();
        stop.abort(name);
        return;
      }
      if (name === stop.signal.reason && now() - firstAt < SAME_PRESS_MS) return;
      endNow(name);
    },
  };
}
