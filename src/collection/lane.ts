/**
 * A lane per key: one append in flight, later operations wait and fold in order into the next.
 *
 * Need: two writers of one key must not lose a field of each other, on one node or on several. Obvious answer: lock the
 * key around read, fold, append. It fails when the answer to the append is lost: nobody knows what to unlock. So the
 * lane compares and sets: a lost comparison re-reads and folds the *same operations* again, an unknown outcome is asked
 * for again with the same message id, then folded again. What the operations did is computed at the commit that holds.
 * Nothing that an order said counts once another order has taken its place.
 */
import { randomUUID } from "node:crypto";
import {
  type JournalAck,
  type JournalAppend,
  JournalConflict,
  JournalUnavailable,
  type Json,
} from "../journal/journal.ts";
import { SnapwireError } from "../protocol/errors.ts";

/** What one fold says: the record to commit, if anything changed, and what each operation came to. */
export interface Folded<Outcome> {
  /** The body to append; `undefined` when the fold ended equal and nothing is to be committed. */
  readonly commit: Json | undefined;
  /** One per operation, in order. */
  readonly outcomes: ReadonlyArray<{ readonly value: Outcome } | { readonly error: unknown }>;
}

export interface LaneHost<Op, Outcome, Result> {
  /** Names the order that is followed; another one means that nothing said about the one before still counts. */
  epoch(): string;
  /** False while the backlog is not in: nothing can be folded over a part of it. */
  loaded(): boolean;
  /** The sequence of the key's newest applied record; 0 = none. */
  sequenceOf(key: string): number;
  /** Whether the key's newest applied record is the one that this body became. */
  holds(key: string, body: Json): boolean;
  /** The engine has no record of the key any more: this one, if it is a removal, was pruned elsewhere. */
  forget(key: string, sequence: number): void;
  /** It is no removal, and the engine has no record of the key all the same. */
  missing?(key: string, sequence: number): Promise<void>;
  /** Folds over the newest applied record. Called again, with the same operations, after a lost comparison. */
  fold(key: string, operations: readonly Op[]): Folded<Outcome>;
  append(append: JournalAppend): Promise<JournalAck>;
  /** The highest sequence that any node knows. */
  head(): Promise<number>;
  /** Resolves when the sequence is applied; rejects with {@link OrderReplaced} when the order was replaced meanwhile. */
  applied(sequence: number): Promise<void>;
  /** The answer for one operation; `sequence` is the commit's, or the present one's when nothing was committed. */
  result(key: string, outcome: Outcome, sequence: number): Result;
}

/** The order was replaced while an append waited: what it stored may be gone. */
export class OrderReplaced extends Error {
  override readonly name = "OrderReplaced";
}

type Waiting<Op, Result> =
  | {
      readonly kind: "write";
      readonly operation: Op;
      readonly resolve: (result: Result) => void;
      readonly reject: (error: unknown) => void;
    }
  /** Without an operation. */
  | { readonly kind: "settle"; readonly resolve: () => void; readonly reject: (error: unknown) => void };

/** What one append came to. */
type Appended =
  /** Committed, and applied here. */
  | { readonly kind: "committed"; readonly sequence: number }
  /** Another record was newer, or the order was replaced: fold again. */
  | { readonly kind: "again" }
  /** It may have been stored, however often it was asked for. */
  | { readonly kind: "unknown"; readonly error: unknown };

const AGAIN: Appended = { kind: "again" };
/** Several nodes that write one key without a pause lose many comparisons in a row. */
const MAX_FOLDS = 64;
const MAX_UNKNOWN = 2;
const MAX_RETRIES = 3;
const RETRY_MS = 50;
/** An unknown outcome is asked for again for this long, in milliseconds: an engine that waits by itself takes its time. */
const DOUBT_MS = 10_000;

export class Lanes<Op, Outcome, Result> {
  readonly #host: LaneHost<Op, Outcome, Result>;
  readonly #waiting = new Map<string, Waiting<Op, Result>[]>();
  readonly #running = new Set<Promise<void>>();

  constructor(host: LaneHost<Op, Outcome, Result>) {
    this.#host = host;
  }

