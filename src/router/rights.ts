/** Rights of live subscriptions, looked at again while they live: one timer for all, none when there are none. */
import type { Logger } from "../log.ts";

export interface RightsSweepOptions {
  /** Milliseconds. @defaultValue 60_000 */
  readonly everyMs?: number;
  readonly logger?: Logger;
}

interface Watched {
  /** False: revoked. Throws: not known at the moment, the subscription goes on. */
  readonly allowed: () => Promise<boolean>;
  readonly revoke: () => void;
}

const EVERY_MS = 60_000;

export class RightsSweep {
  readonly #everyMs: number;
  readonly #logger: Logger | undefined;
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ everyMs = EVERY_MS, logger }: RightsSweepOptions) {
    this.#everyMs = everyMs;
    this.#logger = logger;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** @returns how to stop watching. */
  watch(watched: Watched): () => void {
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => void this.sweep(), this.#everyMs).unref();
    return () => {
      this.#watched.delete(watched);
      if (this.#watched.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** Looks at every watched subscription now. */
  async sweep(): Promise<void> {
    await Promise.all(
      [...this.#watched].map(async (watched) => {
        try {
          if (!(await watched.allowed())) watched.revoke();
        } catch (error) {
          this.#logger?.warn({ error }, "the rights of a subscription could not be looked at; it goes on");
        }
      }),
    );
  }
}
