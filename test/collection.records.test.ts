/** What a collection makes of the ordered log: live, after a cold start, and when the log holds what it cannot read. */
import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JournalLog, JournalSink } from "../src/journal/journal.ts";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { openedToy, type ToyNode, toyNode } from "./helpers/toy-collection.ts";

async function memory() {
  const journal = createMemoryJournal({ epoch: "e" });
  await journal.open();
  return journal;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

const tell = ({ told }: ToyNode) =>
  told.map(({ key, sequence, shown, gone }) => [sequence, key, shown?.scope ?? null, ...gone]);

/** The lists of some scopes, as a node shows them that starts from the newest record of each key. */
async function coldLists(journal: Awaited<ReturnType<typeof memory>>, scopes: readonly string[]) {
  const cold = await openedToy(journal);
  const lists = scopes.map((scope) => cold.list(scope));
  await cold.collection.close();
  return lists;
}

describe("a move", () => {
  test("is one record: gone in the old scope, shown in the new one, told as one change", async () => {
    const node = await openedToy(await memory());
    await node.write("k", { scope: "a", value: "x" });
    await node.write("k", { scope: "b" });
    expect(node.list("a")).toEqual([["k", 2, null]]);
    expect(node.list("b")).toEqual([["k", 2, "x"]]);
    expect(tell(node)).toEqual([
      [1, "k", "a"],
      [2, "k", "b", "a"],
    ]);
  });

  test("there and back and on leaves each departure at its own sequence, after a cold start too", async () => {
    const journal = await memory();
    const node = await openedToy(journal);
    for (const scope of ["a", "b", "a", "c"]) await node.write("k", { scope, value: "x" });
    await node.write("k", { value: "y" });
    const scopes = ["a", "b", "c"];
    const lists = [[["k", 4, null]], [["k", 3, null]], [["k", 5, "y"]]];
    expect(scopes.map((scope) => node.list(scope))).toEqual(lists);
    expect(await coldLists(journal, scopes)).toEqual(lists);
  });

  test("puts departures between the records of others on a cold start", async () => {
    const journal = await memory();
    const node = await openedToy(journal);
    await node.write("k1", { scope: "a", value: "1" });
    await node.write("k2", { scope: "a", value: "1" });
    await node.write("k1", { scope: "b" }); // 3
    await node.write("k3", { scope: "a", value: "1" }); // 4
    await node.write("k2", "remove"); // 5
    await node.write("k4", { scope: "a", value: "1" }); // 6
    await node.write("k1", { value: "2" }); // 7
    const list = [
      ["k1", 3, null],
      ["k3", 4, "1"],
      ["k2", 5, null],
      ["k4", 6, "1"],
    ];
    expect(node.list("a")).toEqual(list);
    expect(await coldLists(journal, ["a"])).toEqual([list]);
  });
});

describe("a hidden record", () => {
  test("is told as gone once; what changes while it is hidden takes a sequence and touches no list", async () => {
    const journal = await memory();
    const node = await openedToy(journal);
    await node.write("k", { scope: "a", value: "1" });
    await node.write("other", { scope: "a", value: "1" });
    await node.write("k", { hidden: true });
    await node.write("k", { value: "2" });
    expect(await node.write("k", { value: "3" })).toMatchObject({ sequence: 5, outcome: { changed: true } });
    const list = [
      ["other", 2, "1"],
      ["k", 3, null],
    ];
    expect(node.list("a")).toEqual(list);
    expect(node.collection.head).toBe(5);
    expect(await coldLists(journal, ["a"])).toEqual([list]);
    await node.write("k", "remove");
    expect(node.list("a"), "removed while hidden: it is gone already").toEqual(list);
    expect(await coldLists(journal, ["a"])).toEqual([list]);
    expect(tell(node)).toEqual([
      [1, "k", "a"],
      [2, "other", "a"],
      [3, "k", null, "a"],
    ]);
  });

  test("that moves while hidden is shown in the scope where it appears, and was told gone in the first", async () => {
    const journal = await memory();
    const node = await openedToy(journal);
    await node.write("k", { scope: "a", value: "1" });
    await node.write("k", { hidden: true });
    await node.write("k", { scope: "b" });
    await node.write("k", { scope: "c", hidden: false });
    const lists = [[["k", 2, null]], [], [["k", 4, "1"]]];
    expect(["a", "b", "c"].map((scope) => node.list(scope))).toEqual(lists);
    expect(await coldLists(journal, ["a", "b", "c"])).toEqual(lists);
  });

  test("that was never shown is known to no scope", async () => {
    const journal = await memory();
    const node = await openedToy(journal);
    await node.write("k", { scope: "a", value: "1", hidden: true });
    await node.write("k", "remove");
    expect(node.told).toEqual([]);
    expect(node.collection.view("a")).toBeUndefined();
    expect(await coldLists(journal, ["a"])).toEqual([[]]);
  });
});

describe("telling", () => {
  test("is one queue: what a listener commits is told after what it was told", async () => {
    const node = await openedToy(await memory());
    const seen: string[] = [];
    node.onTold = ({ key, sequence }) => {
      seen.push(`${key}@${sequence} begins`);
      if (key === "a") void node.write("b", { scope: "s", value: "1" });
      seen.push(`${key}@${sequence} ends`);
    };
    await node.write("a", { scope: "s", value: "1" });
    expect(seen).toEqual(["a@1 begins", "a@1 ends", "b@2 begins", "b@2 ends"]);
  });

  test("is one queue on an engine too that gives a record in the midst of another", async () => {
    let sink: JournalSink | undefined;
    let head = 0;
    const log: Pick<JournalLog, "follow" | "append"> = {
      follow: async (given) => {
        sink = given;
        sink.reset("e");
        sink.advance(0);
        return { stop: () => undefined };
      },
      append: async ({ key, body }) => {
        head += 1;
        const sequence = head;
        sink?.record({ sequence, key, body });
        sink?.advance(sequence);
        return { sequence };
      },
    };
    const engine = {
      engine: "nested",
      durable: false,
      open: async () => undefined,
      close: async () => undefined,
    };
    const node = await openedToy({ ...engine, log: () => log as JournalLog });
    const seen: string[] = [];
    node.onTold = ({ key }) => {
      seen.push(`${key} begins`);
      if (key === "a") void node.write("b", { scope: "s", value: "1" });
      seen.push(`${key} ends`);
    };
    await node.write("a", { scope: "s", value: "1" });
    expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends"]);
    expect(node.list("s").map(([key]) => key)).toEqual(["a", "b"]);
  });

  test("shows listeners applied state only: the commit that is told is there, and in no scope twice", async () => {
    const node = await openedToy(await memory());
    node.onTold = ({ key, shown, gone }) => {
      for (const scope of gone) expect(node.collection.view(scope)?.node(key)?.entry).toBeNull();
      if (shown) expect(node.collection.view(shown.scope)?.node(key)?.entry).toBe(shown.entry);
      expect(node.collection.head).toBe(node.told.at(-1)?.sequence);
    };
    for (const scope of ["a", "b", "a"]) await node.write("k", { scope, value: "x" });
    await node.write("k", "remove");
    expect(node.told).toHaveLength(4);
  });

  test("of a node that writes in a listener disturbs no other node on the same journal", async () => {
    const journal = await memory();
    const [one, two] = [await openedToy(journal), await openedToy(journal)];
    one.onTold = ({ key }) => {
      if (key === "a") void one.write("b", { scope: "s", value: "1" });
    };
    await one.write("a", { scope: "s", value: "1" });
    expect(two.list("s")).toEqual(one.list("s"));
    expect(tell(two)).toEqual(tell(one));
  });
});

describe("a log with records that this version cannot read", () => {
  test("is followed all the same: they are skipped and reported, and nothing throws", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 8 }), async (bodies) => {
        const journal = await memory();
        const live = await openedToy(journal);
        const append = (key: string, body: unknown) =>
          journal.log("toys").append({ key, body: body as never, expect: 0, messageId: randomUUID() });
        for (const [index, body] of bodies.entries()) await append(`junk ${index}`, body);
        for (const [index, item] of bodies.entries()) {
          const left = Array.isArray(item) ? item : [item];
          await append(`left ${index}`, { scope: "s", hidden: false, left, at: 0, state: item });
        }
        const { sequence } = await live.write("k", { scope: "s", value: "1" });
        const cold = await openedToy(journal);
        for (const node of [live, cold]) {
          expect(node.collection.head).toBe(sequence);
          expect(node.collection.view("s")?.node("k")?.entry?.value).toBe("1");
        }
      }),
    );
  });

  test("is not overwritten: a write over such a record is refused", async () => {
    const journal = await memory();
    const node = await openedToy(journal);
    const first = await node.write("k", { scope: "s", value: "1" });
    const newer = { version: 2, unheardOf: true };
    const log = journal.log("toys");
    await log.append({ key: "k", body: newer, expect: first.sequence, messageId: randomUUID() });
    await expect(node.write("k", { value: "2" })).rejects.toMatchObject({ reason: "conflict" });
    expect(node.collection.view("s")?.node("k")?.entry?.value, "the last value that could be read").toBe("1");
    expect(node.collection.head).toBe(2);
    expect(node.complaints).toHaveLength(1);
  });
});

