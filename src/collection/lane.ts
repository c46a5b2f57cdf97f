/**
 * A lane per key: one append in flight, later operations wait and fold in order into the next.
 *
 * Need: two writers of one key must not lose a field of each other, on one node or on several. Obvious answer: lock the
 * key around read, fold, append. It fails when the answer to the append is lost: nobody knows what to unlock. So the
 * lane compares and sets: a lost comparison re-reads and folds the *same operations* again, an unknown outcome is asked
 * for again with the same message id, then folded again. What the operations did is computed at the commit that holds.
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
  /** The sequence of the key's newest applied record; 0 = none. */
  sequenceOf(key: string): number;
  /** Folds over the newest applied record. Called again, with the same operations, after a lost comparison. */
  fold(key: string, operations: readonly Op[]): Folded<Outcome>;
  append(append: JournalAppend): Promise<JournalAck>;
  /** Resolves when the sequence is applied; rejects with {@link OrderReplaced} when the order was replaced meanwhile. */
  applied(sequence: number): Promise<void>;
  /** The answer for one operation; `sequence` is the commit's, or the present one's when nothing was committed. */
  result(key: string, outcome: Outcome, sequence: number): Result;
}

/** The order was replaced while an append waited: what it stored may be gone. */
export class OrderReplaced extends Error {
  override readonly name = "OrderReplaced";
}

interface Waiting<Op, Result> {
  readonly operation: Op;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_FOLDS = 16;
const MAX_RETRIES = 3;
const RETRY_MS = 50;

export class Lanes<Op, Outcome, Result> {
  readonly #host: LaneHost<Op, Outcome, Result>;
  readonly #waiting = new Map<string, Waiting<Op, Result>[]>();
  readonly #running = new Set<Promise<void>>();

  constructor(host: LaneHost<Op, Outcome, Result>) {
    this.#host = host;
  }

  /** Folds, commits, and answers when this node has applied the commit. Idle lanes begin in this very turn. */
  write(key: string, operation: Op): Promise<Result> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(key);
      if (waiting) {
        waiting.push({ operation, resolve, reject });
        return;
      }
      this.#waiting.set(key, [{ operation, resolve, reject }]);
      const run = this.#run(key).finally(() => this.#running.delete(run));
      this.#running.add(run);
    });
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
    const operations = batch.map(({ operation }) => operation);
    let expect: number | undefined;
    for (let folds = 0; folds < MAX_FOLDS; folds += 1) {
      const { commit, outcomes } = this.#host.fold(key, operations);
      let sequence = this.#host.sequenceOf(key);
      if (commit !== undefined) {
        const appended = await this.#append(key, commit, expect ?? sequence);
        if (appended.conflict !== undefined) {
          // Usually the newer record is applied by now. If the key has no such record here (it was pruned on one side
          // only), the engine's word decides what to expect.
          expect = this.#host.sequenceOf(key) === appended.conflict ? undefined : appended.conflict;
          continue;
        }
        if (appended.sequence === undefined) continue;
        sequence = appended.sequence;
      }
      batch.forEach(({ resolve, reject }, index) => {
        const outcome = outcomes[index];
        if (outcome && "value" in outcome) resolve(this.#host.result(key, outcome.value, sequence));
        else reject(outcome?.error ?? new Error("a fold answers each operation"));
      });
      return;
    }
    throw new SnapwireError(
      "conflict",
      `${key} kept changing: ${MAX_FOLDS} attempts to write it lost. Try again.`,
    );
  }

  /** One append: its sequence once applied, the conflicting sequence, or neither when it has to be folded again. */
  async #append(key: string, body: Json, expect: number): Promise<{ sequence?: number; conflict?: number }> {
    const messageId = randomUUID();
    for (let retries = 0; ; retries += 1) {
      try {
        const { sequence } = await this.#host.append({ key, body, expect, messageId });
        await this.#host.applied(sequence);
        return { sequence };
      } catch (error) {
        if (error instanceof OrderReplaced) return {};
        if (error instanceof JournalConflict) {
          try {
            await this.#host.applied(error.actual);
          } catch (replaced) {
            if (replaced instanceof OrderReplaced) return {};
            throw replaced;
          }
          return { conflict: error.actual };
        }
        if (!(error instanceof JournalUnavailable)) throw error;
        if (!error.inDoubt)
          throw new SnapwireError("unavailable", `${key} was not written: ${error.message}`, {
            cause: error,
          });
        if (retries === MAX_RETRIES) {
          throw new SnapwireError(
            "outcome-unknown",
            `whether ${key} was written is not known: ${error.message}`,
            {
              cause: error,
            },
          );
        }
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS * 2 ** retries));
      }
    }
  }
}
