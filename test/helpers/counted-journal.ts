/**
 * A journal whose sequences count from 1 in each collection: the same order under other names, for tests that write
 * down which sequence a commit has. Where collections share one counter, and the engine takes sequences for itself, a
 * commit is the n-th of its collection all the same.
 */
import {
  type Journal,
  JournalConflict,
  type JournalFollower,
  type JournalLog,
  type JournalSink,
} from "../../src/journal/journal.ts";

export function counted(journal: Journal): Journal {
  const logs = new Map<string, JournalLog>();
  return {
    ...journal,
    log: (name) => {
      let log = logs.get(name);
      if (!log) {
        log = countedLog(journal.log(name));
        logs.set(name, log);
      }
      return log;
    },
  };
}

function countedLog(log: JournalLog): JournalLog {
  const numbers = new Numbers();
  let following: Promise<JournalFollower> | undefined;
  /** Follows before anybody else does, so that what others are given has its number. */
  const ready = async (): Promise<void> => {
    following ??= log.follow(numbers.sink);
    await following;
  };
  return {
    follow: async (sink) => {
      await ready();
      return log.follow({
        reset: (epoch) => sink.reset(epoch),
        record: (record) => sink.record({ ...record, sequence: numbers.of(record.sequence) }),
        floor: (scope, floor) => sink.floor(scope, numbers.of(floor)),
        advance: (sequence) => sink.advance(numbers.of(sequence)),
        status: (fresh, reason) => sink.status(fresh, reason),
      });
    },
    append: async (append) => {
      await ready();
      try {
        const { sequence } = await log.append({ ...append, expect: numbers.sequence(append.expect) });
        await numbers.reached(sequence);
        return { sequence: numbers.of(sequence) };
      } catch (error) {
        if (!(error instanceof JournalConflict)) throw error;
        await numbers.reached(error.actual);
        throw new JournalConflict(append.key, append.expect, numbers.of(error.actual));
      }
    },
    head: async () => {
      await ready();
      const head = await log.head();
      await numbers.reached(head);
      return numbers.of(head);
    },
    raiseFloor: async (scope, floor) => {
      await ready();
      await log.raiseFloor(scope, numbers.sequence(floor));
    },
    dropFloor: (scope) => log.dropFloor(scope),
    dropRecords: (records) =>
      log.dropRecords(records.map(({ key, sequence }) => ({ key, sequence: numbers.sequence(sequence) }))),
  };
}

/** What each sequence of the engine is called. */
class Numbers {
  /** By number; nothing has the number 0. */
  readonly #sequences = [0];
  #head = 0;
  #waiting: { readonly sequence: number; readonly resolve: () => void }[] = [];

  readonly sink: JournalSink = {
    reset: () => undefined, // one epoch only: another order has numbers of its own
    record: ({ sequence }) => {
      if (sequence > (this.#sequences.at(-1) ?? 0)) this.#sequences.push(sequence);
    },
    floor: () => undefined,
    advance: (sequence) => {
      this.#head = Math.max(this.#head, sequence);
      const waiting = this.#waiting;
      this.#waiting = waiting.filter((waiter) => waiter.sequence > this.#head);
      for (const waiter of waiting) if (waiter.sequence <= this.#head) waiter.resolve();
    },
    status: () => undefined,
  };

  /** The number of the newest record at or below a sequence. */
  of(sequence: number): number {
    return this.#sequences.findLastIndex((known) => known <= sequence);
  }

  sequence(number: number): number {
    const last = this.#sequences.length - 1;
    return this.#sequences[number] ?? (this.#sequences[last] ?? 0) + number - last;
  }

  /** Resolves when every record up to there has its number. */
  reached(sequence: number): Promise<void> {
    if (this.#head >= sequence) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ sequence, resolve }));
  }
}