describe("following again", () => {
  test("in the same epoch rebuilds the same lists, and tells nobody", async () => {
    const faults = new JournalFaults();
    const node = await openedToy(withFaults(await memory(), faults));
    for (const scope of ["a", "b", "a"]) await node.write("k", { scope, value: scope });
    await node.write("gone", { scope: "a", value: "1" });
    await node.write("gone", "remove");
    const before = ["a", "b"].map((scope) => node.list(scope));
    const told = node.told.length;
    await faults.followAgain();
    expect(["a", "b"].map((scope) => node.list(scope))).toEqual(before);
    expect(node.collection.head).toBe(5);
    expect(node.told).toHaveLength(told);
    expect(node.resets).toBe(2);
  });

  test("serves nothing from a half-loaded backlog, and a write that comes meanwhile waits for the rest", async () => {
    const faults = new JournalFaults();
    const node = await openedToy(withFaults(await memory(), faults));
    await node.write("a", { scope: "s", value: "1" });
    await node.write("b", { scope: "s", value: "1" });
    await turn();
    faults.hold();
    const again = faults.followAgain();
    faults.release(2); // the reset, and the record of `a`
    expect(node.collection.loaded).toBe(false);
    const write = node.write("b", { value: "2" }); // says no scope: only over the record of `b` it is whole
    const removal = node.write("b", "remove");
    faults.release();
    await again;
    expect((await write).outcome).toEqual({ changed: true });
    expect((await removal).outcome).toEqual({ changed: true });
    expect(node.list("s").map(([key, , value]) => [key, value])).toEqual([
      ["a", "1"],
      ["b", null],
    ]);
  });

  test("in the same epoch a write that was acknowledged is answered as what it was", async () => {
    const faults = new JournalFaults();
    const node = await openedToy(withFaults(await memory(), faults));
    await node.write("k", { scope: "s", value: "1" });
    faults.hold();
    const write = node.write("k", { value: "2" });
    await turn(); // stored and acknowledged; not applied here
    const again = faults.followAgain();
    faults.release();
    await again;
    expect(await write).toMatchObject({ sequence: 2, outcome: { changed: true } });
    expect(node.collection.waiting).toBe(0);
  });

  test("another order forgets the old one wholly, and nothing of it can be waited for", async () => {
    const faults = new JournalFaults();
    const node = await openedToy(withFaults(await memory(), faults));
    await node.write("k", { scope: "s", value: "1" });
    const tag = node.collection.tagOf("s");
    const waits = node.collection.applied(5_000);
    const empty = createMemoryJournal({ epoch: "another" });
    await empty.open();
    await faults.replaceOrder(empty);
    await expect(waits).rejects.toMatchObject({ name: "OrderReplaced" });
    expect(node.collection.head).toBe(0);
    expect(node.list("s")).toEqual([]);
    expect(node.collection.tagOf("s")).not.toBe(tag);
    expect(await node.write("k", { scope: "s", value: "2" })).toMatchObject({ sequence: 1 });
  });
});

test("R6 the tag of a position is another one for another epoch, revision, collection or scope", async () => {
  const tags = new Set<string>();
  for (const epoch of ["e1", "e2"])
    for (const revision of ["1", "2"]) {
      const journal = createMemoryJournal({ epoch });
      const node = await openedToy(journal, { revision });
      for (const scope of ["p", "p1", "p.1", ""]) {
        const tag = node.collection.tagOf(scope);
        expect(tag).toMatch(/^[A-Za-z0-9_-]{12}$/);
        tags.add(tag);
      }
    }
  expect(tags.size).toBe(16);
});

test("a collection that is closed rejects those who wait, and those who ask later", async () => {
  const node = await openedToy(await memory());
  const waits = node.collection.applied(10);
  await Promise.all([expect(waits).rejects.toThrow("closed"), node.collection.close()]);
  await expect(node.collection.applied(10)).rejects.toThrow("closed");
  expect(node.collection.waiting).toBe(0);
  const unopened = toyNode(await memory());
  await unopened.collection.close();
});
