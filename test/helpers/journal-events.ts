/** The part of a journal's contract that an event log leans on: many keys that are written once, trimmed by thousands. */
import { randomUUID } from "node:crypto";
import { expect, vi } from "vitest";
import { conflictOf, type Promises, put, reached } from "./journal-bench.ts";

const EVENTS = 2_500;
const SCOPES = 400;

export function eventPromises(promise: Promises): void {
  promise(
    "a key that is written once is refused a second time, with the sequence of the first",
    async (b) => {
      const followed = await b.follow();
      const first = await put(b.log, "event", "first");
      expect(await conflictOf(put(b.log, "event", "again", 0))).toBe(first);
      const attempts = await Promise.allSettled(
        Array.from({ length: 10 }, (_, n) => put(b.log, "other event", n)),
      );
      const stored = attempts.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
      expect(stored).toHaveLength(1);
      await reached(followed, stored[0] ?? 0);
      expect(followed.records).toHaveLength(2);
    },
  );

  promise("thousands of records are appended at once, in one order, and dropped at once", async (b) => {
    const followed = await b.follow();
    const keys = Array.from({ length: EVENTS }, (_, n) => `event ${n}`);
    const sequences = await Promise.all(keys.map((key) => put(b.log, key, { key })));
    const end = Math.max(...sequences);
    await reached(followed, end);
    expect(followed.records).toHaveLength(EVENTS);
    const all = followed.records.map(({ key, sequence }) => ({ key, sequence }));
    const kept = all.splice(-10);
    await b.log.raiseFloor("p", all.at(-1)?.sequence ?? 0);
    await b.log.dropRecords(all);
    const late = await b.follow();
    expect(late.records.map(({ key, sequence }) => ({ key, sequence }))).toEqual(kept);
    expect(late.head).toBeGreaterThanOrEqual(end);
    await b.log.dropRecords(all); // they are gone: nothing happens
    expect(await put(b.log, all[0]?.key ?? "", "anew"), "its key is free again").toBeGreaterThan(end);
  });

  promise("hundreds of scopes have floors of their own", async (b) => {
    const sequence = await put(b.log, "a", 1);
    const scopes = Array.from({ length: SCOPES }, (_, n) => `project ${n % 20}/type ${n}`);
    await Promise.all(scopes.map((scope) => b.log.raiseFloor(scope, sequence)));
    const followed = await b.follow();
    expect(Object.fromEntries(followed.floors)).toEqual(Object.fromEntries(scopes.map((s) => [s, sequence])));
    await b.log.raiseFloor(null, sequence);
    await Promise.all(scopes.map((scope) => b.log.dropFloor(scope)));
    expect([...(await b.follow()).floors]).toEqual([[null, sequence]]);
  });

  promise("a message id is remembered by an engine that is opened again in its epoch", async (b) => {
    const before = await b.follow();
    const append = { key: "k", body: "once", expect: 0, messageId: randomUUID() };
    const { sequence } = await b.log.append(append);
    const newer = await put(b.log, "k", "newer", sequence);
    await vi.waitFor(() => expect(before.head).toBeGreaterThanOrEqual(newer));
    before.stop();
    if (!b.opened.reopen) return;
    const again = (await b.opened.reopen()).log("snapshots");
    if ((await b.follow(again)).epoch !== before.epoch) return;
    expect(await again.append(append)).toEqual({ sequence });
  });
}
