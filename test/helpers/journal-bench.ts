/** What the tests of a journal's contract work with. */
import { randomUUID } from "node:crypto";
import { expect, vi } from "vitest";
import {
  type Journal,
  JournalConflict,
  type JournalLog,
  type JournalRecord,
  type JournalSink,
  type Json,
} from "../../src/journal/journal.ts";
import type { Followed } from "./journal-sinks.ts";

export interface OpenedJournal {
  /** Open and empty. */
  readonly journal: Journal;
  /** Closes the journal and opens one over the same data: what a restart of the process does. */
  reopen?(): Promise<Journal>;
  dispose(): Promise<void> | void;
}

/** The steps of one test, on a journal of its own. */
export interface Bench {
  readonly journal: Journal;
  readonly opened: OpenedJournal;
  readonly log: JournalLog;
  follow(log?: JournalLog, react?: Partial<JournalSink>): Promise<Followed>;
}

/** Appends `body` over `expect`, and answers the sequence. */
export async function put(log: JournalLog, key: string, body: Json, expected = 0): Promise<number> {
  const { sequence } = await log.append({ key, body, expect: expected, messageId: randomUUID() });
  expect(sequence, "an acknowledged sequence is above 0").toBeGreaterThan(0);
  return sequence;
}

/** What an append over the wrong expectation answers. */
export async function conflictOf(append: Promise<unknown>): Promise<number> {
  const error: unknown = await append.then(
    () => undefined,
    (refused: unknown) => refused,
  );
  if (!(error instanceof JournalConflict)) throw new Error(`not a conflict: ${String(error)}`);
  return error.actual;
}

/** Until the follower was given everything up to `sequence`. */
export async function reached(followed: Followed, sequence: number): Promise<void> {
  await vi.waitFor(() => expect(followed.head).toBeGreaterThanOrEqual(sequence), { timeout: 10_000 });
}

export const bodies = (records: readonly JournalRecord[]) => records.map(({ key, body }) => [key, body]);
export const sequences = (records: readonly JournalRecord[]) => records.map(({ sequence }) => sequence);

/** Names one promise of the contract, and shows it. */
export type Promises = (name: string, run: (bench: Bench) => Promise<void>) => void;
