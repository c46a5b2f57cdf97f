/** A lane per key, between writers of several nodes that are faster. The clock of the retries is a fake one. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { turn } from "./helpers/cluster.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { laneBench, memory, valueIn } from "./helpers/lane-bench.ts";
import { openedToy } from "./helpers/toy-collection.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

describe("R15 a lane", () => {
  test("that is idle begins in this very turn", async () => {
    const { node, faults } = await laneBench();
    const write = node.write("k", { scope: "s", value: "1" });
    expect(faults.attempts).toHaveLength(1);
    expect(valueIn(node, "k"), "on the memory engine it is applied, too").toBe("1");
    await write;
  });

  test("has one append in flight; what comes meanwhile folds in order into the next commit, and all get that one", async () => {
    const { node, faults } = await laneBench();
    faults.answers.held = true;
    const first = node.write("k", { scope: "s", value: "a" });
    const later = [
      node.write("k", { add: "b" }),
      node.write("k", { hidden: false }),
      node.write("k", { add: "c" }),
    ];
    await turn();
    expect(faults.attempts).toHaveLength(1);
    faults.answers.open();
    expect(await first).toMatchObject({ sequence: 1, outcome: { changed: true } });
    const answers = await Promise.all(later);
    expect(answers.map(({ sequence }) => sequence)).toEqual([2, 2, 2]);
    expect(
      answers.map(({ outcome }) => outcome.changed),
      "each by its own patch",
    ).toEqual([true, false, true]);
    expect(answers.map(({ position }) => position)).toEqual(
      Array.from({ length: 3 }, () => `${node.collection.tagOf("s")}.2`),
    );
    expect(faults.attempts).toHaveLength(2);
    expect(valueIn(node, "k")).toBe("abc");
  });

  test("waits for no other key", async () => {
    const { node, faults } = await laneBench();
    faults.answers.held = true;
    const slow = node.write("slow", { scope: "s", value: "1" });
    faults.answers.held = false;
    expect(await node.write("quick", { scope: "s", value: "1" })).toMatchObject({ sequence: 2 });
    faults.answers.open();
    expect(await slow).toMatchObject({ sequence: 1 });
  });

  test("commits nothing when a fold ends equal, and answers with the present commit", async () => {
    const { node, faults } = await laneBench();
    await node.write("k", { scope: "s", value: "1" });
    expect(await node.write("k", { value: "1" })).toMatchObject({ sequence: 1, outcome: { changed: false } });
    await turn();
    faults.answers.held = true;
    const held = node.write("k", { add: "x" });
    const thereAndBack = [node.write("k", { value: "y" }), node.write("k", { value: "1x" })];
    faults.answers.open();
    await held;
    for (const { sequence, outcome } of await Promise.all(thereAndBack))
      expect({ sequence, outcome }, "changed by itself, nothing in sum").toEqual({
        sequence: 2,
        outcome: { changed: true },
      });
    expect(node.collection.head).toBe(2);
  });

  test("begins from the seed after a removal, in the same fold too", async () => {
    const { node, faults } = await laneBench();
    await node.write("k", { scope: "s", value: "old", hidden: true });
    await turn();
    faults.answers.held = true;
    const first = node.write("k", { add: "er" });
    const removal = node.write("k", "remove");
    const tooLittle = node.write("k", { value: "new" });
    const again = node.write("k", { scope: "t", add: "new" });
    tooLittle.catch(() => undefined);
    faults.answers.open();
    await first;
    expect((await removal).outcome).toEqual({ changed: true });
    await expect(tooLittle).rejects.toThrow("scope-required");
    expect(await again).toMatchObject({ sequence: 3 });
    expect(node.collection.record("k")?.state).toEqual({ scope: "t", value: "new", hidden: false });
  });

  test("rejects the writer of a patch that cannot be folded, and no other", async () => {
    const { node, faults } = await laneBench();
    faults.answers.held = true;
    const first = node.write("k", { scope: "s", value: "1" });
    const bad = node.write("k", { fail: "no such field" });
    const good = node.write("k", { add: "2" });
    bad.catch(() => undefined);
    faults.answers.open();
    await first;
    await expect(bad).rejects.toThrow("no such field");
    expect(await good).toMatchObject({ sequence: 2 });
    expect(valueIn(node, "k")).toBe("12");
  });

  test("answers only when its own node has applied the commit", async () => {
    const { node, faults } = await laneBench();
    faults.hold();
    let answered = false;
    const write = node.write("k", { scope: "s", value: "1" }).then((answer) => {
      answered = true;
      return answer;
    });
    await turn();
    faults.release(1); // the record, but not yet that it is complete up to there
    await turn();
    expect(answered).toBe(false);
    faults.release();
    expect(await write).toMatchObject({ sequence: 1 });
    expect(node.collection.waiting).toBe(0);
  });
});

describe("R15 a lost comparison", () => {
  test("folds the same operations again over what was newer", async () => {
    const { journal, node, faults } = await laneBench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "a" });
    faults.before = async () => {
      faults.before = undefined;
      await other.write("k", { add: "b", hidden: true });
    };
    const folds = node.folds;
    expect(await node.write("k", { add: "c" })).toMatchObject({ sequence: 3, outcome: { changed: true } });
    expect(node.folds - folds).toBe(2);
    expect(node.collection.record("k")?.state).toEqual({ scope: "s", value: "abc", hidden: true });
    expect(node.list("s"), "hidden by the other one").toEqual([["k", 2, null]]);
  });

  test("that was lost to the same change commits nothing, and says so", async () => {
    const { journal, node, faults } = await laneBench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "a" });
    faults.before = async () => {
      faults.before = undefined;
      await other.write("k", { value: "b" });
    };
    expect(await node.write("k", { value: "b" })).toMatchObject({ sequence: 2, outcome: { changed: false } });
    expect(node.collection.head).toBe(2);
  });

  test("waits until what was newer is applied here", async () => {
    const { journal, node, faults } = await laneBench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "a" });
    faults.hold();
    await other.write("k", { add: "b" });
    await other.write("k", { add: "c" });
    const write = node.write("k", { add: "d" });
    await turn();
    expect(faults.attempts).toHaveLength(2);
    faults.release();
    expect(await write).toMatchObject({ sequence: 4 });
    expect(valueIn(node, "k")).toBe("abcd");
  });

  test("against somebody who never stops is given up with a reason", async () => {
    const { journal, node, faults } = await laneBench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "" });
    faults.before = async () => void (await other.write("k", { add: "x" }));
    await expect(node.write("k", { add: "mine" })).rejects.toMatchObject({ reason: "conflict" });
    expect(valueIn(node, "k")).toMatch(/^x+$/);
    faults.before = undefined;
    await node.write("k", { add: "!" });
    expect(valueIn(node, "k")).toMatch(/^x+!$/);
  });

  test("over a record that was pruned elsewhere expects none", async () => {
    const { journal, log, node } = await laneBench();
    await node.write("k", { scope: "s", value: "a" });
    await node.write("k", "remove");
    await log.dropRecords([{ key: "k", sequence: 2 }]);
    expect(await node.write("k", { scope: "s", value: "b" })).toMatchObject({ sequence: 3 });
    expect((await following(journal.log("toys"))).newest().get("k")?.sequence).toBe(3);
  });
});

/** Letters behind each other: a lost or doubled commit shows in the value. */
test("R15 of two nodes that write the same keys through a bad network no write is lost and none is doubled", async () => {
  const fate = fc.oneof(
    { weight: 5, arbitrary: fc.constant("answered" as const) },
    { weight: 1, arbitrary: fc.constantFrom("ack-lost" as const, "request-lost" as const) },
  );
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant("write" as const), node: fc.nat(1), key: fc.nat(1) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("hold" as const), node: fc.nat(1), what: fc.nat(2) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("let" as const), node: fc.nat(1), index: fc.nat(3) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("open" as const), node: fc.nat(1) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("again" as const), node: fc.nat(1) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(300) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60, size: "max" }),
      fc.infiniteStream(fate),
      async (steps, answers) => {
        const journal = await memory({ step: () => 2 });
        const faults = [new JournalFaults(), new JournalFaults()];
        const losses = new Map<string, number>();
        for (const node of faults)
          node.fate = ({ messageId }) => {
            const fate = answers.next().value;
            const lost = losses.get(messageId) ?? 0;
            if (fate === "answered" || lost === 3) return "answered"; // within the retries of one message id
            losses.set(messageId, lost + 1);
            return fate;
          };
        const nodes = await Promise.all(faults.map((fault) => openedToy(withFaults(journal, fault))));
        const writes: Promise<unknown>[] = [];
        const written = ["", ""];
        for (const [index, step] of steps.entries()) {
          if (step.do === "wait") {
            await vi.advanceTimersByTimeAsync(step.ms);
            continue;
          }
          const fault = faults[step.node];
          const node = nodes[step.node];
          if (!fault || !node) throw new Error("there are two nodes");
          switch (step.do) {
            case "write": {
              const letter = String.fromCharCode(0x4e00 + index);
              written[step.key] += letter;
              writes.push(node.write(`k${step.key}`, { scope: "s", add: letter }));
              break;
            }
            case "hold":
              if (step.what === 0) fault.hold();
              else if (step.what === 1) fault.answers.held = true;
              else fault.requests.held = true;
              break;
            case "let":
              fault.release(step.index);
              fault.answers.releaseOne(step.index);
              fault.requests.releaseOne(step.index);
              break;
            case "open":
              fault.release();
              fault.answers.open();
              fault.requests.open();
              break;
            case "again":
              void fault.followAgain();
          }
          await turn();
        }
        let done = false;
        const all = Promise.all(writes).finally(() => {
          done = true;
        });
        all.catch(() => undefined);
        while (!done) {
          for (const fault of faults) fault.heal();
          await vi.advanceTimersByTimeAsync(1_000);
          await turn();
        }
        await all;
        for (const node of nodes)
          for (const [key, letters] of written.entries())
            expect([...(valueIn(node, `k${key}`) ?? "")].sort()).toEqual([...letters].sort());
        expect(nodes[0]?.list("s")).toEqual(nodes[1]?.list("s"));
      },
    ),
    { numRuns: 150 },
  );
});
