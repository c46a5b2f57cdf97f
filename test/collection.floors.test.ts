/** Floors stay: what a scope lost keeps old cursors out, and nobody else. */
import { describe, expect, test } from "vitest";
import { turn } from "./helpers/cluster.ts";
import { JournalFaults } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { HOUR, pruningBench } from "./helpers/pruning-bench.ts";
import { openedToy } from "./helpers/toy-collection.ts";

describe("a scope without nodes", () => {
  test("is forgotten: its floor folds into the one of all absent scopes", async () => {
    const { time, log, node } = await pruningBench();
    const one = await node();
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    await one.collection.prune();
    expect(one.collection.view("s")).toBeUndefined();
    expect(one.collection.floorOf("s")).toBe(2);
    expect(one.collection.floorOf("never heard of")).toBe(2);
    expect(Object.fromEntries((await following(log)).floors)).toEqual({ null: 2 });
    const cold = await node();
    expect(cold.collection.floorOf("s")).toBe(2);
    expect([...cold.collection.views()]).toEqual([]);
  });

  test("does not shut out the cursors of scopes that lost nothing, after a restart neither", async () => {
    const { time, node } = await pruningBench();
    const one = await node();
    await one.write("idle", { scope: "other", value: "1" });
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    await one.collection.prune();
    expect(one.collection.floorOf("other")).toBe(0);
    const cold = await node();
    expect(cold.collection.floorOf("s")).toBe(3);
    expect(cold.collection.floorOf("other"), "its cursor stands at 1").toBeLessThanOrEqual(1);
    expect(cold.list("other")).toEqual([["idle", 1, "1"]]);
  });

  test("that comes back still shuts out cursors from before it was forgotten, after a restart too", async () => {
    const { time, node } = await pruningBench();
    const one = await node();
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    await one.collection.prune();
    await one.write("new", { scope: "s", value: "1" }); // 3
    for (const live of [one, await node()]) {
      expect(live.collection.floorOf("s")).toBe(2);
      expect(live.list("s")).toEqual([["new", 3, "1"]]);
    }
  });

  test("whose departure a record still names is not brought back by it, and nobody resumes across what it lost", async () => {
    const { journal, time, node } = await pruningBench();
    const one = await node();
    await one.write("moved", { scope: "s", value: "1" });
    await one.write("gone", { scope: "s", value: "1" });
    await one.write("moved", { scope: "t" }); // 3: left s
    await one.write("gone", "remove"); // 4
    time.now = HOUR + 1;
    await one.collection.prune();
    expect(one.collection.view("s")).toBeUndefined();
    expect(one.collection.record("moved")?.left).toHaveLength(1);
    const cold = await openedToy(journal);
    expect(cold.collection.floorOf("s")).toBe(4);
    expect(cold.list("s")).toEqual([]);
    expect(cold.list("t")).toEqual([["moved", 3, "1"]]);
  });

  test("a young tombstone below the floor of absent scopes may be given up on a cold start, if the floor says so", async () => {
    const { journal, time, log, node } = await pruningBench();
    const one = await node();
    time.now = HOUR;
    await one.write("removed", { scope: "s", value: "1" });
    await one.write("removed", "remove"); // 2: young
    await one.write("kept", { scope: "s", value: "1" });
    await log.raiseFloor(null, 3); // some other scope lost its last tombstone, was too many and was forgotten
    const cold = await openedToy(journal);
    for (const live of [one, cold]) {
      const told = live.list("s").some(([key, sequence]) => key === "removed" && sequence === 2);
      expect(told || live.collection.floorOf("s") >= 2).toBe(true);
      expect(live.collection.floorOf("s"), "who stands at the newest entry resumes").toBeLessThanOrEqual(3);
    }
  });

  test("raised again by another node while it is being forgotten keeps the higher floor", async () => {
    const { journal, time, node } = await pruningBench();
    const slow = new JournalFaults();
    const [one, two] = [await node(slow), await node()];
    await two.write("k", { scope: "s", value: "1" });
    await two.write("k", "remove"); // 2
    time.now = HOUR + 1;
    slow.upkeep.held = true;
    const forgetting = one.collection.prune();
    for (const step of ["the floor", "the record", "the floor of absent scopes"]) {
      await turn();
      expect(slow.upkeep.waiting, step).toBe(1);
      slow.upkeep.releaseOne();
    }
    await turn(); // `one` is about to forget the scope; meanwhile it comes back, and loses something again
    await two.write("other", { scope: "s", value: "1" });
    await two.write("kept", { scope: "s", value: "1" });
    await two.write("other", "remove"); // 5
    time.now += HOUR + 1;
    await two.collection.prune();
    expect(two.collection.floorOf("s")).toBe(5);
    slow.upkeep.open();
    await forgetting;
    const cold = await openedToy(journal);
    expect(cold.collection.floorOf("s")).toBe(5);
    expect(cold.list("s")).toEqual([["kept", 4, "1"]]);
  });
});

