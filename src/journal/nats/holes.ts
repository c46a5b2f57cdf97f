/** Reads what did not come live, one after the other from any replica that answers, else from the leader, until there is no hole below what is known. */
import { setTimeout as delay } from "node:timers/promises";
import type { StreamMessage } from "./api.ts";
import type { Order } from "./order.ts";

export interface HolesOptions {
  readonly order: Order;
  readonly next: (sequence: number) => Promise<StreamMessage | undefined>;
  /** A place above everything that was acknowledged before. */
  readonly mark: () => Promise<number>;
  /** The highest sequence that the engine said exists. */
  readonly known: () => number;
  /** Something was read: what can be given may be given. */
  readonly onFilled: () => void;
  readonly onGivenUp: (why: string) => void;
}

/** Without a step forward for so long, everything is read again, in milliseconds. */
const STALLED_MS = 5_000;
const AGAIN_MS = 50;
/** More than this at once is read faster as a backlog. */
const MAX_VOIDS = 10_000;
/** How often what was replaced may be replaced again while it is read. */
const MAX_ROUNDS = 8;

export class Holes {
  readonly #options: HolesOptions;
  #running = false;
  #stopped = false;

  constructor(options: HolesOptions) {
    this.#options = options;
  }

  /** Begins, unless it is at it. */
  fill(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    void this.#fill()
      .catch((error: unknown) => this.giveUp(String(error)))
      .finally(() => {
        this.#running = false;
      });
  }

  giveUp(why: string): void {
    if (!this.#stopped) this.#options.onGivenUp(why);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #fill(): Promise<void> {
    const { order, next, mark, known, onFilled } = this.#options;
    let progress = performance.now();
    let at = order.missing;
    let rounds = 0;
    /** A void was found after the last mark. */
    let unmarked = false;
    let gate = 0;
    while (!this.#stopped) {
      const { missing } = order;
      if (missing > at) progress = performance.now();
      at = missing;
      if (performance.now() - progress > STALLED_MS) return this.giveUp("no replica has it");
      const until = Math.max(known(), order.highest, gate);
      try {
        if (missing > until) {
          if (!unmarked) return;
          rounds += 1;
          if (rounds > MAX_ROUNDS) return this.giveUp("it is replaced faster than it is read");
          gate = await mark();
          unmarked = false;
          order.gateAt(gate);
          onFilled();
          continue;
        }
        const found = await next(missing);
        if (this.#stopped || order.missing !== missing) continue; // it came by itself
        if (!found) {
          await delay(AGAIN_MS);
          continue;
        }
        if (found.sequence - missing > MAX_VOIDS) return this.giveUp("too much was missed");
        if (found.sequence > missing) {
          order.voids(missing, found.sequence - 1);
          unmarked = true;
        }
        order.put(found);
        onFilled();
      } catch {
        await delay(AGAIN_MS);
        progress = performance.now(); // the engine is away: to begin anew would be no better
      }
    }
  }
}