  /** Folds, commits, and answers when this node has applied the commit. An idle lane begins in this very turn. */
  write(key: string, operation: Op): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#enter(key, { kind: "write", operation, resolve, reject }, () => this.#run(key));
    });
  }

  /**
   * Folds again without an operation: what was accepted earlier is not what is committed now. An idle lane begins after
   * this turn, since the record that says so is being applied.
   */
  settle(key: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#enter(key, { kind: "settle", resolve, reject }, () =>
        Promise.resolve().then(() => this.#run(key)),
      );
    });
  }

  #enter(key: string, one: Waiting<Op, Result>, begin: () => Promise<void>): void {
    const waiting = this.#waiting.get(key);
    if (waiting) return void waiting.push(one);
    this.#waiting.set(key, [one]);
    const run = begin().finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Resolves when no write is in flight or waiting. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(key: string): Promise<void> {
    for (;;) {
      const batch = this.#waiting.get(key);
      if (!batch || batch.length === 0) {
        this.#waiting.delete(key);
        return;
      }
      this.#waiting.set(key, []);
      try {
        await this.#commit(key, batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  async #commit(key: string, batch: readonly Waiting<Op, Result>[]): Promise<void> {
    const operations = batch.flatMap((one) => (one.kind === "write" ? [one.operation] : []));
    let unknown = 0;
    const begun = performance.now();
    let inDoubt: Folded<Outcome> | undefined;
    for (let folds = 0; folds < MAX_FOLDS; folds += 1) {
      if (!this.#host.loaded()) await this.#load();
      if (inDoubt?.commit !== undefined && this.#host.holds(key, inDoubt.commit)) {
        this.#answer(key, batch, inDoubt, this.#host.sequenceOf(key));
        return;
      }
      const folded = this.#host.fold(key, operations);
      if (folded.commit === undefined) {
        this.#answer(key, batch, folded, this.#host.sequenceOf(key));
        return;
      }
      const expect = this.#host.sequenceOf(key);
      const appended = await this.#append(key, folded.commit, expect, inDoubt !== undefined);
      switch (appended.kind) {
        case "committed":
          this.#answer(key, batch, folded, appended.sequence);
          return;
        case "again":
          break;
        case "unknown":
          unknown += 1;
          if (unknown === MAX_UNKNOWN || performance.now() - begun > DOUBT_MS)
            throw outcomeUnknown(key, appended.error);
          inDoubt = folded;
      }
    }
    throw new SnapwireError(
      "conflict",
      `${key} kept changing: ${MAX_FOLDS} attempts to write it lost. Try again.`,
    );
  }

  #answer(
    key: string,
    batch: readonly Waiting<Op, Result>[],
    { outcomes }: Folded<Outcome>,
    sequence: number,
  ): void {
    let answered = 0;
    for (const one of batch) {
      if (one.kind === "settle") {
        one.resolve();
        continue;
      }
      const outcome = outcomes[answered++];
      if (outcome && "value" in outcome) one.resolve(this.#host.result(key, outcome.value, sequence));
      else one.reject(outcome?.error ?? new Error("a fold answers each operation"));
    }
  }

  async #load(): Promise<void> {
    while (!this.#host.loaded()) {
      try {
        await this.#host.applied(0);
      } catch (error) {
        if (!(error instanceof OrderReplaced)) throw error;
      }
    }
  }

  /** @param inDoubt - An earlier append of the same operations may have been stored. */
  async #append(key: string, body: Json, expect: number, inDoubt: boolean): Promise<Appended> {
    const messageId = randomUUID();
    const epoch = this.#host.epoch();
    const begun = performance.now();
    for (let retries = 0; ; retries += 1) {
      let error: unknown;
      try {
        const { sequence } = await this.#host.append({ key, body, expect, messageId });
        return this.#host.epoch() === epoch ? await this.#seen(key, sequence) : AGAIN;
      } catch (thrown) {
        error = thrown;
      }
      if (this.#host.epoch() !== epoch) return AGAIN; // what the old order answered says nothing about this one
      if (error instanceof JournalConflict) {
        await this.#lost(key, expect, error.actual, epoch);
        // An id is not remembered for ever: what was newer may be what an earlier attempt of this very append stored.
        return retries > 0 && this.#host.holds(key, body)
          ? { kind: "committed", sequence: this.#host.sequenceOf(key) }
          : AGAIN;
      }
      if (!(error instanceof JournalUnavailable)) throw error;
      if (!error.inDoubt) throw inDoubt || retries > 0 ? outcomeUnknown(key, error) : notWritten(key, error);
      if (retries === MAX_RETRIES || performance.now() - begun > DOUBT_MS) return { kind: "unknown", error };
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * 2 ** retries));
      if (this.#host.epoch() !== epoch) return AGAIN;
    }
  }

  /** Committed: waits until it is applied here. */
  async #seen(key: string, sequence: number): Promise<Appended> {
    try {
      await this.#host.applied(sequence);
      return { kind: "committed", sequence };
    } catch (error) {
      if (error instanceof OrderReplaced) return AGAIN;
      throw outcomeUnknown(key, error);
    }
  }

  /** The comparison was lost: waits until what was newer is applied here too. */
  async #lost(key: string, expected: number, actual: number, epoch: string): Promise<void> {
    try {
      if (actual > 0) return await this.#host.applied(actual);
      // No record at all: a removal was pruned, perhaps one that this node has yet to see.
      const head = await this.#host.head();
      if (this.#host.epoch() === epoch) await this.#host.applied(head);
      if (this.#host.epoch() !== epoch) return;
      this.#host.forget(key, expected);
      if (expected > 0 && this.#host.sequenceOf(key) === expected) await this.#host.missing?.(key, expected);
    } catch (error) {
      if (error instanceof OrderReplaced) return;
      throw error instanceof JournalUnavailable ? notWritten(key, error) : error;
    }
  }
}

function notWritten(key: string, cause: JournalUnavailable): SnapwireError {
  return new SnapwireError("unavailable", `${key} was not written: ${cause.message}`, { cause });
}

function outcomeUnknown(key: string, cause: unknown): SnapwireError {
  const because = cause instanceof Error ? cause.message : String(cause);
  return new SnapwireError("outcome-unknown", `whether ${key} was written is not known: ${because}`, {
    cause,
  });
}
