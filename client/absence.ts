/** Notices when something has been away for too long. One timer, only while it is away. */
export class Absence {
  readonly #limitMs: number;
  readonly #onTooLong: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tooLong = false;

  constructor(limitMs: number, onTooLong: () => void) {
    this.#limitMs = limitMs;
    this.#onTooLong = onTooLong;
  }

  get tooLong(): boolean {
    return this.#tooLong;
  }

  begin(): void {
    if (this.#timer !== undefined || this.#tooLong) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#tooLong = true;
      this.#onTooLong();
    }, this.#limitMs);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#tooLong = false;
  }
}
