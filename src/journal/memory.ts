/**
 * The memory engine: for tests, and for hosts that keep their own truth. Nothing survives the process, so each journal
 * is a new epoch; one that is opened again after `close` still has its records. It keeps the newest record per key, like every engine, and gives followers each commit in the turn of
 * its append.
 */
import { randomUUID } from "node:crypto";
import {
  type Journal,
  type JournalAck,
  type JournalAppend,
  JournalConflict,
  type JournalFollower,
  type JournalLog,
  type JournalRecord,
  type JournalSink,
  JournalUnavailable,
} from "./journal.ts";

export interface MemoryJournalOptions {
  /** Names this life of the order. @defaultValue a random id */
  readonly epoch?: string;
  /** How far the next sequence lies above the last, at least 1: other engines leave gaps. @defaultValue always 1 */
  readonly step?: () => number;
}

/** How many message ids are remembered for de-duplication, per collection. */
const REMEMBERED_IDS = 4096;

export function createMemoryJournal(options: MemoryJournalOptions = {}): Journal {
  const epoch = options.epoch ?? randomUUID();
  const step = options.step ?? (() => 1);
  const logs = new Map<string, MemoryLog>();
  let closed = true;
  return {
    engine: "memory",
    durable: false,
    open: async () => {
      closed = false;
    },
    log: (collection) => {
      const known = logs.get(collection);
      if (known) return known;
      const log = new MemoryLog(epoch, step, () => closed);
      logs.set(collection, log);
      return log;
    },
    close: async () => {
      closed = true;
    },
  };
}

class MemoryLog implements JournalLog {
  readonly #epoch: string;
  readonly #step: () => number;
  readonly #closed: () => boolean;
  /** In order of sequence: a key that is written again moves to the end. */
  readonly #records = new Map<string, JournalRecord>();
  readonly #floors = new Map<string | null, number>();
  readonly #sequenceOfId = new Map<string, number>();
  readonly #sinks = new Set<JournalSink>();
  /** What is still to be given; a follower may append while it is given something. */
  readonly #toGive: { readonly sinks: readonly JournalSink[]; readonly give: (sink: JournalSink) => void }[] =
    [];
  #giving = false;
  #head = 0;

  constructor(epoch: string, step: () => number, closed: () => boolean) {
    this.#epoch = epoch;
    this.#step = step;
    this.#closed = closed;
  }

  async follow(sink: JournalSink): Promise<JournalFollower> {
    sink.reset(this.#epoch);
    for (const [scope, floor] of this.#floors) sink.floor(scope, floor);
    for (const record of this.#records.values()) sink.record(record);
    sink.advance(this.#head);
    this.#sinks.add(sink);
    return { stop: () => void this.#sinks.delete(sink) };
  }

  async append(append: JournalAppend): Promise<JournalAck> {
    if (this.#closed()) throw new JournalUnavailable("the journal is closed", { inDoubt: false });
    const stored = this.#sequenceOfId.get(append.messageId);
    if (stored !== undefined) return { sequence: stored };
    const actual = this.#records.get(append.key)?.sequence ?? 0;
    if (actual !== append.expect) throw new JournalConflict(append.key, append.expect, actual);

    const sequence = this.#head + Math.max(1, this.#step());
    const record: JournalRecord = { sequence, key: append.key, body: append.body };
    this.#head = sequence;
    this.#records.delete(append.key);
    this.#records.set(append.key, record);
    this.#remember(append.messageId, sequence);
    this.#give((sink) => {
      sink.record(record);
      sink.advance(sequence);
    });
    return { sequence };
  }

  async head(): Promise<number> {
    return this.#head;
  }

  async raiseFloor(scope: string | null, floor: number): Promise<void> {
    if (floor <= (this.#floors.get(scope) ?? 0)) return;
    this.#floors.set(scope, floor);
    this.#give((sink) => sink.floor(scope, floor));
  }

  async dropFloor(scope: string): Promise<void> {
    if ((this.#floors.get(scope) ?? 0) <= (this.#floors.get(null) ?? 0)) this.#floors.delete(scope);
  }

  async dropRecords(
    records: ReadonlyArray<{ readonly key: string; readonly sequence: number }>,
  ): Promise<void> {
    for (const { key, sequence } of records) {
      if (this.#records.get(key)?.sequence === sequence) this.#records.delete(key);
    }
  }

  /** To those who follow now, in one order for all: what a follower causes is given to everybody after this. */
  #give(give: (sink: JournalSink) => void): void {
    this.#toGive.push({ sinks: [...this.#sinks], give });
    if (this.#giving) return;
    this.#giving = true;
    try {
      for (let next = this.#toGive.shift(); next; next = this.#toGive.shift()) {
        for (const sink of next.sinks) if (this.#sinks.has(sink)) next.give(sink);
      }
    } finally {
      this.#giving = false;
    }
  }

  #remember(messageId: string, sequence: number): void {
    this.#sequenceOfId.set(messageId, sequence);
    if (this.#sequenceOfId.size <= REMEMBERED_IDS) return;
    const [oldest] = this.#sequenceOfId.keys();
    if (oldest !== undefined) this.#sequenceOfId.delete(oldest);
  }
}