test("what a cold start gave up is not dropped before its floor is durable", async () => {
  const { journal, time, log, node } = await pruningBench();
  const one = await node();
  time.now = HOUR;
  await one.write("old", { scope: "s", value: "1" });
  await one.write("removed", { scope: "s", value: "1" });
  await one.write("removed", "remove"); // 3: young
  await one.write("elsewhere", { scope: "t", value: "1" });
  await log.raiseFloor(null, 4); // another scope lost more than it may keep, and was forgotten
  const cold = await openedToy(journal, { now: () => time.now });
  expect(cold.list("s")).toEqual([["old", 1, "1"]]);
  expect(cold.collection.floorOf("s")).toBe(3);
  await cold.collection.prune(); // the record of the removal is of no use to anybody now
  const colder = await openedToy(journal);
  expect(colder.collection.record("removed")).toBeUndefined();
  expect(colder.collection.floorOf("s"), "who stands at 2 has not heard of it").toBeGreaterThanOrEqual(3);
});

test("a floor above the head, meant for an order that was replaced, shuts nobody out for ever", async () => {
  const { journal, log, node } = await pruningBench();
  const one = await node();
  await one.write("k", { scope: "s", value: "1" });
  await log.raiseFloor("s", 1_000);
  await log.raiseFloor(null, 1_000);
  for (const live of [one, await openedToy(journal)]) {
    for (const scope of ["s", "absent"])
      expect(live.collection.floorOf(scope)).toBeLessThanOrEqual(live.collection.head);
  }
});

test("a floor that is raised late, by a node that did not know of a higher one, opens no gap", async () => {
  const { journal, time, log, node } = await pruningBench();
  const one = await node();
  for (const key of ["a", "b", "kept"]) await one.write(key, { scope: "s", value: "1" });
  await one.write("a", { scope: "t" }); // 4: left s
  await one.write("b", "remove"); // 5: its record will be dropped
  await one.write("kept", { scope: "t" }); // 6
  time.now = HOUR + 1;
  await one.collection.prune(); // the scope is empty and forgotten: its floor of 6 is the one of absent scopes now
  await log.raiseFloor("s", 4); // sent long ago by a slower node
  await one.write("new", { scope: "s", value: "1" }); // 7
  for (const live of [one, await openedToy(journal)]) {
    expect(
      live.collection.floorOf("s"),
      "whoever stands at 4 has not heard of the removal at 5",
    ).toBeGreaterThan(4);
    expect(live.list("s")).toEqual([["new", 7, "1"]]);
  }
});

test("a scope that another node has forgotten already leaves no empty list behind", async () => {
  const { time, log, node } = await pruningBench();
  const one = await node();
  await one.write("k", { scope: "s", value: "1" });
  await one.write("k", "remove");
  time.now = HOUR + 1;
  await one.collection.prune();
  await log.raiseFloor("s", 1); // sent long ago by a slower node
  await one.collection.prune();
  expect([...one.collection.views()]).toEqual([]);
  expect(Object.fromEntries((await following(log)).floors)).toEqual({ null: 2 });
});

describe("floors and records of a backlog", () => {
  test("make the same lists in any order of arrival", async () => {
    const { journal, time, node } = await pruningBench();
    const one = await node();
    await one.write("a", { scope: "s", value: "1" });
    await one.write("b", { scope: "s", value: "1" });
    await one.write("a", "remove"); // 3
    time.now = 1_000;
    await one.write("b", { scope: "t" }); // 4
    time.now = HOUR;
    await one.collection.prune();
    const floorsLast = {
      ...journal,
      log: (collection: string) => {
        const log = journal.log(collection);
        return {
          ...log,
          append: log.append.bind(log),
          head: log.head.bind(log),
          raiseFloor: log.raiseFloor.bind(log),
          dropFloor: log.dropFloor.bind(log),
          dropRecords: log.dropRecords.bind(log),
          follow: (sink: Parameters<typeof log.follow>[0]) => {
            const late: (() => void)[] = [];
            let loaded = false;
            return log.follow({
              ...sink,
              floor: (scope, floor) =>
                loaded ? sink.floor(scope, floor) : void late.push(() => sink.floor(scope, floor)),
              advance: (sequence) => {
                loaded = true;
                for (const tell of late.splice(0)) tell();
                sink.advance(sequence);
              },
            });
          },
        };
      },
    };
    const [usual, reversed] = [await openedToy(journal), await openedToy(floorsLast)];
    for (const scope of ["s", "t"]) {
      expect(reversed.list(scope)).toEqual(usual.list(scope));
      expect(reversed.collection.floorOf(scope)).toBe(usual.collection.floorOf(scope));
    }
    expect(usual.list("s")).toEqual([["b", 4, null]]);
    expect(usual.collection.floorOf("s")).toBe(3);
  });
});
