/** An ordered log by itself: its order, its floors, its views, and nodes that lag. */
import { describe, expect, test } from "vitest";
import { OrderedLog } from "../src/collection/log.ts";
import { floorName, readFloorName } from "../src/collection/log-floors.ts";
import { LogList } from "../src/collection/log-list.ts";
import type { LogNode, LogQuery } from "../src/collection/log-node.ts";
import type { Journal, JournalLog, JournalSink } from "../src/journal/journal.ts";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { silentLogger } from "../src/log.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";

interface Body {
  readonly scope: string | null;
  readonly type: string;
  readonly topic?: string;
  readonly at: number;
}

const VIEWS: Readonly<Record<string, LogQuery>> = {
  all: { targets: [{ of: "all" }] },
  a: { targets: [{ of: "scope", scope: "a" }] },
  b: { targets: [{ of: "scope", scope: "b" }] },
  w: { targets: [{ of: "topic", topic: "w" }] },
  "w in a": { targets: [{ of: "topic", topic: "w", scope: "a" }] },
  "a and w": {
    targets: [
      { of: "scope", scope: "a" },
      { of: "topic", topic: "w" },
    ],
  },
  "x of a": { targets: [{ of: "scope", scope: "a" }], types: new Set(["x"]) },
};

async function bench(options: { journal?: Journal; perScope?: number; maxFloors?: number } = {}) {
  const journal = options.journal ?? createMemoryJournal();
  await journal.open();
  const told: string[] = [];
  const errors: object[] = [];
  const log = new OrderedLog<string>({
    name: "log",
    journal,
    revision: "1",
    now: () => 1_000,
    logger: { ...silentLogger, error: (facts) => void errors.push(facts) },
    limits: { perScope: options.perScope ?? 1_000, forMs: 1_000_000, inAll: 100_000, bytesInAll: 1e9 },
    ...(options.maxFloors === undefined ? {} : { maxFloors: options.maxFloors }),
    itemOf: (key, body) => {
      const { scope, type, topic, at } = body as unknown as Body;
      if (typeof type !== "string") return undefined;
      return { entry: key, scope, type, topics: topic === undefined ? [] : [topic], at, bytes: 10 };
    },
    queryOf: (name) => VIEWS[name] ?? { targets: [] },
    tell: (node, views) => void told.push(`${node.entry}: ${views.join(", ")}`),
    tellFloors: () => undefined,
    tellStatus: () => undefined,
  });
  await log.open();
  const put = (key: string, scope: string | null, type = "x", topic?: string) =>
    log.append(key, { scope, type, at: 1_000, ...(topic === undefined ? {} : { topic }) });
  return { journal, log, told, errors, put };
}

/** A journal that gives what the test says. */
function handFed(): Journal & { readonly sink: JournalSink } {
  let sink: JournalSink | undefined;
  const log = {
    follow: async (given: JournalSink) => {
      sink = given;
      given.reset("epoch");
      given.advance(0);
      return { stop: () => undefined };
    },
  };
  return {
    engine: "by hand",
    durable: false,
    open: async () => undefined,
    close: async () => undefined,
    log: () => log as unknown as JournalLog,
    get sink() {
      if (!sink) throw new Error("nobody follows");
      return sink;
    },
  };
}

const keysAfter = (log: OrderedLog<string>, view: string, sequence = 0): string[] => {
  const keys: string[] = [];
  for (let node = log.view(view).after(sequence); node; node = log.view(view).after(node.sequence))
    keys.push(node.key);
  return keys;
};

