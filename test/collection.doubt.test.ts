/**
 * Writes whose outcome is not known, whose order is replaced, or whose service stops. The clock of the retries is a fake
 * one; there are no sockets here.
 */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Journal, JournalAppend } from "../src/journal/journal.ts";
import { turn } from "./helpers/cluster.ts";
import { following } from "./helpers/journal-sinks.ts";
import { fates, laneBench, memory, valueIn } from "./helpers/lane-bench.ts";
import { openedToy } from "./helpers/toy-collection.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** Lets the retries come due. */
async function waitOut(): Promise<void> {
  await turn();
  await vi.advanceTimersByTimeAsync(10_000);
  await turn();
}

describe("R15 an unknown outcome", () => {
  test.each([
    ["the answer was lost", ["ack-lost"]],
    ["the request was lost", ["request-lost"]],
    ["first the request and then the answer was lost", ["request-lost", "ack-lost", "ack-lost"]],
  ] as const)("is asked for again with the same message id when %s", async (_, lost) => {
    const { log, node, faults } = await laneBench();
    fates(faults, ...lost);
    const write = node.write("k", { scope: "s", value: "a" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect(faults.attempts).toHaveLength(lost.length + 1);
    expect(new Set(faults.attempts.map(({ messageId }) => messageId)).size).toBe(1);
    expect((await following(log)).records).toHaveLength(1);
  });

  test("of what was stored, and then written over by another, is answered with its own commit", async () => {
    const { journal, node, faults } = await laneBench();
    const other = await openedToy(journal);
    fates(faults, "ack-lost");
    const write = node.write("k", { scope: "s", value: "a" });
    await other.write("k", { value: "b" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect(valueIn(node, "k")).toBe("b");
  });

  test("of what was not stored folds again over what another wrote meanwhile", async () => {
    const { journal, node, faults } = await laneBench();
    const other = await openedToy(journal);
    await node.write("k", { scope: "s", value: "a" });
    fates(faults, "request-lost");
    const write = node.write("k", { add: "c" });
    await other.write("k", { add: "b" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 3, outcome: { changed: true } });
    expect(valueIn(node, "k")).toBe("abc");
  });

  test("that stays unknown is folded again: what was stored after all is recognised as its own", async () => {
    const { log, node, faults } = await laneBench();
    fates(faults, "ack-lost", "ack-lost", "ack-lost", "ack-lost");
    const write = node.write("k", { scope: "s", value: "a" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 1, outcome: { changed: true } });
    expect((await following(log)).records).toHaveLength(1);
  });

  test("that stays unknown is folded again: what was not stored is stored then", async () => {
    const { log, node, faults } = await laneBench();
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
    const { log, node, faults } = await laneBench(forgetful);
    await node.write("k", { scope: "s", value: "a" });
    fates(faults, "ack-lost");
    const write = node.write("k", { add: "b" });
    await waitOut();
    expect(await write).toMatchObject({ sequence: 2, outcome: { changed: true } });
    expect((await following(log)).newest().get("k")?.sequence).toBe(2);
    expect(valueIn(node, "k")).toBe("ab");
  });

  test("is said to be unknown when nothing helps, after a bounded time, and the next write goes on", async () => {
    const { node, faults } = await laneBench();
    faults.fate = () => "request-lost";
    const write = node.write("k", { scope: "s", value: "a" });
    write.catch(() => undefined);
    await waitOut();
    await expect(write).rejects.toMatchObject({ reason: "outcome-unknown" });
    fates(faults);
    expect(await node.write("k", { scope: "s", value: "b" })).toMatchObject({ sequence: 1 });
  });

  test("is not asked for again for longer than ten seconds by an engine that waits by itself", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { node, faults } = await laneBench();
    faults.fate = () => "request-lost";
    faults.slowly = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    const begun = performance.now();
    const write = node.write("k", { scope: "s", value: "a" });
    write.catch(() => undefined);
    let tookMs = 0;
    const settled = write.catch(() => {
      tookMs = performance.now() - begun;
    });
    for (let seconds = 0; seconds < 60; seconds += 1) await vi.advanceTimersByTimeAsync(1_000);
    await settled;
    await expect(write).rejects.toMatchObject({ reason: "outcome-unknown" });
    expect(tookMs).toBeLessThan(20_000);
  });

  test.each([
    ["at the next attempt", ["ack-lost", "refused"]],
    ["when it was folded again", ["request-lost", "request-lost", "request-lost", "ack-lost", "refused"]],
  ] as const)(
    "stays one when the engine says no %s: an earlier attempt may have been stored",
    async (_, answers) => {
      const { log, node, faults } = await laneBench();
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
    const { log, node, faults } = await laneBench();
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
    const { node, faults } = await laneBench();
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
    expect(valueIn(node, "k"), "what the old order held is gone").toBe("b");
    expect((await following(fresh.log("toys"))).newest().get("k")?.sequence).toBe(4);
  });

  test("a conflict of the old order is not waited for", async () => {
    const { journal, node, faults } = await laneBench();
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

  test("a head that was asked of the old order is not waited for", async () => {
    const { journal, node, faults } = await laneBench();
    for (let n = 0; n < 5; n += 1) await node.write("other", { scope: "s", value: `${n}` });
    await node.write("k", { scope: "s", value: "a" });
    await node.write("k", "remove");
    await journal.log("toys").dropRecords([{ key: "k", sequence: 7 }]);
    const fresh = await memory();
    faults.heads.held = true;
    const write = node.write("k", { scope: "s", value: "b" }); // no record there: as of which head?
    await turn();
    await faults.replaceOrder(fresh);
    faults.heads.open(); // asked of the old order, answered after the new one has begun
    expect(await write).toMatchObject({ sequence: 1 });
  });

  test("what was in doubt is folded anew, over what the new order holds", async () => {
    const { node, faults } = await laneBench();
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
    const { node, faults } = await laneBench();
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
    const { node, faults } = await laneBench();
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
