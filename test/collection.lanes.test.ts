/**
 * A lane per key, between writers that are faster, answers that are lost and orders that are replaced. The clock of the
 * retries is a fake one; there are no sockets here.
 */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Journal, JournalAppend } from "../src/journal/journal.ts";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { type AppendFate, JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { openedToy, type ToyNode } from "./helpers/toy-collection.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

async function memory(): Promise<Journal> {
  const journal = createMemoryJournal();
  await journal.open();
  return journal;
}

async function bench(wrap: (journal: Journal) => Journal = (journal) => journal) {
  const journal = await memory();
  const faults = new JournalFaults();
  const node = await openedToy(withFaults(wrap(journal), faults));
  return { journal, log: journal.log("toys"), faults, node };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The fates of the next attempts, in order; then everything is answered. */
function fates(faults: JournalFaults, ...next: AppendFate[]): void {
  faults.fate = () => next.shift() ?? "answered";
}

/** Lets the retries come due. */
async function waitOut(): Promise<void> {
  await turn();
  await vi.advanceTimersByTimeAsync(10_000);
  await turn();
}

const valueOf = (node: ToyNode, key: string) => node.collection.record(key)?.state.value;

describe("R15 a lane", () => {
  test("that is idle begins in this very turn", async () => {
    const { node, faults } = await bench();
    const write = node.write("k", { scope: "s", value: "1" });
    expect(faults.attempts).toHaveLength(1);
    expect(valueOf(node, "k"), "on the memory engine it is applied, too").toBe("1");
    await write;
  });

  test("has one append in flight; what comes meanwhile folds in order into the next commit, and all get that one", async () => {
    const { node, faults } = await bench();
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
    expect(valueOf(node, "k")).toBe("abc");
  });

  test("waits for no other key", async () => {
    const { node, faults } = await bench();
    faults.answers.held = true;
    const slow = node.write("slow", { scope: "s", value: "1" });
    faults.answers.held = false;
    expect(await node.write("quick", { scope: "s", value: "1" })).toMatchObject({ sequence: 2 });
    faults.answers.open();
    expect(await slow).toMatchObject({ sequence: 1 });
  });

  test("commits nothing when a fold ends equal, and answers with the present commit", async () => {
    const { node, faults } = await bench();
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
    const { node, faults } = await bench();
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
    const { node, faults } = await bench();
    faults.answers.held = true;
    const first = node.write("k", { scope: "s", value: "1" });
    const bad = node.write("k", { fail: "no such field" });
    const good = node.write("k", { add: "2" });
    bad.catch(() => undefined);
    faults.answers.open();
    await first;
    await expect(bad).rejects.toThrow("no such field");
    expect(await good).toMatchObject({ sequence: 2 });
    expect(valueOf(node, "k")).toBe("12");
  });

  test("answers only when its own node has applied the commit", async () => {
    const { node, faults } = await bench();
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
    const { journal, node, faults } = await bench();
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
    const { journal, node, faults } = await bench();
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
    const { journal, node, faults } = await bench();
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
    expect(valueOf(node, "k")).toBe("abcd");
  });

  test("against somebody who never stops is given up with a reason", async () => {
    const { journal, node, faults } = await bench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "" });
    faults.before = async () => void (await other.write("k", { add: "x" }));
    await expect(node.write("k", { add: "mine" })).rejects.toMatchObject({ reason: "conflict" });
    expect(valueOf(node, "k")).toMatch(/^x+$/);
    faults.before = undefined;
    await node.write("k", { add: "!" });
    expect(valueOf(node, "k")).toMatch(/^x+!$/);
  });

  test("over a record that was pruned elsewhere expects none", async () => {
    const { journal, log, node } = await bench();
    await node.write("k", { scope: "s", value: "a" });
    await node.write("k", "remove");
    await log.dropRecords([{ key: "k", sequence: 2 }]);
    expect(await node.write("k", { scope: "s", value: "b" })).toMatchObject({ sequence: 3 });
    expect((await following(journal.log("toys"))).newest().get("k")?.sequence).toBe(3);
  });
});

