/** Those who wait until the collection has applied a sequence. */
interface Waiter {
  readonly sequence: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Waiters {
  #waiting: Waiter[] = [];
  #closedBecause: Error | undefined;

  get size(): number {
    return this.#waiting.length;
  }

  /** Resolves when {@link reach} was called with `sequence` or more; rejects when the order is replaced, or on abort. */
  wait(sequence: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter);
        reject(signal?.reason instanceof Error ? signal.reason : new Error("aborted"));
      };
      const waiter: Waiter = {
        sequence,
        resolve: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      if (this.#closedBecause) return reject(this.#closedBecause);
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  reach(sequence: number): void {
    if (this.#waiting.length === 0) return;
    const reached = this.#waiting.filter((waiter) => waiter.sequence <= sequence);
    if (reached.length === 0) return;
    this.#waiting = this.#waiting.filter((waiter) => waiter.sequence > sequence);
    for (const waiter of reached) waiter.resolve();
  }

  rejectAll(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.reject(error);
  }

  /** Rejects those who wait, and whoever comes later. */
  close(error: Error): void {
    this.#closedBecause = error;
    this.rejectAll(error);
  }
}
