/** Tombstones end: what pruning takes, in which order, and what it may never take. */
import { describe, expect, test, vi } from "vitest";
import { turn } from "./helpers/cluster.ts";
import { JournalFaults } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { memory } from "./helpers/lane-bench.ts";
import { HOUR, pruningBench } from "./helpers/pruning-bench.ts";
import { openedToy } from "./helpers/toy-collection.ts";

describe("pruning", () => {
  test("takes tombstones that are older than the resume window, and raises the floor to the newest of them", async () => {
    const { time, log, node } = await pruningBench();
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
    const { node } = await pruningBench({ tombstonesPerScope: 10 });
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
    const { time, log, node } = await pruningBench();
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
    const { time, node } = await pruningBench();
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
    const { node } = await pruningBench();
    const one = await node();
    expect(one.collection.prune()).toBe(one.collection.prune());
    await one.collection.prune();
  });

  test("keeps a removed record as long as one of the scopes that it left needs its tombstone", async () => {
    const { journal, time, node } = await pruningBench();
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
    const { time, node } = await pruningBench();
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
    const { time, log, node } = await pruningBench();
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
    const { time, node } = await pruningBench();
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

  test("on its way when the node follows again ends there: it looked at lists that are no more", async () => {
    const { time, log, node } = await pruningBench();
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
    await faults.followAgain();
    faults.upkeep.open();
    await pruning;
    expect(Object.fromEntries((await following(log)).floors), "what was sent, and nothing more").toEqual({
      s: 2,
    });
    await one.collection.prune();
    expect(Object.fromEntries((await following(log)).floors), "the next pass finishes it").toEqual({
      null: 4,
    });
  });

  test("on its way when the order is replaced raises no floor in the new one", async () => {
    const { time, node } = await pruningBench();
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
    const { time, node } = await pruningBench();
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
    const { time, node } = await pruningBench();
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
