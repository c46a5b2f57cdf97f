/** The part of a journal's contract that is about forgetting: floors, dropped records, and the head that stays. */
import { expect, vi } from "vitest";
import { conflictOf, type Promises, put, reached } from "./journal-bench.ts";

export function upkeepPromises(promise: Promises): void {
  promise(
    "a floor only rises, is told to every follower, and is there for those who come later",
    async (b) => {
      const told: [string | null, number][] = [];
      const one = await b.follow(b.log, { floor: (scope, floor) => told.push([scope, floor]) });
      const two = await b.follow();
      const first = await put(b.log, "a", 1);
      const second = await put(b.log, "b", 2);
      await b.log.raiseFloor("p", first);
      await b.log.raiseFloor("p.1", first);
      await b.log.raiseFloor("p", second);
      await b.log.raiseFloor("p", first); // lower: told to nobody
      await b.log.raiseFloor("p", second); // the same
      await b.log.raiseFloor(null, first);
      const expected = { p: second, "p.1": first, null: first };
      for (const followed of [one, two])
        await vi.waitFor(() => expect(Object.fromEntries(followed.floors)).toEqual(expected));
      expect(told).toEqual([
        ["p", first],
        ["p.1", first],
        ["p", second],
        [null, first],
      ]);
      expect(Object.fromEntries((await b.follow()).floors)).toEqual(expected);
    },
  );

  promise("a floor is raised before the call resolves: whoever follows then knows it", async (b) => {
    const sequence = await put(b.log, "a", 1);
    await b.log.raiseFloor("p", sequence);
    const followed = await b.follow();
    expect(followed.floors.get("p")).toBe(sequence);
  });

  promise("a floor is dropped only when the one of absent scopes covers it", async (b) => {
    const first = await put(b.log, "a", 1);
    const second = await put(b.log, "b", 2);
    const third = await put(b.log, "c", 3);
    for (const [scope, floor] of [
      ["p", first],
      ["q", second],
      ["r", third], // another node raised it since it was looked at
      [null, second],
    ] as const)
      await b.log.raiseFloor(scope, floor);
    for (const scope of ["p", "q", "r", "unknown"]) await b.log.dropFloor(scope);
    expect(Object.fromEntries((await b.follow()).floors)).toEqual({ r: third, null: second });
    await b.log.raiseFloor("p", first);
    expect((await b.follow()).floors.get("p"), "it can be raised again").toBe(first);
  });

  promise("a record is dropped by its exact sequence only", async (b) => {
    const followed = await b.follow();
    const a1 = await put(b.log, "a", "a1");
    const b1 = await put(b.log, "b", "b1");
    const c1 = await put(b.log, "c", "c1");
    const a2 = await put(b.log, "a", "a2", a1);
    await b.log.dropRecords([
      { key: "a", sequence: a1 }, // there is a newer one
      { key: "b", sequence: b1 },
      { key: "c", sequence: c1 + 1 },
      { key: "unknown", sequence: b1 },
    ]);
    await reached(followed, a2);
    expect(followed.records, "nobody is told").toHaveLength(4);
    const late = await b.follow();
    expect(new Set(late.newest().keys())).toEqual(new Set(["a", "c"]));
    expect(late.newest().get("a")?.sequence).toBe(a2);
  });

  promise("after a record was dropped its key has none: 0 is expected again", async (b) => {
    const first = await put(b.log, "k", 1);
    await b.log.dropRecords([{ key: "k", sequence: first }]);
    expect(await conflictOf(put(b.log, "k", "x", first))).toBe(0);
    const second = await put(b.log, "k", 2, 0);
    expect(second, "and a sequence is never given again").toBeGreaterThan(first);
  });

  promise("dropping records never lowers the head", async (b) => {
    const first = await put(b.log, "a", 1);
    const last = await put(b.log, "b", 2);
    await b.log.dropRecords([
      { key: "a", sequence: first },
      { key: "b", sequence: last },
    ]);
    expect(await b.log.head()).toBeGreaterThanOrEqual(last);
    const late = await b.follow();
    expect(late.records).toEqual([]);
    expect(late.head, "what is void counts as given").toBeGreaterThanOrEqual(last);
    expect(await put(b.log, "a", 3)).toBeGreaterThan(last);
  });

  promise("the head is at least what was acknowledged to anyone", async (b) => {
    let sequence = 0;
    for (let n = 0; n < 5; n += 1) {
      sequence = await put(b.log, "k", n, sequence);
      expect(await b.log.head()).toBeGreaterThanOrEqual(sequence);
    }
  });
}