describe("a view", () => {
  test("is the union of its lists in order, one copy of each entry", async () => {
    const { log, told, put } = await bench();
    for (const name of ["all", "w in a", "a and w", "x of a", "b"]) log.watched(name);
    await put("1", "a");
    await put("2", "b", "x", "w");
    await put("3", "a", "y", "w");
    await put("4", null);
    expect(told).toEqual([
      "1: all, a and w, x of a",
      "2: all, b, a and w",
      "3: all, a and w, w in a",
      "4: all",
    ]);
    expect(keysAfter(log, "a and w")).toEqual(["1", "2", "3"]);
    expect(keysAfter(log, "w in a")).toEqual(["3"]);
    expect(keysAfter(log, "all", 2)).toEqual(["3", "4"]);
    expect(
      log
        .view("a and w")
        .newest(2)
        .map(({ key }) => key),
    ).toEqual(["2", "3"]);
    expect(log.view("all").countAfter(1)).toBe(3);
    for (const name of ["all", "w in a", "a and w", "x of a", "b"]) log.unwatched(name);
    expect(log.views).toBe(0);
  });

  test("knows its newest entry and its floor from the start, whoever watched before", async () => {
    const { log, put } = await bench({ perScope: 2 });
    for (let n = 1; n <= 6; n += 1) await put(`${n}`, "a", n % 2 === 0 ? "x" : "y", "w");
    await log.trim();
    expect(log.view("all")).toMatchObject({ latest: 6, floor: 4, sure: 4 });
    expect(log.view("x of a")).toMatchObject({ latest: 6, floor: 4, sure: 4 });
    expect(log.view("w in a")).toMatchObject({ latest: 6, floor: 4, sure: 0 });
    expect(log.view("b")).toMatchObject({ latest: 0, floor: 0, sure: 0 });
    expect(log.lists).toBe(3);
  });
});

describe("floors", () => {
  test("stand per scope and type, in names that nothing can be taken for", () => {
    for (const name of [
      { scope: null, type: "x" },
      { scope: 'a","b', type: "x" },
      { scope: "", type: "a:b" },
    ])
      expect(readFloorName(floorName(name))).toEqual(name);
    for (const foreign of ["", "a", "[1,2]", '["a"]', '["a","b","c"]', "null"])
      expect(readFloorName(foreign)).toBeUndefined();
  });

  test("of scopes that hold nothing fold into one when there are too many, and nobody is served below it", async () => {
    const journal = createMemoryJournal();
    const { log, put } = await bench({ journal, perScope: 0, maxFloors: 3 });
    for (const scope of ["s1", "s2", "s3", "a"]) await put(scope, scope);
    await log.trim(); // nothing is kept: four floors
    const floors = new Map<string | null, number>();
    await journal.log("log").follow({
      reset: () => undefined,
      record: () => undefined,
      floor: (name, floor) => void floors.set(name, floor),
      advance: () => undefined,
      status: () => undefined,
    });
    expect(floors).toEqual(new Map([[null, 4]]));
    await log.close();
    const next = await bench({ journal });
    expect(next.log.view("a")).toMatchObject({ floor: 4, sure: 0 });
    await next.put("5", "a");
    // What was lost while it was absent is older than everything that it has since.
    expect(next.log.view("a").floor).toBe(4);
    await next.put("6", "b");
    expect(next.log.view("b").floor).toBe(4);
  });

  test("that nobody can read are reported and skipped; so are records", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    await journal.log("log").raiseFloor("not a name", 3);
    await journal
      .log("log")
      .append({ key: "odd", body: { of: "another version" }, expect: 0, messageId: "m" });
    const { log, errors, put } = await bench({ journal });
    expect(errors).toMatchObject([{ floor: "not a name" }, { key: "odd" }]);
    expect(log.loaded).toBe(true);
    expect(await put("odd", "a")).toMatchObject({ duplicate: true }); // its id is taken all the same
    expect(await put("even", "a")).toMatchObject({ duplicate: false });
  });

  test("that are told to a node that has not come so far count when it has, for those who may have missed something", async () => {
    const journal = handFed();
    const { log } = await bench({ journal });
    const { sink } = journal;
    const record = (sequence: number, scope: string): void => {
      sink.record({ sequence, key: `${sequence}`, body: { scope, type: "x", at: 1_000 } });
      sink.advance(sequence);
    };
    for (const view of ["a", "b"]) log.watched(view);
    record(1, "a");
    sink.floor(floorName({ scope: "a", type: "x" }), 4); // it overtakes what it covers
    expect(log.view("a").floor).toBe(0);
    record(2, "a"); // 3 and 4 were deleted before this node came to them
    expect(log.view("a")).toMatchObject({ floor: 0, latest: 2 });
    record(5, "b");
    expect(log.view("a")).toMatchObject({ floor: 4, sure: 4 });
    expect(log.view("b")).toMatchObject({ floor: 0 });
    expect(keysAfter(log, "all")).toEqual(["5"]);
  });

  test("that rose while a node followed again are told; those that it had seen are not told twice", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const { log, put } = await bench({ journal: withFaults(journal, faults), perScope: 2 });
    log.watched("w in a");
    for (const key of ["1", "2", "3", "4"]) await put(key, "a"); // nothing of w among them
    await log.trim();
    expect(log.view("w in a").floor).toBe(0); // exact: it watched
    await faults.followAgain();
    expect(log.view("w in a").floor).toBe(0);
    faults.hold();
    const other = await bench({ journal, perScope: 1 });
    await other.put("5", "a", "x", "w");
    await other.put("6", "a");
    await other.log.trim();
    await Promise.race([faults.followAgain(), Promise.resolve()]);
    faults.release();
    expect(log.view("w in a").floor).toBe(5); // it was not there when that one was
  });
});

