/**
 * What rides on a record says something else than the record does, and is newer: it is committed, and tried again for as
 * long as the journal cannot take it. Nobody waits for it.
 */

const AGAIN_MS = 1_000;

export interface SettlingOptions {
  /** Folds and commits what rides on a key, if it still differs. */
  readonly settle: (key: string) => Promise<void>;
  /** Once, until all of them are settled. */
  readonly onFailed: (key: string, error: unknown) => void;
}

export class Settling {
  readonly #options: SettlingOptions;
  /** Those that failed; no more than there are keys on which something rides. */
  readonly #failed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  async settle(key: string): Promise<void> {
    try {
      await this.#options.settle(key);
    } catch (error) {
      if (this.#closed) return;
      if (this.#failed.size === 0) this.#options.onFailed(key, error);
      this.#failed.add(key);
      this.#later();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#failed.clear();
  }

  #later(): void {
    this.#timer ??= setTimeout(() => void this.#again(), AGAIN_MS).unref();
  }

  async #again(): Promise<void> {
    const tried = [...this.#failed].map(async (key) => {
      await this.#options.settle(key);
      this.#failed.delete(key);
    });
    await Promise.allSettled(tried);
    this.#timer = undefined;
    if (!this.#closed && this.#failed.size > 0) this.#later();
  }
}
