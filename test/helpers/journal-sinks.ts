/** A follower that keeps what it was given, and what a journal may never do to it. */
import { expect } from "vitest";
import type { JournalFollower, JournalLog, JournalRecord, JournalSink } from "../../src/journal/journal.ts";

export interface Followed {
  readonly epoch: string;
  /** Everything that was given since the last reset, in order. */
  readonly records: readonly JournalRecord[];
  readonly floors: ReadonlyMap<string | null, number>;
  readonly head: number;
  readonly resets: number;
  /** What was there at the first advance: the backlog. */
  readonly backlog: {
    readonly records: readonly JournalRecord[];
    readonly floors: ReadonlyMap<string | null, number>;
  };
  /** The newest record of each key. */
  newest(): Map<string, JournalRecord>;
  stop(): void;
}

/** Follows a log, and checks at every step that the order is an order. */
export async function following(log: JournalLog, react: Partial<JournalSink> = {}): Promise<Followed> {
  let epoch = "";
  let records: JournalRecord[] = [];
  let floors = new Map<string | null, number>();
  let head = -1;
  let resets = 0;
  let backlog: Followed["backlog"] = { records: [], floors };
  const sink: JournalSink = {
    reset: (name) => {
      expect(name, "an epoch has a name").not.toBe("");
      epoch = name;
      records = [];
      floors = new Map();
      head = -1;
      resets += 1;
      react.reset?.(name);
    },
    record: (record) => {
      expect(resets, "a reset comes first").toBeGreaterThan(0);
      const last = records.at(-1)?.sequence ?? 0;
      expect(record.sequence, "sequences strictly ascend").toBeGreaterThan(last);
      expect(record.sequence, "nothing is given that was said to be given").toBeGreaterThan(head);
      expect(Number.isSafeInteger(record.sequence)).toBe(true);
      records.push(record);
      react.record?.(record);
    },
    floor: (scope, floor) => {
      if (head !== -1) expect(floor, "what lies below a floor was given before it").toBeLessThanOrEqual(head);
      floors.set(scope, floor);
      react.floor?.(scope, floor);
    },
    advance: (sequence) => {
      expect(sequence, "what was given counts").toBeGreaterThanOrEqual(records.at(-1)?.sequence ?? 0);
      if (head === -1) backlog = { records: [...records], floors: new Map(floors) };
      head = Math.max(head, sequence);
      react.advance?.(sequence);
    },
    status: (fresh, reason) => react.status?.(fresh, reason),
  };
  const follower: JournalFollower = await log.follow(sink);
  expect(resets, "follow resolves after its backlog was given").toBeGreaterThan(0);
  expect(head, "a backlog ends with an advance, an empty one too").toBeGreaterThanOrEqual(0);
  return {
    get epoch() {
      return epoch;
    },
    get records() {
      return records;
    },
    get floors() {
      return floors;
    },
    get head() {
      return head;
    },
    get resets() {
      return resets;
    },
    get backlog() {
      return backlog;
    },
    newest: () => new Map(records.map((record) => [record.key, record])),
    stop: () => follower.stop(),
  };
}
