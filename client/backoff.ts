/**
 * How long to wait before the next attempt. Full jitter over a window that doubles, so that a thousand clients of a
 * restarted server come back spread out; and a floor, so that a server that accepts and closes is not hammered.
 */

export interface RetryOptions {
  /** Shortest wait, also before the first new attempt, in milliseconds. @defaultValue 250 */
  readonly floorMs?: number | undefined;
  /** Longest wait, in milliseconds. @defaultValue 30_000 */
  readonly capMs?: number | undefined;
  /** 0 inclusive to 1 exclusive. @defaultValue Math.random */
  readonly random?: (() => number) | undefined;
}

const FLOOR_MS = 250;
const CAP_MS = 30_000;
/** The width of the first window, in milliseconds. */
const WINDOW_MS = 1_000;

export interface Backoff {
  readonly floorMs: number;
  readonly capMs: number;
  readonly random: () => number;
}

export function backoffOf(options: RetryOptions = {}): Backoff {
  const floorMs = Math.max(1, options.floorMs ?? FLOOR_MS);
  return {
    floorMs,
    capMs: Math.max(floorMs, options.capMs ?? CAP_MS),
    random: options.random ?? Math.random,
  };
}

/** The wait before attempt `attempt` (0 is the first one after a loss), in milliseconds. */
export function backoffDelay(attempt: number, { floorMs, capMs, random }: Backoff): number {
  const widest = capMs - floorMs;
  return Math.round(floorMs + random() * Math.min(widest, WINDOW_MS * 2 ** Math.min(attempt, 30)));
}

/** Counts attempts and waits between them. A wait ends early when somebody has a reason to hurry. */
export class Pacer {
  readonly #backoff: Backoff;
  readonly #waiting = new Set<() => void>();
  #attempt = 0;
  #nextIsFree = false;

  constructor(backoff: Backoff) {
    this.#backoff = backoff;
  }

  get waiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** The next wait, in milliseconds; taking it counts as an attempt. */
  nextDelay(atLeast = 0): number {
    const free = this.#nextIsFree;
    this.#nextIsFree = false;
    const attempt = Math.max(this.#attempt, atLeast);
    this.#attempt = attempt + 1;
    return free ? 0 : backoffDelay(attempt, this.#backoff);
  }

  /** Resolves after `delayMs`, or as soon as {@link hurry} or {@link release} is called. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, delayMs);
      this.#waiting.add(done);
    });
  }

  /** The last attempt proved useful: the next loss starts with the shortest window. */
  reset(): void {
    this.#attempt = 0;
  }

  /** The world changed (network, page, credentials): a fresh budget, and the next attempt at once. */
  hurry(): void {
    this.#attempt = 0;
    this.#nextIsFree = !this.waiting;
    this.release();
  }

  /** Ends every wait; nothing is left behind. */
  release(): void {
    for (const done of [...this.#waiting]) done();
  }
}
