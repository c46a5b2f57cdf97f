/** Prunes while there is something to prune: a timer runs only as long as tombstones exist. */
const EVERY_MS = 60_000;

export interface PrunerOptions {
  /** How many tombstones there are. */
  readonly count: () => number;
  readonly prune: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

export class Pruner {
  readonly #options: PrunerOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: PrunerOptions) {
    this.#options = options;
  }

  /** Says that there may be a tombstone. */
  touch(): void {
    if (this.#timer || this.#stopped || this.#options.count() === 0) return;
    this.#timer = setTimeout(() => {
      this.#options
        .prune()
        .catch(this.#options.onError)
        .finally(() => {
          this.#timer = undefined;
          this.touch();
        });
    }, EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
