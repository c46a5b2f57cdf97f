/**
 * The contract of a journal, as tests: every engine runs all of it. Nothing here assumes that sequences begin at one,
 * lie one apart, or are shared or not shared between collections; records may arrive at a follower a while after the
 * append was answered.
 */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { JournalUnavailable, type Json } from "../src/journal/journal.ts";
import {
  type Bench,
  bodies,
  conflictOf,
  type OpenedJournal,
  put,
  reached,
  sequences,
} from "./helpers/journal-bench.ts";
import { eventPromises } from "./helpers/journal-events.ts";
import { floorPromises } from "./helpers/journal-floors.ts";
import { type Followed, following } from "./helpers/journal-sinks.ts";
import { upkeepPromises } from "./helpers/journal-upkeep.ts";

export type { OpenedJournal } from "./helpers/journal-bench.ts";

export interface JournalContractOptions {
  readonly engine: string;
  readonly open: () => Promise<OpenedJournal>;
  /** Promises that this engine is known to break, by their names: they run as `test.fails`, so that a repair is noticed. */
  readonly lacks?: readonly string[];
}

export function journalContract({ engine, open, lacks = [] }: JournalContractOptions): void {
  const names = new Set<string>();

  describe(`the ${engine} journal`, () => {
    let bench: Bench;
    const followers: Followed[] = [];

    beforeEach(async () => {
      const opened = await open();
      const log = opened.journal.log("snapshots");
      bench = {
        opened,
        journal: opened.journal,
        log,
        follow: async (of = log, react = {}) => {
          const followed = await following(of, react);
          followers.push(followed);
          return followed;
        },
      };
    });

    afterEach(async () => {
      for (const followed of followers.splice(0)) followed.stop();
      await bench.opened.dispose();
    });

    function promise(name: string, run: (bench: Bench) => Promise<void>): void {
      names.add(name);
      if (lacks.includes(name)) test.fails(name, () => run(bench));
      else test(name, () => run(bench));
    }

    promise("an empty log gives its epoch and an advance, and has no record and no floor", async (b) => {
      const followed = await b.follow();
      expect(followed.records).toEqual([]);
      expect([...followed.floors]).toEqual([]);
      expect(followed.resets).toBe(1);
      expect(await b.log.head()).toBeLessThanOrEqual(Math.max(0, followed.head));
    });

    promise("what is appended comes to every follower with the sequence of its answer", async (b) => {
      const [one, two] = [await b.follow(), await b.follow()];
      const first = await put(b.log, "a", { n: 1 });
      const second = await put(b.log, "b", [true, null, "x"]);
      const third = await put(b.log, "a", "removed", first);
      expect(second).toBeGreaterThan(first);
      expect(third).toBeGreaterThan(second);
      for (const followed of [one, two]) {
        await reached(followed, third);
        expect(sequences(followed.records)).toEqual([first, second, third]);
        expect(bodies(followed.records)).toEqual([
          ["a", { n: 1 }],
          ["b", [true, null, "x"]],
          ["a", "removed"],
        ]);
      }
      expect(one.epoch).toBe(two.epoch);
    });

    promise("any plain JSON and any key comes back as it was", async (b) => {
      const followed = await b.follow();
      const keys = [
        "a.b",
        "*",
        ">",
        "a b",
        "a/b",
        "__proto__",
        "ü\u{1f680}",
        "line\nbreak",
        "%2e",
        "k".repeat(512),
      ];
      const odd: Json[] = [null, false, 0, -1.5e-7, 2 ** 53 - 1, "", "\u0000\u2028", [], {}, { "": [[]] }];
      for (const [index, key] of keys.entries()) await put(b.log, key, { body: odd[index] ?? null });
      const last = await put(b.log, "large", { text: "x".repeat(100_000) });
      await reached(followed, last);
      expect(bodies(followed.records.slice(0, keys.length))).toEqual(
        keys.map((key, index) => [key, { body: odd[index] ?? null }]),
      );
      expect(followed.records.at(-1)?.body).toEqual({ text: "x".repeat(100_000) });
      expect(followed.newest().size).toBe(keys.length + 1);
    });

    promise("each collection has an order of its own", async (b) => {
      const other = b.journal.log("messages");
      const [mine, theirs] = [await b.follow(), await b.follow(other)];
      const first = await put(b.log, "k", "mine 1");
      const foreign = await put(other, "k", "theirs 1"); // the same key: expected to have no record there
      const second = await put(b.log, "k", "mine 2", first);
      expect(await conflictOf(put(other, "k", "no", 0))).toBe(foreign);
      const foreignLast = await put(other, "k", "theirs 2", foreign);
      await b.log.raiseFloor("p", first);
      await other.dropRecords([{ key: "k", sequence: foreignLast }]);
      await reached(mine, second);
      await reached(theirs, foreignLast);
      expect(mine.records.map(({ body }) => body)).toEqual(["mine 1", "mine 2"]);
      expect(theirs.records.map(({ body }) => body)).toEqual(["theirs 1", "theirs 2"]);
      await vi.waitFor(() => expect(mine.floors.get("p")).toBe(first));
      expect([...theirs.floors]).toEqual([]);
      expect((await b.follow(other)).newest().has("k")).toBe(false);
      expect((await b.follow()).newest().get("k")?.body).toBe("mine 2");
    });

    promise("the same collection is one log, however often it is asked for", async (b) => {
      const followed = await b.follow();
      const sequence = await put(b.journal.log("snapshots"), "k", 1);
      await reached(followed, sequence);
      expect(sequences(followed.records)).toEqual([sequence]);
    });

    promise("an append over an older record is a conflict that says which one is newest", async (b) => {
      const followed = await b.follow();
      expect(await conflictOf(put(b.log, "k", "x", 7)), "no record").toBe(0);
      const first = await put(b.log, "k", 1);
      expect(await conflictOf(put(b.log, "k", "x", 0)), "there is one already").toBe(first);
      const second = await put(b.log, "k", 2, first);
      expect(await conflictOf(put(b.log, "k", "x", first)), "there is a newer one").toBe(second);
      expect(await conflictOf(put(b.log, "k", "x", second + 1)), "one that is not there yet").toBe(second);
      const third = await put(b.log, "k", 3, second);
      await reached(followed, third);
      expect(
        followed.records.map(({ body }) => body),
        "a conflict stores nothing",
      ).toEqual([1, 2, 3]);
    });

    promise("of many appends over the same record exactly one is stored", async (b) => {
      const followed = await b.follow();
      const first = await put(b.log, "k", "base");
      const attempts = Array.from({ length: 20 }, (_, n) => put(b.log, "k", { n }, first));
      const answers = await Promise.allSettled(attempts);
      const stored = answers.filter((answer) => answer.status === "fulfilled").map(({ value }) => value);
      expect(stored).toHaveLength(1);
      for (const answer of answers)
        if (answer.status === "rejected")
          expect(answer.reason).toMatchObject({ name: "JournalConflict", actual: stored[0] });
      await reached(followed, stored[0] ?? 0);
      expect(sequences(followed.records)).toEqual([first, stored[0]]);
    });

    promise("the same message id again is answered with the first sequence and stores nothing", async (b) => {
      const followed = await b.follow();
      const append = { key: "k", body: "once", expect: 0, messageId: randomUUID() };
      const { sequence } = await b.log.append(append);
      expect(await b.log.append(append), "before the comparison is made").toEqual({ sequence });
      const newer = await put(b.log, "k", "newer", sequence);
      expect(await b.log.append(append), "when a newer record stands there too").toEqual({ sequence });
      await reached(followed, newer);
      expect(followed.records.map(({ body }) => body)).toEqual(["once", "newer"]);
    });

    promise("two attempts with one message id at the same time are one record", async (b) => {
      const followed = await b.follow();
      const append = { key: "k", body: "once", expect: 0, messageId: randomUUID() };
      const [one, two] = await Promise.all([b.log.append(append), b.log.append(append)]);
      expect(one).toEqual(two);
      await reached(followed, one.sequence);
      expect(sequences(followed.records)).toEqual([one.sequence]);
    });

    promise("a message id whose append was refused is not remembered", async (b) => {
      const first = await put(b.log, "k", 1);
      const messageId = randomUUID();
      await conflictOf(b.log.append({ key: "k", body: 2, expect: 0, messageId }));
      const { sequence } = await b.log.append({ key: "k", body: 2, expect: first, messageId });
      expect(sequence).toBeGreaterThan(first);
    });

    promise(
      "a follower that comes later is given the newest record of each key, in order, and then what follows",
      async (b) => {
        const a1 = await put(b.log, "a", "a1");
        const b1 = await put(b.log, "b", "b1");
        const c1 = await put(b.log, "c", "c1");
        const a2 = await put(b.log, "a", "a2", a1);
        await b.log.raiseFloor("p", b1);
        const late = await b.follow();
        expect(late.head, "an advance covers what is given and what is void").toBeGreaterThanOrEqual(a2);
        expect(late.backlog.records, "the first advance says that all of it was given").toEqual(late.records);
        expect(late.backlog.floors).toEqual(new Map([["p", b1]]));
        expect([...late.newest()].map(([key, { sequence }]) => [key, sequence])).toEqual(
          expect.arrayContaining([
            ["a", a2],
            ["b", b1],
            ["c", c1],
          ]),
        );
        expect(late.newest().get("a")?.body).toBe("a2");
        const b2 = await put(b.log, "b", "b2", b1);
        await reached(late, b2);
        expect(late.newest().get("b")).toEqual({ sequence: b2, key: "b", body: "b2" });
      },
    );

    promise("following while others append leaves no gap and gives nothing twice", async (b) => {
      const early = await b.follow();
      const last = new Map<string, number>();
      const writer = async (key: string): Promise<void> => {
        for (let n = 0; n < 25; n += 1) last.set(key, await put(b.log, key, { n }, last.get(key) ?? 0));
      };
      const writers = ["a", "b", "c", "d"].map(writer);
      const late: Followed[] = [];
      for (let n = 0; n < 5; n += 1) late.push(await b.follow());
      await Promise.all(writers);
      const end = Math.max(...last.values());
      expect(await b.log.head()).toBeGreaterThanOrEqual(end);
      await reached(early, end);
      expect(early.records).toHaveLength(100);
      for (const followed of late) {
        await reached(followed, end);
        for (const [key, sequence] of last) expect(followed.newest().get(key)?.sequence).toBe(sequence);
        const order = sequences(early.records);
        const live = sequences(followed.records);
        expect(order, "what it was given is a part of the one order").toEqual(expect.arrayContaining(live));
      }
    });

    promise("two followers are given the same order", async (b) => {
      const [one, two] = [await b.follow(), await b.follow()];
      const keys = Array.from({ length: 30 }, (_, n) => `k${n}`);
      const stored = await Promise.all(keys.map((key) => put(b.log, key, key)));
      expect(new Set(stored).size).toBe(keys.length);
      const end = Math.max(...stored);
      await Promise.all([reached(one, end), reached(two, end)]);
      expect(bodies(one.records)).toEqual(bodies(two.records));
      expect(sequences(one.records)).toEqual(sequences(two.records));
      expect(sequences(one.records)).toEqual([...stored].sort((x, y) => x - y));
    });

    promise("a follower that appends while it is given a record disturbs nobody's order", async (b) => {
      const answers: Promise<number>[] = [];
      const eager = await b.follow(b.log, {
        record: ({ key, sequence }) => {
          if (key === "question") answers.push(put(b.log, `answer to ${sequence}`, "now"));
        },
      });
      const other = await b.follow();
      let question = 0;
      for (let n = 0; n < 5; n += 1) question = await put(b.log, "question", n, question);
      await vi.waitFor(() => expect(answers).toHaveLength(5));
      const end = Math.max(question, ...(await Promise.all(answers)));
      await Promise.all([reached(eager, end), reached(other, end)]);
      expect(other.records).toHaveLength(10);
      expect(sequences(eager.records)).toEqual(sequences(other.records));
    });

    promise("a follower that has stopped is given nothing more", async (b) => {
      const [stopped, other] = [await b.follow(), await b.follow()];
      stopped.stop();
      const sequence = await put(b.log, "k", 1);
      await b.log.raiseFloor("p", sequence);
      await reached(other, sequence);
      await vi.waitFor(() => expect(other.floors.get("p")).toBe(sequence));
      expect(stopped.records).toEqual([]);
      expect([...stopped.floors]).toEqual([]);
    });

    upkeepPromises(promise);
    floorPromises(promise);
    eventPromises(promise);

    promise("after it was closed an append is refused, and not in doubt", async (b) => {
      await put(b.log, "k", 1);
      await b.journal.close();
      const error: unknown = await put(b.log, "other", 2).catch((refused: unknown) => refused);
      expect(error).toBeInstanceOf(JournalUnavailable);
      expect(error).toMatchObject({ inDoubt: false });
      await b.journal.close(); // twice is once
    });

    promise("closed and opened again it has everything of its epoch, or begins a new one", async (b) => {
      const { reopen } = b.opened;
      const before = await b.follow();
      const first = await put(b.log, "a", "a1");
      const dropped = await put(b.log, "b", "b1");
      const last = await put(b.log, "a", "a2", first);
      await b.log.raiseFloor("p", first);
      await b.log.dropRecords([{ key: "b", sequence: dropped }]);
      await reached(before, last);
      before.stop();
      if (!reopen) {
        expect(b.journal.durable, "a durable engine can be opened again").toBe(false);
        return;
      }
      const again = (await reopen()).log("snapshots");
      const after = await b.follow(again);
      if (b.journal.durable) expect(after.epoch).toBe(before.epoch);
      if (after.epoch !== before.epoch) return;
      expect([...after.newest().values()]).toEqual([{ sequence: last, key: "a", body: "a2" }]);
      expect(Object.fromEntries(after.floors)).toEqual({ p: first });
      expect(after.head).toBeGreaterThanOrEqual(last);
      expect(await conflictOf(put(again, "a", "x", first))).toBe(last);
      expect(await put(again, "b", "b2", 0)).toBeGreaterThan(last);
    });
  });

  test(`what the ${engine} journal is known to lack is a promise of the contract`, () => {
    expect(lacks.filter((name) => !names.has(name))).toEqual([]);
  });
}