describe("R15 an unknown outcome", () => {
  test.each([
    ["the answer was lost", ["ack-lost"]],
    ["the request was lost", ["request-lost"]],
    ["first the request and then the answer was lost", ["request-lost", "ack-lost", "ack-lost"]],
  ] as const)("is asked for again with the same message id when %s", async (_, lost) => {
    const { log, node, faults } = await bench();
    fates(faults, ...lost);
    const write = node.write("k", { scope: "s", value: "a" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect(faults.attempts).toHaveLength(lost.length + 1);
    expect(new Set(faults.attempts.map(({ messageId }) => messageId)).size).toBe(1);
    expect((await following(log)).records).toHaveLength(1);
  });

  test("of what was stored, and then written over by another, is answered with its own commit", async () => {
    const { journal, node, faults } = await bench();
    const other = await openedToy(journal);
    fates(faults, "ack-lost");
    const write = node.write("k", { scope: "s", value: "a" });
    await other.write("k", { value: "b" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect(valueOf(node, "k")).toBe("b");
  });

  test("of what was not stored folds again over what another wrote meanwhile", async () => {
    const { journal, node, faults } = await bench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "a" });
    fates(faults, "request-lost");
    const write = node.write("k", { add: "c" });
    await other.write("k", { add: "b" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 3, outcome: { changed: true } });
    expect(valueOf(node, "k")).toBe("abc");
  });

  test("that stays unknown is folded again: what was stored after all is recognised as its own", async () => {
    const { log, node, faults } = await bench();
    fates(faults, "ack-lost", "ack-lost", "ack-lost", "ack-lost");
    const write = node.write("k", { scope: "s", value: "a" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect((await following(log)).records).toHaveLength(1);
  });

  test("that stays unknown is folded again: what was not stored is stored then", async () => {
    const { log, node, faults } = await bench();
    fates(faults, "request-lost", "request-lost", "request-lost", "request-lost", "ack-lost");
    const write = node.write("k", { scope: "s", value: "a" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect(new Set(faults.attempts.map(({ messageId }) => messageId)).size).toBe(2);
    expect((await following(log)).records).toHaveLength(1);
  });

  test("whose id the engine has forgotten is recognised by what was stored", async () => {
    const forgetful = (journal: Journal): Journal => ({
      ...journal,
      log: (collection) => {
        const log = journal.log(collection);
        return new Proxy(log, {
          get: (target, name) =>
            name === "append"
              ? (append: JournalAppend) => log.append({ ...append, messageId: randomUUID() })
              : (Reflect.get(target, name) as (...args: unknown[]) => unknown).bind(target),
        });
      },
    });
    const { log, node, faults } = await bench(forgetful);
    await node.write("k", { scope: "s", value: "a" });
    fates(faults, "ack-lost");
    const write = node.write("k", { add: "b" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 2, outcome: { changed: true } });
    expect((await following(log)).newest().get("k")?.sequence).toBe(2);
    expect(valueOf(node, "k")).toBe("ab");
  });

  test("is said to be unknown when nothing helps, after a bounded time, and the next write goes on", async () => {
    const { node, faults } = await bench();
    faults.fate = () => "request-lost";
    const write = node.write("k", { scope: "s", value: "a" });
    write.catch(() => undefined);
    await waitOut();
    await expect(write).rejects.toMatchObject({ reason: "outcome-unknown" });
    fates(faults);
    expect(await node.write("k", { scope: "s", value: "b" })).toMatchObject({ sequence: 1 });
  });

  test.each([
    ["at the next attempt", ["ack-lost", "refused"]],
    ["when it was folded again", ["request-lost", "request-lost", "request-lost", "ack-lost", "refused"]],
  ] as const)(
    "stays one when the engine says no %s: an earlier attempt may have been stored",
    async (_, answers) => {
      const { log, node, faults } = await bench();
      faults.hold();
      fates(faults, ...answers);
      const write = node.write("k", { scope: "s", value: "a" });
      write.catch(() => undefined);
      await waitOut();
      await expect(write).rejects.toMatchObject({ reason: "outcome-unknown" });
      expect(faults.attempts).toHaveLength(answers.length);
      expect((await following(log)).records, "and it was").toHaveLength(1);
    },
  );

  test("is not one when the engine says no: the writer hears so at once, and nothing is stored", async () => {
    const { log, node, faults } = await bench();
    fates(faults, "refused");
    await expect(node.write("k", { scope: "s", value: "a" })).rejects.toMatchObject({
      reason: "unavailable",
    });
    expect(faults.attempts).toHaveLength(1);
    expect((await following(log)).records).toEqual([]);
  });
});

describe("R19 when the order is replaced", () => {
  test("an answer of the old order counts for nothing: the write is folded into the new one", async () => {
    const { node, faults } = await bench();
    const fresh = await memory();
    await node.write("k", { scope: "s", value: "a" });
    faults.answers.held = true;
    const write = node.write("k", { scope: "s", add: "b" });
    await turn(); // stored in the old order, not yet answered
    await faults.replaceOrder(fresh);
    const other = await openedToy(fresh);
    for (const value of ["1", "2", "3"]) await other.write("other", { scope: "s", value }); // its own 2 and 3 go by
    faults.answers.open();
    expect(await write).toMatchObject({ sequence: 4, outcome: { changed: true } });
    expect(valueOf(node, "k"), "what the old order held is gone").toBe("b");
    expect((await following(fresh.log("toys"))).newest().get("k")?.sequence).toBe(4);
  });

  test("a conflict of the old order is not waited for", async () => {
    const { journal, node, faults } = await bench();
    const other = await openedToy(journal);
    for (let n = 0; n < 5; n += 1) await node.write("k", { scope: "s", value: `${n}` });
    const fresh = await memory();
    faults.before = async () => {
      faults.before = undefined;
      await other.write("k", { value: "faster" });
    };
    faults.answers.held = true;
    const write = node.write("k", { scope: "s", value: "mine" });
    await turn();
    await faults.replaceOrder(fresh);
    faults.answers.open();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
  });

  test("what was in doubt is folded anew, over what the new order holds", async () => {
    const { node, faults } = await bench();
    await node.write("k", { scope: "s", value: "a" });
    fates(faults, "ack-lost");
    const write = node.write("k", { scope: "s", add: "b" });
    await turn();
    const fresh = await memory();
    const other = await openedToy(fresh);
    await other.write("k", { scope: "t", value: "x" });
    await faults.replaceOrder(fresh);
    await waitOut();
    expect(await write).toMatchObject({ sequence: 2, outcome: { changed: true } });
    expect(node.collection.record("k")?.state).toMatchObject({ scope: "s", value: "xb" });
  });
});

describe("closing", () => {
  test("waits for the write in flight and for what folds after it", async () => {
    const { node, faults } = await bench();
    faults.answers.held = true;
    const writes = [node.write("k", { scope: "s", value: "a" }), node.write("k", { add: "b" })];
    let closed = false;
    const closing = node.collection.close().then(() => {
      closed = true;
    });
    await turn();
    expect(closed).toBe(false);
    faults.answers.open();
    expect(await Promise.all(writes)).toMatchObject([{ sequence: 1 }, { sequence: 2 }]);
    await closing;
    expect(vi.getTimerCount(), "no timer is left").toBe(0);
  });

  test("does not wait for ever: what was stored and cannot be seen here any more is in doubt", async () => {
    const { node, faults } = await bench();
    faults.hold();
    const write = node.write("k", { scope: "s", value: "a" });
    write.catch(() => undefined);
    const closing = node.collection.close();
    await vi.advanceTimersByTimeAsync(5_000);
    await closing;
    await expect(write).rejects.toMatchObject({ reason: "outcome-unknown" });
    expect(node.collection.waiting).toBe(0);
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
        const journal = createMemoryJournal({ step: () => 2 });
        await journal.open();
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
            expect([...(valueOf(node, `k${key}`) ?? "")].sort()).toEqual([...letters].sort());
        expect(nodes[0]?.list("s")).toEqual(nodes[1]?.list("s"));
      },
    ),
    { numRuns: 150 },
  );
});
