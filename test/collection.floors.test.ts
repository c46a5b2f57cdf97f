/** Tombstones end, floors stay: what pruning may cost a reader, and what it may never hide from one. */
import { describe, expect, test, vi } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { openedToy } from "./helpers/toy-collection.ts";

const HOUR = 3_600_000;

async function memory() {
  const journal = createMemoryJournal();
  await journal.open();
  return journal;
}

/** A journal, a clock that is set by hand, and nodes that share them. */
async function bench(options: { tombstonesPerScope?: number } = {}) {
  const journal = await memory();
  const time = { now: 0 };
  return {
    journal,
    time,
    log: journal.log("toys"),
    node: (faults = new JournalFaults()) =>
      openedToy(withFaults(journal, faults), { ...options, now: () => time.now }),
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("pruning", () => {
  test("takes tombstones that are older than the resume window, and raises the floor to the newest of them", async () => {
    const { time, log, node } = await bench();
    const one = await node();
    for (const key of ["a", "b", "c"]) await one.write(key, { scope: "s", value: "1" });
    await one.write("a", "remove"); // 4
    time.now = 1_000;
    await one.write("b", "remove"); // 5
    time.now = HOUR;
    await one.collection.prune();
    expect(one.list("s")).toEqual([
      ["c", 3, "1"],
      ["b", 5, null],
    ]);
    expect(one.collection.floorOf("s")).toBe(4);
    const { floors, records } = await following(log);
    expect(floors.get("s")).toBe(4);
    expect(
      records.map(({ key }) => key),
      "the record of the tombstone is dropped",
    ).toEqual(["c", "b"]);
    expect(one.collection.head, "never lowered").toBe(5);
  });

  test("takes the oldest tombstones of a scope that has too many, in that scope only", async () => {
    const { node } = await bench({ tombstonesPerScope: 10 });
    const one = await node();
    for (const scope of ["s", "t"])
      for (let n = 0; n < 10; n += 1) {
        await one.write(`${scope}${n}`, { scope, value: "1" });
        await one.write(`${scope}${n}`, "remove");
      }
    expect(one.collection.view("s")?.tombstoneCount).toBe(10);
    for (const n of [10, 11]) {
      await one.write(`s${n}`, { scope: "s", value: "1" });
      await one.write(`s${n}`, "remove");
    }
    await vi.waitFor(() => expect(one.collection.view("s")?.tombstoneCount).toBe(10));
    expect(one.collection.floorOf("s")).toBe(4);
    expect(one.collection.floorOf("t")).toBe(0);
    expect(one.collection.view("t")?.tombstoneCount).toBe(10);
  });

  test("moves the floor durably before it drops a record: what fails in between loses nothing", async () => {
    const { time, log, node } = await bench();
    const faults = new JournalFaults();
    const one = await node(faults);
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    faults.upkeep.held = true;
    const pruning = one.collection.prune();
    await turn();
    expect(one.list("s"), "not before the floor is durable").toEqual([["k", 2, null]]);
    expect((await following(log)).records).toHaveLength(1);
    faults.upkeep.releaseOne(); // the floor
    await turn();
    expect(one.collection.floorOf("s")).toBe(2);
    expect((await following(log)).records, "the floor is there, the record still too").toHaveLength(1);
    faults.awayBecause = "the engine died";
    faults.upkeep.open();
    await expect(pruning).rejects.toThrow("the engine died");
    const cold = await node();
    expect(cold.collection.floorOf("s")).toBe(2);
    expect(cold.list("s")).toEqual([]);
    expect(cold.collection.head).toBe(2);
    await cold.collection.prune();
    expect((await following(log)).records, "the next pass finishes it").toEqual([]);
  });

  test("that fails does not keep the collection from closing", async () => {
    const { time, node } = await bench();
    const faults = new JournalFaults();
    const one = await node(faults);
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    faults.upkeep.held = true;
    const pruning = one.collection.prune();
    const closing = one.collection.close();
    faults.awayBecause = "the engine died";
    faults.upkeep.open();
    await expect(pruning).rejects.toThrow("the engine died");
    await closing;
  });

  test("asked for twice at once runs once", async () => {
    const { node } = await bench();
    const one = await node();
    expect(one.collection.prune()).toBe(one.collection.prune());
    await one.collection.prune();
  });

  test("keeps a removed record as long as one of the scopes that it left needs its tombstone", async () => {
    const { journal, time, node } = await bench();
    const one = await node();
    await one.write("k", { scope: "a", value: "1" });
    await one.write("k", { scope: "b" }); // left a @2
    time.now = 1_000;
    await one.write("k", "remove"); // left b @3
    time.now = HOUR + 1;
    await one.collection.prune();
    expect(one.list("b")).toEqual([["k", 3, null]]);
    const cold = await openedToy(journal);
    expect(cold.list("a")).toEqual([]);
    expect(cold.list("b")).toEqual([["k", 3, null]]);
  });

  test("keeps a hidden record: it exists", async () => {
    const { time, node } = await bench();
    const one = await node();
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", { hidden: true });
    time.now = HOUR + 1;
    await one.collection.prune();
    expect(one.collection.view("s")?.tombstoneCount ?? 0).toBe(0);
    await one.write("k", { hidden: false });
    expect(one.list("s")).toEqual([["k", 3, "1"]]);
  });

  test("of a key that is written meanwhile takes nothing of the new record", async () => {
    const { time, log, node } = await bench();
    const faults = new JournalFaults();
    const one = await node(faults);
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    faults.upkeep.held = true;
    const pruning = one.collection.prune();
    await turn();
    faults.upkeep.releaseOne(); // the floor
    await turn(); // the deletion is on its way
    await one.write("k", { scope: "s", value: "2" });
    faults.upkeep.open();
    await pruning;
    expect(one.list("s")).toEqual([["k", 3, "2"]]);
    expect(one.collection.record("k")?.sequence).toBe(3);
    expect((await following(log)).newest().get("k")?.sequence).toBe(3);
    await one.write("k", { value: "3" });
    expect(one.list("s")).toEqual([["k", 4, "3"]]);
  });

  test("leaves nothing of a removed key behind: no record, no stamp that waits for a commit", async () => {
    const { time, node } = await bench();
    const one = await node();
    for (let n = 0; n < 20; n += 1) {
      await one.write(`k${n}`, { scope: "s", value: "1" });
      await one.write(`k${n}`, { value: "1" });
      await one.write(`k${n}`, "remove");
      await Promise.all([one.write(`k${n}`, { scope: "s", value: "x" }), one.write(`k${n}`, "remove")]);
    }
    time.now = HOUR + 1;
    await one.collection.prune();
    expect([...one.collection.records()]).toEqual([]);
    expect(one.collection.riding).toBe(0);
    expect([...one.collection.views()]).toEqual([]);
  });

  test("on its way when the order is replaced raises no floor in the new one", async () => {
    const { time, node } = await bench();
    const faults = new JournalFaults();
    const one = await node(faults);
    for (const scope of ["s", "t"]) {
      await one.write(scope, { scope, value: "1" });
      await one.write(scope, "remove");
    }
    time.now = HOUR + 1;
    faults.upkeep.held = true;
    const pruning = one.collection.prune();
    await turn();
    const empty = await memory();
    await faults.replaceOrder(empty);
    faults.upkeep.releaseOne(); // what was sent is sent: it meets the new order
    await turn();
    faults.upkeep.open();
    await pruning;
    const { floors } = await following(empty.log("toys"));
    expect(floors.has("t"), "nothing more is sent").toBe(false);
    expect(floors.has(null)).toBe(false);
  });
});

describe("the floor of another node", () => {
  test("prunes this one's list too, and what was dropped there can be written here", async () => {
    const { time, node } = await bench();
    const [one, two] = [await node(), await node()];
    await one.write("k", { scope: "s", value: "1" });
    await one.write("k", "remove");
    time.now = HOUR + 1;
    await one.collection.prune();
    expect(two.list("s")).toEqual([]);
    expect(two.collection.floorOf("s")).toBe(2);
    expect(await two.write("k", { scope: "s", value: "2" })).toMatchObject({ sequence: 3 });
    expect(one.list("s")).toEqual([["k", 3, "2"]]);
  });

  test("of a removal that this one has not seen does not let it write over what was removed", async () => {
    const { time, node } = await bench();
    const lagging = new JournalFaults();
    const [one, two] = [await node(), await node(lagging)];
    await one.write("k", { scope: "s", value: "old" });
    lagging.hold();
    await one.write("k", "remove");
    time.now = HOUR + 1;
    await one.collection.prune(); // the key has no record any more; `two` still shows the old one
    const write = two.write("k", { value: "said nothing of its scope" });
    write.catch(() => undefined);
    await turn();
    lagging.release();
    await expect(write, "over the removal it says too little").rejects.toThrow("scope-required");
    expect(one.list("s")).toEqual([]);
  });
});

describe("a scope without nodes", () => {
  test("is forgotten: its floor folds into the one of all absent scopes", async () => {
    const { time, log, node } = await bench();
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
    const { time, node } = await bench();
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
    const { time, node } = await bench();
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
    const { journal, time, node } = await bench();
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
    const { journal, time, log, node } = await bench();
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
    const { journal, time, node } = await bench();
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

test("a floor above the head, meant for an order that was replaced, shuts nobody out for ever", async () => {
  const { journal, log, node } = await bench();
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
  const { journal, time, log, node } = await bench();
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
    expect(live.collection.floorOf("s"), "whoever stands at 4 has not heard of the removal at 5").toBeGreaterThan(4);
    expect(live.list("s")).toEqual([["new", 7, "1"]]);
  }
});

test("a scope that another node has forgotten already leaves no empty list behind", async () => {
  const { time, log, node } = await bench();
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
    const { journal, time, node } = await bench();
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
