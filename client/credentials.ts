/** The token, read anew before every connection, so that a refreshed one is used without being asked for. */

/** A token, or how to get one. It travels in the first message of the connection, never in a url. */
export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

/** How long a token function may take, in milliseconds. */
const TOKEN_MS = 15_000;

export class Credentials {
  readonly #source: TokenSource | undefined;
  readonly #pending = new Set<(why: Error) => void>();
  #token: string | undefined;

  constructor(source: TokenSource | undefined) {
    this.#source = source;
  }

  /** False: there is nothing to send, and the server does not wait for it. */
  get given(): boolean {
    return this.#source !== undefined;
  }

  /** What the connection sends first: the token as it was read last. */
  get params(): Record<string, string> {
    return this.#token === undefined ? {} : { token: this.#token };
  }

  /**
   * Reads the token.
   * @returns Whether it differs from the one before.
   * @throws What the token function threw, or that it did not answer in time.
   */
  async read(): Promise<boolean> {
    const token = typeof this.#source === "function" ? await this.#ask(this.#source) : this.#source;
    if (token !== undefined && typeof token !== "string")
      throw new TypeError(`the token function must answer a string or undefined, not ${typeof token}`);
    const before = this.#token;
    this.#token = token;
    return token !== before;
  }

  /** Nobody waits for the token any more. */
  release(): void {
    for (const giveUp of [...this.#pending]) giveUp(new Error("the client was closed"));
  }

  /** tRPC would wait for ever for a promise that never settles. */
  async #ask(source: () => string | undefined | Promise<string | undefined>): Promise<string | undefined> {
    let giveUp = (_why: Error): void => {};
    const late = new Promise<never>((_, reject) => {
      giveUp = reject;
    });
    const timer = setTimeout(
      () => giveUp(new Error(`the token function did not answer in ${TOKEN_MS / 1000} s`)),
      TOKEN_MS,
    );
    this.#pending.add(giveUp);
    try {
      return await Promise.race([source(), late]);
    } finally {
      clearTimeout(timer);
      this.#pending.delete(giveUp);
    }
  }
}
