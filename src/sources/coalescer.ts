/**
 * Coalescing by key: chatter waits until it has been quiet for a while, but never longer than the maximum wait, so that
 * steady chatter cannot starve a flush. No timer runs while nothing waits.
 */
export interface CoalescerOptions {
  readonly flush: (key: string) => void;
  /** Quiet time before a flush, in milliseconds. @defaultValue 150 */
  readonly quietMs?: number;
  /** Longest wait after the first mark, in milliseconds. @defaultValue 1_000 */
  readonly maxWaitMs?: number;
}

const QUIET_MS = 150;
const MAX_WAIT_MS = 1_000;

export class Coalescer {
  readonly #flush: (key: string) => void;
  readonly #quietMs: number;
  readonly #maxWaitMs: number;
  readonly #waiting = new Map<string, { timer: NodeJS.Timeout; readonly deadline: number }>();

  constructor({ flush, quietMs = QUIET_MS, maxWaitMs = MAX_WAIT_MS }: CoalescerOptions) {
    this.#flush = flush;
    this.#quietMs = quietMs;
    this.#maxWaitMs = maxWaitMs;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Marks the key: it is flushed once it has been quiet, or at the deadline. */
  mark(key: string): void {
    const now = performance.now();
    const waiting = this.#waiting.get(key);
    if (waiting) clearTimeout(waiting.timer);
    const deadline = waiting?.deadline ?? now + this.#maxWaitMs;
    const timer = setTimeout(() => this.flush(key), Math.max(0, Math.min(this.#quietMs, deadline - now)));
    this.#waiting.set(key, { timer, deadline });
  }

  /** Flushes the key now, if it waits. */
  flush(key: string): void {
    if (this.cancel(key)) this.#flush(key);
  }

  /** Forgets the key. @returns whether it waited. */
  cancel(key: string): boolean {
    const waiting = this.#waiting.get(key);
    if (!waiting) return false;
    clearTimeout(waiting.timer);
    return this.#waiting.delete(key);
  }

  /** Flushes everything that waits. */
  flushAll(): void {
    for (const key of [...this.#waiting.keys()]) this.flush(key);
  }

  clear(): void {
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }
}