describe("an append", () => {
  test("in doubt is asked for again, and is no duplicate of itself", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const { log, put } = await bench({ journal: withFaults(journal, faults) });
    let attempts = 0;
    faults.fate = () => {
      attempts += 1;
      return attempts === 1 ? "ack-lost" : "answered";
    };
    expect(await put("1", "a")).toEqual({ sequence: 1, duplicate: false });
    expect(attempts).toBe(2);
    expect(log.size).toBe(1);
  });

  test("that fails tells nothing, and says whether it may have been stored", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const { log, told, put } = await bench({ journal: withFaults(journal, faults) });
    log.watched("all");
    faults.fate = () => "refused";
    await expect(put("1", "a")).rejects.toMatchObject({ reason: "unavailable" });
    faults.away("gone");
    await expect(put("2", "a")).rejects.toMatchObject({ reason: "unavailable" });
    expect(told).toEqual([]);
    expect(log.head).toBe(0);
  });

  test("of two nodes at once: one is stored, the other is the duplicate, and both have applied it", async () => {
    const journal = createMemoryJournal();
    const one = await bench({ journal });
    const two = await bench({ journal });
    const answers = await Promise.all([one.put("k", "a"), two.put("k", "b")]);
    expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    expect(answers[1]?.sequence).toBe(answers[0]?.sequence);
    for (const { log } of [one, two]) expect(log.get("k")?.scope).toBe("a");
  });
});

describe("a list", () => {
  const node = (sequence: number): LogNode<string> => ({
    key: `${sequence}`,
    sequence,
    entry: `${sequence}`,
    scope: null,
    type: "x",
    topics: [],
    at: 0,
    bytes: 1,
    told: undefined,
    gone: false,
  });

  test("finds its way by position, however much of it is gone, and holds no more than twice what is left", () => {
    const list = new LogList<string>();
    const nodes = Array.from({ length: 1_000 }, (_, n) => node((n + 1) * 3));
    for (const one of nodes) list.push(one);
    const any = (): boolean => true;
    for (const [at, one] of nodes.entries()) {
      if (at % 7 === 0) continue;
      one.gone = true;
      list.lost();
      const left = nodes.filter(({ gone }) => !gone);
      if (at % 50 === 0) {
        for (const from of [0, 1, 3, one.sequence - 1, one.sequence, 2_999, 3_000]) {
          expect(list.after(from, any)).toBe(left.find(({ sequence }) => sequence > from));
          expect(list.before(from, any)).toBe(left.findLast(({ sequence }) => sequence < from));
        }
        expect(list.oldest()).toBe(left[0]);
      }
    }
    expect(list.count).toBe(Math.ceil(1_000 / 7));
    expect([...list].map(({ sequence }) => sequence)).toEqual(
      nodes.filter(({ gone }) => !gone).map(({ sequence }) => sequence),
    );
    expect(list.upTo(30).map(({ sequence }) => sequence)).toEqual([3, 24]);
  });
});
