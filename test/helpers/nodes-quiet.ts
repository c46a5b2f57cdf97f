/** Journals of several nodes that say when nothing is on its way any more, on whichever engine. */
import { setImmediate as turn } from "node:timers/promises";
import type { Journal, JournalLog, JournalSink } from "../../src/journal/journal.ts";

/** So many looks in a row that find nothing on its way. */
const LOOKS = 3;
const TURNS = 20;

interface Following {
  readonly collection: string;
  readonly of: Journal;
  given: number;
}

export class Quiet {
  readonly #order: Journal;
  readonly #following = new Set<Following>();
  #underWay = 0;
  #asked = 0;

  /** @param order - Is asked how far the order has come. */
  constructor(order: Journal) {
    this.#order = order;
  }

  /** `inner`, looked at. */
  over(inner: Journal): Journal {
    return {
      ...inner,
      engine: inner.engine,
      durable: inner.durable,
      open: () => inner.open(),
      close: () => inner.close(),
      log: (collection) => this.#log(inner, collection),
    };
  }

  /** What this one was still to be given, it is not given any more. */
  forget(inner: Journal): void {
    for (const following of [...this.#following])
      if (following.of === inner) this.#following.delete(following);
  }

  /** Resolves when everybody was given everything, and nobody asks for anything. */
  async now(): Promise<void> {
    for (let quiet = 0; quiet < LOOKS; ) {
      const before = this.#asked;
      for (let turns = 0; turns < TURNS; turns += 1) await turn();
      for (const collection of new Set([...this.#following].map((following) => following.collection))) {
        const head = await this.#order.log(collection).head();
        while (this.#lags(collection, head)) await turn();
      }
      quiet = this.#underWay === 0 && this.#asked === before ? quiet + 1 : 0;
    }
  }

  #lags(collection: string, head: number): boolean {
    return [...this.#following].some((one) => one.collection === collection && one.given < head);
  }

  #log(inner: Journal, collection: string): JournalLog {
    const log = inner.log(collection);
    return {
      follow: async (sink) => {
        const following: Following = { collection, of: inner, given: -1 };
        this.#following.add(following);
        const { stop } = await log.follow(noting(sink, following));
        return {
          stop: () => {
            this.#following.delete(following);
            stop();
          },
        };
      },
      append: (append) => this.#ask(log.append(append)),
      head: () => log.head(),
      raiseFloor: (scope, floor) => this.#ask(log.raiseFloor(scope, floor)),
      dropFloor: (scope) => this.#ask(log.dropFloor(scope)),
      dropRecords: (records) => this.#ask(log.dropRecords(records)),
    };
  }

  async #ask<Answer>(asked: Promise<Answer>): Promise<Answer> {
    this.#asked += 1;
    this.#underWay += 1;
    try {
      return await asked;
    } finally {
      this.#underWay -= 1;
    }
  }
}

function noting(sink: JournalSink, following: Following): JournalSink {
  return {
    reset: (epoch) => {
      following.given = -1;
      sink.reset(epoch);
    },
    record: (record) => sink.record(record),
    floor: (scope, floor) => sink.floor(scope, floor),
    advance: (sequence) => {
      following.given = Math.max(following.given, sequence);
      sink.advance(sequence);
    },
    status: (fresh, reason) => sink.status(fresh, reason),
  };
}
