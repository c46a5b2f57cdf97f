/**
 * An embedded journal that can be closed, or killed, and opened again under those who use it: what they ask for waits
 * meanwhile, and then they follow again from the start.
 *
 * Whoever follows first is the witness: it is not made to forget, and what is found at each new start is compared with
 * what it was given before.
 */
import { expect } from "vitest";
import { createEmbeddedJournal, type EmbeddedJournal } from "../../src/journal/embedded/embedded.ts";
import type {
  Journal,
  JournalFollower,
  JournalLog,
  JournalRecord,
  JournalSink,
} from "../../src/journal/journal.ts";
import { type DataFolder, dataFolder, savedFiles } from "./embedded-folder.ts";

interface Following {
  readonly collection: string;
  readonly sink: JournalSink;
  inner: JournalFollower | undefined;
}

export class RestartingJournal implements Journal, AsyncDisposable {
  readonly engine = "embedded, restarting";
  readonly durable = true;
  readonly #folder: DataFolder = dataFolder();
  readonly #inner: EmbeddedJournal = createEmbeddedJournal({
    folder: this.#folder.path,
    durability: "process",
  });
  readonly #following = new Set<Following>();
  #restart: Promise<void> | undefined;
  #hasWitness = false;
  readonly #underWay = new Set<Promise<unknown>>();
  restarts = 0;

  open(): Promise<void> {
    return this.#inner.open();
  }

  log(collection: string): JournalLog {
    const log = async (): Promise<JournalLog> => {
      while (this.#restart) await this.#restart;
      return this.#inner.log(collection);
    };
    return {
      follow: async (sink) => {
        const kept = this.#hasWitness ? sink : remembering(sink);
        this.#hasWitness = true;
        const following: Following = { collection, sink: kept, inner: undefined };
        following.inner = await this.#do(log(), (inner) => inner.follow(kept));
        this.#following.add(following);
        return {
          stop: () => {
            this.#following.delete(following);
            following.inner?.stop();
          },
        };
      },
      append: (append) => this.#do(log(), (inner) => inner.append(append)),
      head: () => this.#do(log(), (inner) => inner.head()),
      raiseFloor: (scope, floor) => this.#do(log(), (inner) => inner.raiseFloor(scope, floor)),
      dropFloor: (scope) => this.#do(log(), (inner) => inner.dropFloor(scope)),
      dropRecords: (records) => this.#do(log(), (inner) => inner.dropRecords(records)),
    };
  }

  async #do<Answer>(log: Promise<JournalLog>, ask: (log: JournalLog) => Promise<Answer>): Promise<Answer> {
    const answer = log.then(ask);
    this.#underWay.add(answer);
    try {
      return await answer;
    } finally {
      this.#underWay.delete(answer);
    }
  }

  /** Resolves when everything that was asked for by now is answered. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** In turn: in order, and as a process is killed when nothing is under way. */
  restart(): Promise<void> {
    this.#restart = this.#again(this.restarts % 2 === 0).finally(() => {
      this.#restart = undefined;
    });
    this.restarts += 1;
    return this.#restart;
  }

  async #again(isKilled: boolean): Promise<void> {
    await this.#inner.log("snapshots").raiseFloor("nothing", 0); // after everything that was asked for
    const asKilled = isKilled ? savedFiles(this.#folder.path) : undefined;
    await this.#inner.close();
    asKilled?.putBack();
    await this.#inner.open();
    for (const following of this.#following)
      following.inner = await this.#inner.log(following.collection).follow(following.sink);
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner.close();
    this.#folder[Symbol.dispose]();
  }
}

function remembering(sink: JournalSink): JournalSink {
  const newest = new Map<string, JournalRecord>();
  let epoch: string | undefined;
  let head = 0;
  let found: Set<string> | undefined;
  return {
    reset: (name) => {
      if (epoch === undefined) sink.reset(name);
      else {
        expect(name, "R19 the same epoch").toBe(epoch);
        found = new Set();
      }
      epoch = name;
    },
    record: (record) => {
      if (found) {
        expect(record, "P7 what was told is found").toEqual(newest.get(record.key));
        found.add(record.key);
        return;
      }
      newest.set(record.key, record);
      head = record.sequence;
      sink.record(record);
    },
    floor: (scope, floor) => sink.floor(scope, floor),
    advance: (sequence) => {
      expect(sequence, "R5 the head is never lowered").toBeGreaterThanOrEqual(head);
      if (found) {
        // The others were dropped, as tombstones are in time.
        for (const key of newest.keys()) if (!found.has(key)) newest.delete(key);
        found = undefined;
      }
      head = sequence;
      sink.advance(sequence);
    },
    status: (fresh, reason) => sink.status(fresh, reason),
  };
}
