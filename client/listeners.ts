/** Who wants to be called. One that throws harms nobody; one that leaves while being called is not called any more. */
export class Listeners {
  readonly #warn: (message: string, cause?: unknown) => void;
  readonly #entries = new Set<{ readonly listener: () => void }>();

  constructor(warn: (message: string, cause?: unknown) => void) {
    this.#warn = warn;
  }

  /** The same function may be added twice, and each addition is taken back by its own return value. */
  add(listener: () => void): () => void {
    const entry = { listener };
    this.#entries.add(entry);
    return () => {
      this.#entries.delete(entry);
    };
  }

  call(): void {
    for (const entry of [...this.#entries]) {
      if (!this.#entries.has(entry)) continue;
      try {
        entry.listener();
      } catch (error) {
        this.#warn("a listener threw", error);
      }
    }
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** Where warnings go when nobody takes them: a bug in a listener must not vanish. */
export function warnOnConsole(message: string, cause?: unknown): void {
  console.error(`snapwire: ${message}`, ...(cause === undefined ? [] : [cause]));
}
