/** One subscriber, frame by frame. */
import { describe, expect, test } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { formatPosition } from "../src/protocol/position.ts";
import { CountedNodes } from "./helpers/counted-nodes.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { openedToy } from "./helpers/toy-collection.ts";
import { drain, subscribed, toyFeed } from "./helpers/toy-feed.ts";

const HOUR = 3_600_000;

async function bench() {
  const journal = createMemoryJournal();
  await journal.open();
  const time = { now: 0 };
  const faults = new JournalFaults();
  const node = await openedToy(withFaults(journal, faults), { now: () => time.now });
  const toy = toyFeed(node);
  const put = (key: string, value: string, scope = "s") => node.write(key, { scope, value });
  return { journal, time, faults, node, toy, put };
}

describe("a walk", () => {
  test("R11 gives what stands above the cursor, oldest first, each key once, as much as there is room for", async () => {
    const { node, toy, put } = await bench();
    const subscription = await subscribed(toy, "s");
    expect(drain(subscription)).toEqual(["0.f full first: "]);
    for (const key of ["a", "b", "c", "a", "d", "b"]) await put(key, `${node.collection.head + 1}`);
    await node.write("c", "remove");
    expect(drain(subscription, 2)).toEqual(["4 a=4", "5 d=5"]);
    await put("a", "8");
    expect(drain(subscription, 1)).toEqual(["6 b=6"]);
    expect(drain(subscription)).toEqual(["7 c removed", "8 a=8"]);
    expect(drain(subscription)).toEqual([]);
    expect(subscription.pending).toBe(false);
  });

  test("finds its place again when the node that it took last has moved, was pruned or came back", async () => {
    const { time, node, toy, put } = await bench();
    const subscription = await subscribed(toy, "s");
    drain(subscription);
    for (const key of ["a", "b", "c", "d"]) await put(key, "1");
    expect(drain(subscription, 1)).toEqual(["1 a=1"]);
    await put("a", "2"); // the one taken last moves to the tail
    expect(drain(subscription, 1)).toEqual(["2 b=1"]);
    await node.write("b", "remove");
    time.now = HOUR + 1;
    await node.collection.prune(); // and this one is gone for good
    expect(drain(subscription)).toEqual(["6.f full trimmed: c=1 d=1 a=2"]);
    await put("b", "3");
    await put("c", "3");
    expect(drain(subscription)).toEqual(["7 b=3", "8 c=3"]);
  });

  test("costs what is new, however large the scope is", async () => {
    const steps: number[] = [];
    for (const size of [10, 2_000]) {
      const { node, toy, put } = await bench();
      for (let n = 0; n < size; n += 1) await put(`k${n}`, "1");
      const live = await subscribed(toy, "s");
      drain(live);
      const resumed = await subscribed(toy, "s", formatPosition(node.collection.tagOf("s"), size));
      drain(resumed);
      const view = node.collection.view("s");
      const counted = new CountedNodes();
      if (view)
        counted.watch(
          view,
          Array.from({ length: size }, (_, n) => `k${n}`),
        );
      const before = counted.steps;
      for (const [n, key] of ["k3", "k1", "k3"].entries()) await put(key, `new ${n}`);
      await node.write("k4", "remove");
      expect(drain(live)).toHaveLength(3);
      expect(drain(resumed)).toHaveLength(3);
      const again = await subscribed(toy, "s", formatPosition(node.collection.tagOf("s"), size + 2));
      expect(drain(again)).toHaveLength(3);
      steps.push(counted.steps - before);
    }
    expect(steps[1]).toBe(steps[0]);
  });

  test("R11 R13 a floor that passes the cursor in mid-stream is answered by a full, and the walk goes on from there", async () => {
    const { time, node, toy, put } = await bench();
    await put("a", "1");
    await put("b", "1");
    const stalled = await subscribed(toy, "s");
    expect(drain(stalled)).toEqual(["2.f full first: a=1 b=1"]);
    await put("c", "1");
    await node.write("a", "remove");
    expect(drain(stalled, 1)).toEqual(["3 c=1"]);
    time.now = HOUR + 1;
    await node.collection.prune();
    await put("c", "2");
    expect(drain(stalled)).toEqual(["5.f full trimmed: b=1 c=2"]);
    expect(drain(stalled)).toEqual([]);
    await put("b", "3");
    expect(drain(stalled)).toEqual(["6 b=3"]);
  });

  test("R9 a cut serves at its own position as long as that is not below the floor", async () => {
    const { journal, node, toy, put } = await bench();
    await put("a", "1");
    expect(drain(await subscribed(toy, "s"))).toEqual(["1.f full first: a=1"]);
    await put("elsewhere", "1", "t");
    await put("elsewhere", "2", "t");
    const late = await subscribed(toy, "s");
    expect(drain(late), "nothing has changed here since").toEqual(["1.f full first: a=1"]);
    await journal.log("toys").raiseFloor("s", 2); // by whatever mistake: no removal was ever there
    expect(drain(late)).toEqual(["3.f full trimmed: a=1"]);
    expect(drain(await subscribed(toy, "s", formatPosition(node.collection.tagOf("s"), 1)))).toEqual([
      "3.f full trimmed: a=1",
    ]);
    await put("a", "2");
    expect(drain(late)).toEqual(["4 a=2"]);
  });

  test("a subscriber that heard of everything is not disturbed by pruning", async () => {
    const { time, node, toy, put } = await bench();
    const subscription = await subscribed(toy, "s");
    await put("a", "1");
    await put("b", "1");
    await node.write("a", "remove");
    drain(subscription);
    time.now = HOUR + 1;
    await node.collection.prune();
    expect(node.collection.floorOf("s")).toBe(3);
    expect(drain(subscription)).toEqual([]);
  });
});

