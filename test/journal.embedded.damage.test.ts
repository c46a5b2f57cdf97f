/** A data file that is not what was written is refused, with what to do, and left as it is. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadData } from "../src/journal/embedded/contents.ts";
import { readRows } from "../src/journal/embedded/data-pages.ts";
import { createEmbeddedJournal, filesIn } from "../src/journal/embedded/embedded.ts";
import { FORMAT } from "../src/journal/embedded/header.ts";
import { HEADER_KEY, sealJson } from "../src/journal/embedded/rows.ts";
import { loadStorage } from "../src/journal/embedded/store.ts";
import { type DataFolder, dataFolder } from "./helpers/embedded-folder.ts";
import { put } from "./helpers/journal-bench.ts";
import { following } from "./helpers/journal-sinks.ts";

let room: DataFolder;
/** A file with small and large records, and with free pages among the used ones. */
let whole: Buffer;
let rows: string[];

const rowsOf = (file: string): string[] =>
  Array.from(readRows(file), ({ key, value }) => `${key.toString("hex")} ${value.toString("base64")}`);

beforeAll(async () => {
  room = dataFolder();
  const journal = createEmbeddedJournal({ folder: room.path, durability: "process" });
  await journal.open();
  const log = journal.log("snapshots");
  const newest = new Map<string, number>();
  for (let n = 0; n < 600; n += 1) {
    const key = `key ${n % 150}`;
    const body = { n, text: "x".repeat(n % 20 === 0 ? 9_000 : n % 500) };
    newest.set(key, await put(log, key, body, newest.get(key) ?? 0));
  }
  for (let n = 0; n < 40; n += 1) await log.raiseFloor(`scope ${n}`, n + 1);
  await log.dropRecords([...newest].slice(0, 40).map(([key, sequence]) => ({ key, sequence })));
  await journal.close();
  const file = filesIn(room.path).data;
  whole = readFileSync(file);
  rows = rowsOf(file);
});
afterAll(() => room[Symbol.dispose]());

const PAGE = 4_096;
const PAGE_HEADER = 24;
const LEAF = 2;

/** In the first of all leaves, the places of two rows are others. */
function withPointers(change: (one: number, two: number) => [number, number]): Buffer {
  const other = Buffer.from(whole);
  let page = newestMeta().root;
  while (whole.readUInt16LE(page * PAGE + 18) !== LEAF)
    page = whole.readUInt16LE(page * PAGE + PAGE_HEADER + whole.readUInt16LE(page * PAGE + PAGE_HEADER));
  const at = page * PAGE + PAGE_HEADER + 4; // behind the header and the collection, which the others need
  const [one, two] = change(other.readUInt16LE(at), other.readUInt16LE(at + 2));
  other.writeUInt16LE(one, at);
  other.writeUInt16LE(two, at + 2);
  return other;
}

/** Where the transaction that was committed last begins: the roots of its two trees. */
function newestMeta(): { readonly free: number; readonly root: number } {
  const [even = 0, odd = 0] = [0, PAGE].map((page) =>
    Number(whole.readBigUInt64LE(page + PAGE_HEADER + 128)),
  );
  const at = (odd > even ? PAGE : 0) + PAGE_HEADER;
  return { free: Number(whole.readBigUInt64LE(at + 64)), root: Number(whole.readBigUInt64LE(at + 112)) };
}

/** Where the number of a free page stands, in a leaf of their tree: after the length of a transaction's list. */
function someFreePage(leaf: number): number {
  const node = leaf * PAGE + PAGE_HEADER + whole.readUInt16LE(leaf * PAGE + PAGE_HEADER);
  const list = node + 8 + whole.readUInt16LE(node + 6);
  for (let at = list + 8; at < (leaf + 1) * PAGE; at += 8) if (whole.readBigInt64LE(at) > 1n) return at;
  throw new Error("there is no free page in the first list");
}

let made = 0;
function folderWith(content: Buffer | string): { readonly folder: string; readonly file: string } {
  made += 1;
  const folder = join(room.room, `made-${made}`);
  mkdirSync(folder);
  const file = filesIn(folder).data;
  writeFileSync(file, content);
  return { folder, file };
}

async function refusalOf(folder: string): Promise<unknown> {
  const journal = createEmbeddedJournal({ folder });
  const refused = await journal.open().then(
    () => undefined,
    (error: unknown) => error,
  );
  await journal.close();
  return refused;
}

test("what the file holds is what can be read from it without the library", async () => {
  const { folder, file } = folderWith(whole);
  expect(rowsOf(file)).toEqual(rows);
  const journal = createEmbeddedJournal({ folder });
  await journal.open();
  const { records, floors } = await following(journal.log("snapshots"));
  expect(records).toHaveLength(110);
  expect(floors.size).toBe(40);
  await journal.close();
});

