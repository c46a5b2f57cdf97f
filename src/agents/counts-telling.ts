/** The counts of a device change with every message; they are told together, a moment after the first change. */
export interface CountsTellingOptions {
  /** Milliseconds. */
  readonly afterMs: number;
  /** Must not reject. */
  readonly tell: (deviceId: string) => Promise<void>;
}

export class CountsTelling {
  readonly #options: CountsTellingOptions;
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: CountsTellingOptions) {
    this.#options = options;
  }

  touch(deviceId: string): void {
    if (this.#closed) return;
    this.#changed.add(deviceId);
    this.#timer ??= setTimeout(() => this.#tell(), this.#options.afterMs).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#changed.clear();
  }

  #tell(): void {
    this.#timer = undefined;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const deviceId of changed) void this.#options.tell(deviceId);
  }
}
