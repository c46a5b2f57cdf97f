/**
 * Events that speak of a commit. They are stored with the commit and told after it; each has an id from before the
 * commit, so telling one again tells nobody twice. What a crash left untold is told at the next start.
 */
import type { Logger } from "./log.ts";
import type { PublishableEvent } from "./protocol/envelope.ts";

/** An event as it is stored with its commit: it has an id. */
export type StoredEvent = PublishableEvent & { readonly id: string };

/** Told again at a start when its commit is no older than this. */
const RETOLD_FOR_MS = 600_000;

export interface OutboxOptions {
  readonly publish: ((event: PublishableEvent) => unknown) | undefined;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class Outbox {
  readonly #options: OutboxOptions;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Tells them, in order. One that cannot be told now is told at the next start: the commit stands. */
  async tell(events: readonly StoredEvent[]): Promise<void> {
    const { publish, logger } = this.#options;
    const told = events.map(async (event) => {
      try {
        await publish?.(event);
      } catch (error) {
        logger.error(
          { type: event.type, id: event.id, error },
          "a change was stored, and its event was not told",
        );
      }
    });
    await Promise.all(told);
  }

  /** @param commits - Newest commits, with their times in milliseconds since 1970. */
  async retell(
    commits: Iterable<{ readonly at: number; readonly events: readonly StoredEvent[] }>,
  ): Promise<void> {
    const since = this.#options.now() - RETOLD_FOR_MS;
    for (const { at, events } of commits) if (at >= since) await this.tell(events);
  }
}