describe("refused, with what to do, and not touched", () => {
  test.each<readonly [what: string, content: () => Buffer | string, because: string]>([
    [
      "random bytes from end to end",
      () => Buffer.from(whole.map((_, at) => (at * 2_654_435_761) >>> 24)),
      "no data file",
    ],
    ["a text", () => "not a data file\n".repeat(1_000), "no data file"],
    ["a file cut off in its first page", () => whole.subarray(0, 100), "missing"],
    ["a file cut off in the middle", () => whole.subarray(0, whole.length / 2), "is missing"],
    ["a file whose last page is gone", () => whole.subarray(0, whole.length - 4_096), "is missing"],
    ["a file of zeros", () => Buffer.alloc(whole.length), "no data file"],
    [
      "a file in which every second page is random",
      () => Buffer.from(whole.map((byte, at) => (at > 8_192 && (at >> 12) % 2 ? (at * 31) & 0xff : byte))),
      "damaged",
    ],
    [
      "a file in which one letter of a body is another",
      () => {
        const other = Buffer.from(whole);
        // The newest of them: superseded records may lie about in free pages.
        for (let at = other.indexOf('"n":599'); at >= 0; at = other.indexOf('"n":599', at + 1))
          other[at + 5] = 0x38;
        return other;
      },
      "a row is not what was written",
    ],
    [
      "a file in which two rows are in each other's place",
      () => withPointers((one, two) => [two, one]),
      "no order",
    ],
    [
      "a file in which a row is there twice, and another is not",
      () => withPointers((one) => [one, one]),
      "no order",
    ],
    [
      "a file in which a page that is used is free as well",
      () => {
        const other = Buffer.from(whole);
        const { free, root } = newestMeta();
        other.writeBigInt64LE(BigInt(root), someFreePage(free));
        return other;
      },
      "is used twice",
    ],
  ])("%s", async (_, content, because) => {
    const { folder, file } = folderWith(content());
    const before = readFileSync(file);
    expect(await refusalOf(folder)).toMatchObject({
      name: "SnapwireError",
      reason: "unavailable",
      message: expect.stringMatching(new RegExp(`${file}.*damaged.*Put a backup in its place`)),
    });
    expect(String(await refusalOf(folder))).toContain(because);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("a file of a newer format, whatever else it holds", async () => {
    const { folder, file } = folderWith(whole);
    const store = await (await loadStorage())(file, "disk");
    const newer = sealJson(HEADER_KEY, { format: FORMAT + 1, "what a newer version needs": true });
    await store.commit(
      new Map([
        [HEADER_KEY.toString("latin1"), newer],
        ["\u0063 a new kind of row", newer],
      ]),
    );
    await store.close();
    const before = readFileSync(file);
    const refused = String(await refusalOf(folder));
    expect(refused).toContain(
      `written by a newer version of Snapwire (format ${FORMAT + 1}; this version reads up to`,
    );
    expect(refused).toContain("Start that version, or name another folder");
    expect(readFileSync(file).equals(before)).toBe(true);
  });
});

test("a file that was only just begun, or is empty, is begun anew", async () => {
  const { folder } = folderWith("");
  expect(await refusalOf(folder)).toBeUndefined();
  const begun = join(room.room, "begun");
  mkdirSync(begun);
  const store = await (await loadStorage())(filesIn(begun).data, "disk");
  await store.close();
  expect(await refusalOf(begun)).toBeUndefined();
});

/** A place in the file, and what is written there. */
const damage = fc.record({
  at: fc.nat(),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  flip: fc.boolean(),
});

test("whatever is written over whatever place, it is refused, or nothing of what counts was hit", () => {
  const { file } = folderWith(whole);
  let refused = 0;
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), (places) => {
      const content = Buffer.from(whole);
      for (const { at, bytes, flip } of places) {
        const from = at % content.length;
        if (flip) content[from] = (content[from] ?? 0) ^ (1 << ((bytes[0] ?? 0) % 8));
        else content.set(bytes.subarray(0, content.length - from), from);
      }
      writeFileSync(file, content);
      try {
        loadData(file);
      } catch (error) {
        expect(String(error)).toMatch(/is damaged|newer version/);
        refused += 1;
        return;
      }
      expect(rowsOf(file)).toEqual(rows);
    }),
    { numRuns: 400 },
  );
  expect(refused).toBeGreaterThan(100);
});

test("what is not refused opens and is used without harm", { timeout: 60_000 }, async () => {
  let opened = 0;
  await fc.assert(
    fc.asyncProperty(damage, async ({ at, bytes }) => {
      const content = Buffer.from(whole);
      const from = at % content.length;
      content.set(bytes.subarray(0, content.length - from), from);
      const { folder } = folderWith(content);
      const journal = createEmbeddedJournal({ folder, durability: "process" });
      try {
        await journal.open();
      } catch (error) {
        expect(String(error)).toMatch(/is damaged|newer version/);
        return;
      }
      opened += 1;
      const log = journal.log("snapshots");
      expect((await following(log)).records).toHaveLength(110);
      // Over all of its pages, used and free.
      const { newest } = await following(log);
      for (const [key, { sequence }] of newest()) await put(log, key, { text: "y".repeat(5_000) }, sequence);
      await journal.close();
      expect(loadData(filesIn(folder).data).header?.clean).toBe(true);
    }),
    { numRuns: 15 },
  );
  expect(opened).toBeGreaterThan(0);
});
