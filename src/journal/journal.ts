/**
 * journal: the order.
 *
 * In:       whole records, one append at a time per key.
 * Out:      the same records to every follower, in one ascending order per collection, with gaps.
 * Promise:  an append resolves only when the record is as durable as the engine says; what followers are given within
 *           one epoch is never undone, and a sequence that was given is never given to another record.
 * Not here: what a record means (collection), who hears of it (feed).
 *
 * Sequences of two collections never compare, even where an engine draws them from one counter.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface JournalRecord {
  readonly sequence: number;
  readonly key: string;
  /** A removal is a record too: what it means stands in the body. */
  readonly body: Json;
}

export interface JournalAppend {
  readonly key: string;
  readonly body: Json;
  /** The sequence of the key's newest record as the writer knows it; 0 = the key has no record. */
  readonly expect: number;
  /** Caller-made; the same id again within two minutes answers with the first sequence and stores nothing. */
  readonly messageId: string;
}

export interface JournalAck {
  /** Always > 0. */
  readonly sequence: number;
}

/** What a follower is given, synchronously and in order, one after the other. None of these may throw. */
export interface JournalSink {
  /** The epoch at the start of following, and again whenever the order was replaced: forget everything, a backlog follows. */
  reset(epoch: string): void;
  record(record: JournalRecord): void;
  /**
   * The floor of a scope rose (`null`: the one of all scopes that are not known any more). It is told no later than the
   * records that were appended after the deletion that it covers, and in a backlog no later than the first advance: who
   * was given such a record knows that something below it is gone.
   */
  floor(scope: string | null, floor: number): void;
  /** Every sequence up to here has been given, or is void. The first one after a reset says that the backlog is in. */
  advance(sequence: number): void;
  /** The engine went away or came back; what is known stays readable. */
  status(fresh: boolean, reason?: string): void;
}

/** One collection's order. */
export interface JournalLog {
  /**
   * Gives the backlog (the newest record per key at least, in order, and all floors), then everything that is
   * appended. Resolves when the backlog that existed at the call has been given.
   */
  follow(sink: JournalSink): Promise<JournalFollower>;
  /**
   * @throws {@link JournalConflict} when the key's newest record is another one: nothing was stored.
   * @throws {@link JournalUnavailable} when the engine cannot take it now; `inDoubt` when it may have been stored.
   */
  append(append: JournalAppend): Promise<JournalAck>;
  /** The highest sequence that any node was given or acknowledged; asked of the engine, not of this node. */
  head(): Promise<number>;
  /** Raises a floor, durably, before it resolves. Told to every follower, this one too. Lower values change nothing. */
  raiseFloor(scope: string | null, floor: number): Promise<void>;
  /**
   * Forgets the floor of a scope, if the one of absent scopes covers it (is not lower). Another node may have raised it
   * since the caller looked: then it stays.
   */
  dropFloor(scope: string): Promise<void>;
  /** Deletes records by exact sequence; a key that has a newer record keeps it. Never lowers the head. */
  dropRecords(records: ReadonlyArray<{ readonly key: string; readonly sequence: number }>): Promise<void>;
  /**
   * An append was told that the key has no record, and the caller was given one that nobody may have deleted. Looks
   * whether that is so; then this is not the order any more that was told, and another epoch begins. An engine whose
   * records nobody else can touch needs none.
   */
  missing?(key: string, sequence: number): Promise<void>;
}

export interface JournalFollower {
  stop(): void;
}

export interface Journal {
  /** For people: `memory`, ... */
  readonly engine: string;
  /** Whether acknowledged records survive the process. */
  readonly durable: boolean;
  /** Whether other processes follow and append too. @defaultValue false */
  readonly shared?: boolean;
  open(): Promise<void>;
  log(collection: string): JournalLog;
  close(): Promise<void>;
}

export class JournalConflict extends Error {
  override readonly name = "JournalConflict";
  /** The sequence of the key's newest record; 0 = it has none. */
  readonly actual: number;

  constructor(key: string, expected: number, actual: number) {
    super(`the newest record of ${key} is ${actual}, not ${expected}`);
    this.actual = actual;
  }
}

export class JournalUnavailable extends Error {
  override readonly name = "JournalUnavailable";
  /** True when the record may have been stored all the same. */
  readonly inDoubt: boolean;

  constructor(message: string, options: { inDoubt: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.inDoubt = options.inDoubt;
  }
}
