/** Frames that come when the test says so. */
export class FakeFrames {
  readonly #pending = new Set<() => void>();

  readonly schedule = (flush: () => void): (() => void) => {
    this.#pending.add(flush);
    return () => this.#pending.delete(flush);
  };

  get pending(): number {
    return this.#pending.size;
  }

  /** @returns Whether anything was waiting for it. */
  next(): boolean {
    const flushes = [...this.#pending];
    this.#pending.clear();
    for (const flush of flushes) flush();
    return flushes.length > 0;
  }
}