describe("control frames", () => {
  test("R13 stand at the cursor: never behind it, never above it", async () => {
    const { toy, put } = await bench();
    toy.complete = false;
    await put("a", "1");
    const subscription = toy.feed.join("s");
    const begun = toy.feed.begin(subscription, null);
    toy.complete = true;
    toy.feed.wakeAll();
    await begun;
    await put("b", "1");
    expect(drain(subscription)).toEqual(["2.f full first: a=1 b=1"]);
    await put("c", "1");
    await put("d", "1");
    expect(drain(subscription, 1)).toEqual(["3 c=1"]);
    toy.freshness = { fresh: false, reason: "gone", since: "2026-08-01T12:00:00Z" };
    toy.feed.wakeAll();
    expect(drain(subscription)).toEqual(["3.s status false gone", "4 d=1"]);
    toy.freshness = { fresh: true, since: "2026-08-01T12:00:01Z" };
    expect(drain(subscription)).toEqual(["4.s status true"]);
    subscription.end("revoked");
    expect(drain(subscription)).toEqual(["4.e ended revoked"]);
    expect(subscription.closed).toBe(true);
  });

  test("R13 of one that is ended before its first frame stand at the position that it came with", async () => {
    const { node, toy, put } = await bench();
    await put("a", "1");
    await put("b", "1");
    const position = formatPosition(node.collection.tagOf("s"), 1);
    const resumed = await subscribed(toy, "s", position);
    resumed.end("revoked");
    expect(drain(resumed)).toEqual(["1.e ended revoked"]);
    const fresh = await subscribed(toy, "s");
    fresh.end("project-gone");
    expect(drain(fresh)).toEqual(["0.e ended project-gone"]);
    expect(toy.feed.size).toBe(0);
  });

  test("say after a resume what is not complete and not fresh, and nothing when all is well", async () => {
    const { node, toy, put } = await bench();
    await put("a", "1");
    const at = formatPosition(node.collection.tagOf("s"), 0);
    expect(drain(await subscribed(toy, "s", at))).toEqual(["0.r resumed until 1 missed 1", "1 a=1"]);
    toy.complete = false;
    toy.freshness = { fresh: false, reason: "gone", since: "2026-08-01T12:00:00Z" };
    const subscription = await subscribed(toy, "s", at);
    expect(drain(subscription)).toEqual([
      "0.r resumed until 1 missed 1",
      "0.s status false gone",
      "1 a=1",
      "1.p progress false",
    ]);
    toy.complete = true;
    expect(drain(subscription)).toEqual(["1.p progress true"]);
    toy.freshness = { ...toy.freshness, reason: "still gone" };
    expect(drain(subscription)).toEqual(["1.s status false still gone"]);
  });

  test("a full says for itself whether it is complete; what is not fresh follows", async () => {
    const { toy, put } = await bench();
    await put("a", "1");
    toy.freshness = { fresh: false, reason: "gone", since: "2026-08-01T12:00:00Z" };
    const subscription = await subscribed(toy, "s");
    expect(drain(subscription)).toEqual(["1.f full first: a=1", "1.s status false gone"]);
  });
});

describe("R19 another order", () => {
  test("is told in mid-stream by a full of the new epoch, to a resuming one too", async () => {
    const { faults, node, toy, put } = await bench();
    await put("a", "1");
    await put("b", "1");
    const live = await subscribed(toy, "s");
    drain(live);
    const tag = node.collection.tagOf("s");
    const resuming = await subscribed(toy, "s", formatPosition(tag, 1)); // decided, not yet taken
    const empty = createMemoryJournal();
    await empty.open();
    await faults.replaceOrder(empty);
    await put("z", "1");
    for (const subscription of [live, resuming])
      expect(drain(subscription)).toEqual(["1.f full epoch-changed: z=1"]);
    const stale = await subscribed(toy, "s", formatPosition(tag, 1));
    expect(drain(stale)).toEqual(["1.f full epoch-changed: z=1"]);
    await put("y", "1");
    expect(drain(live)).toEqual(["2 y=1"]);
  });

  test("while it loads nothing is said", async () => {
    const { faults, toy, put } = await bench();
    await put("a", "1");
    const live = await subscribed(toy, "s");
    drain(live);
    faults.hold();
    const again = faults.followAgain();
    faults.release(1);
    expect(live.pending).toBe(false);
    expect(drain(live)).toEqual([]);
    faults.release();
    await again;
    expect(drain(live), "the same order: nothing was missed").toEqual([]);
    await put("b", "1");
    expect(drain(live)).toEqual(["2 b=1"]);
  });
});

describe("counting", () => {
  test("conflation counts the changes that a subscriber was spared, at the moment it has caught up", async () => {
    const { toy, put } = await bench();
    const subscription = await subscribed(toy, "s");
    drain(subscription);
    for (let n = 0; n < 5; n += 1) await put("a", `${n}`);
    await put("b", "1");
    drain(subscription);
    expect(toy.feed.counters).toMatchObject({ conflated: 4, deliveries: 3, resumes: 0, fulls: { first: 1 } });
    for (let n = 0; n < 3; n += 1) await put("b", `x${n}`);
    drain(subscription);
    expect(toy.feed.counters.conflated).toBe(6);
  });
});
