/**
 * Reads the data file page by page, before the engine's library maps it into memory: over a damaged tree that library
 * reads whatever it finds, and a signal ends the process. Nothing here trusts a number of the file before it was
 * compared with something else.
 *
 * The format is that of LMDB, data version 2: two meta pages, of which the one with the higher transaction counts, then
 * pages of two trees (rows; free pages by transaction) and overflow pages. Every page is in one place at most.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { Damage } from "./damage.ts";

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

const PAGE_HEADER = 24;
const NODE_HEADER = 8;
const META_MAGIC = 0xbeefc0de;
const DATA_VERSION = 2;
const SMALLEST_PAGE = 512;
const LARGEST_PAGE = 65_536;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
/** Deeper than any tree that fits into a file: a page of a branch holds at least two. */
const DEEPEST = 48;
const [BRANCH, LEAF, OVERFLOW, META] = [0x01, 0x02, 0x04, 0x08];
const BIG_DATA = 0x01;
/** Keys of the tree of free pages are numbers; nothing else is asked of either tree. */
const FREE_FLAGS = 0x08;
/** Flags of the whole file that are stored beside those of the free tree: one file, not a folder. */
const FILE_FLAGS = 0x4000;

interface Tree {
  readonly depth: number;
  readonly branches: number;
  readonly leaves: number;
  readonly overflows: number;
  readonly entries: number;
  readonly root: number | undefined;
}

interface Meta {
  readonly pageSize: number;
  readonly transaction: number;
  readonly lastPage: number;
  readonly free: Tree;
  readonly rows: Tree;
}

/**
 * Every row, in the order of the keys. The whole file has been looked at when the last one was given.
 * @throws {@link Damage} when the file is not what the library can have written. A file that does not exist, or that is
 * empty, has no rows.
 */
export function* readRows(path: string): Generator<Row> {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    if (fstatSync(file).size === 0) return;
    yield* new DataPages(file).rows();
  } finally {
    closeSync(file);
  }
}

class DataPages {
  readonly #file: number;
  readonly #meta: Meta;
  /** What each page is part of: 0 nothing, 1 a tree, 2 free. */
  readonly #use: Uint8Array;
  #branches = 0;
  #leaves = 0;
  #overflows = 0;
  #entries = 0;

  constructor(file: number) {
    this.#file = file;
    const first = readMeta(this.#bytes(0, LARGEST_PAGE, "the first page"));
    const second = readMeta(this.#bytes(first.pageSize, LARGEST_PAGE, "the second page"));
    if (second.pageSize !== first.pageSize) throw new Damage("its first pages have two sizes");
    // Transactions take turns on the two pages.
    const [even, odd] = [first.transaction, second.transaction];
    if (even % 2 !== 0 || (odd % 2 !== 1 && odd !== 0) || Math.abs(even - odd) > 1)
      throw new Damage("its first pages contradict each other");
    this.#meta = odd > even ? second : first;
    const { lastPage, pageSize } = this.#meta;
    if (lastPage < 1 || lastPage > fstatSync(file).size / pageSize + LARGEST_PAGE)
      throw new Damage("it is shorter than it says");
    this.#use = new Uint8Array(lastPage + 1).fill(1, 0, 2);
  }

  *rows(): Generator<Row> {
    for (const { key, value } of this.#tree(this.#meta.free, compareNumbers)) this.#free(key, value);
    yield* this.#tree(this.#meta.rows, Buffer.compare);
  }

  #bytes(from: number, most: number, what: string, least = SMALLEST_PAGE): Buffer {
    const bytes = Buffer.allocUnsafe(most);
    const length = readSync(this.#file, bytes, 0, most, from);
    if (length < least) throw new Damage(`${what} is missing`);
    return bytes.subarray(0, length);
  }

  /** The pages from `page` on, which nothing else may use. */
  #take(page: number, count: number): Buffer {
    const { lastPage, pageSize } = this.#meta;
    if (page < 2 || count < 1 || page + count - 1 > lastPage) throw new Damage(`there is no page ${page}`);
    this.#mark(page, count, 1);
    return this.#bytes(page * pageSize, count * pageSize, `page ${page}`, count * pageSize);
  }

  #mark(page: number, count: number, use: number): void {
    for (let at = page; at < page + count; at += 1) {
      if (this.#use[at] !== 0) throw new Damage(`page ${at} is used twice`);
      this.#use[at] = use;
    }
  }

  /** The pages that one transaction gave back: numbers, 0 for none, and before a run of pages its length below 0. */
  #free(key: Buffer, value: Buffer): void {
    if (key.length !== 8 || value.length < 8 || value.length % 8 !== 0)
      throw new Damage("its list of free pages cannot be read");
    const length = Number(value.readBigInt64LE(0));
    if (length < 0 || length > value.length / 8 - 1)
      throw new Damage("its list of free pages cannot be read");
    for (let at = 1; at <= length; at += 1) {
      const entry = Number(value.readBigInt64LE(at * 8));
      if (entry === 0) continue;
      const count = entry < 0 ? -entry : 1;
      if (entry < 0) at += 1;
      const page = entry < 0 ? (at <= length ? Number(value.readBigInt64LE(at * 8)) : 0) : entry;
      if (page < 2 || page + count - 1 > this.#meta.lastPage)
        throw new Damage("its list of free pages cannot be read");
      this.#mark(page, count, 2);
    }
  }

  *#tree(tree: Tree, compare: (a: Buffer, b: Buffer) => number): Generator<Row> {
    this.#branches = this.#leaves = this.#overflows = this.#entries = 0;
    if (tree.root !== undefined) yield* this.#page(tree.root, tree.depth, compare, {});
    if (
      this.#branches !== tree.branches ||
      this.#leaves !== tree.leaves ||
      this.#overflows !== tree.overflows ||
      this.#entries !== tree.entries
    )
      throw new Damage("not everything in it can be reached");
  }

  /** @param between - What its keys are to lie between; the lower one is included. */
  *#page(
    number: number,
    depth: number,
    compare: (a: Buffer, b: Buffer) => number,
    between: { readonly from?: Buffer | undefined; readonly to?: Buffer | undefined },
  ): Generator<Row> {
    const page = this.#take(number, 1);
    const isBranch = depth > 1;
    if (Number(page.readBigUInt64LE(0)) !== number || page.readUInt16LE(18) !== (isBranch ? BRANCH : LEAF))
      throw new Damage(`page ${number} is another one`);
    const nodes = nodesOf(page, number, isBranch);
    if (isBranch) this.#branches += 1;
    else this.#leaves += 1;
    let last: Buffer | undefined;
    for (const [index, { key, at, low, high, flags }] of nodes.entries()) {
      const hasKey = !(isBranch && index === 0); // the first key of a branch stands for "everything below the second"
      const isOrdered =
        !hasKey ||
        ((last === undefined || compare(last, key) < 0) &&
          (between.from === undefined || compare(between.from, key) <= 0) &&
          (between.to === undefined || compare(key, between.to) < 0));
      if (!isOrdered) throw new Damage(`the rows of page ${number} are in no order`);
      if (hasKey) last = key;
      if (isBranch) {
        const child = low + high * 0x1_0000 + flags * 0x1_0000_0000;
        const from = hasKey ? key : between.from;
        yield* this.#page(child, depth - 1, compare, { from, to: nodes[index + 1]?.key ?? between.to });
        continue;
      }
      this.#entries += 1;
      const size = low + high * 0x1_0000;
      const isBig = flags === BIG_DATA;
      const data = at + NODE_HEADER + key.length;
      if (!(isBig || flags === 0) || data + (isBig ? 24 : size) > page.length)
        throw new Damage(`a row of page ${number} cannot be read`);
      yield { key, value: isBig ? this.#big(page, data, size) : page.subarray(data, data + size) };
    }
  }

  /** A value in pages of its own. */
  #big(page: Buffer, at: number, size: number): Buffer {
    const [first, count] = [Number(page.readBigUInt64LE(at)), Number(page.readBigUInt64LE(at + 16))];
    const needed = Math.floor((PAGE_HEADER - 1 + size) / this.#meta.pageSize) + 1;
    if (count < needed || count > this.#meta.lastPage) throw new Damage(`page ${first} is another one`);
    const pages = this.#take(first, count);
    const isIt = Number(pages.readBigUInt64LE(0)) === first && pages.readUInt32LE(20) === count;
    if (!isIt || (pages.readUInt16LE(18) & 0xf) !== OVERFLOW)
      throw new Damage(`page ${first} is another one`);
    this.#overflows += count;
    return pages.subarray(PAGE_HEADER, PAGE_HEADER + size);
  }
}

interface Node {
  readonly key: Buffer;
  /** Where it begins in its page. */
  readonly at: number;
  readonly low: number;
  readonly high: number;
  readonly flags: number;
}

function nodesOf(page: Buffer, number: number, isBranch: boolean): Node[] {
  const [lower, upper] = [page.readUInt16LE(20), page.readUInt16LE(22)];
  const count = lower >> 1;
  if (lower > upper || upper > page.length - PAGE_HEADER || lower % 2 !== 0 || count < (isBranch ? 2 : 1))
    throw new Damage(`page ${number} cannot be read`);
  return Array.from({ length: count }, (_, index) => {
    const pointer = page.readUInt16LE(PAGE_HEADER + index * 2);
    const at = pointer + PAGE_HEADER;
    if (pointer < upper || at + NODE_HEADER > page.length) throw new Damage(`page ${number} cannot be read`);
    const size = page.readUInt16LE(at + 6);
    if (at + NODE_HEADER + size > page.length) throw new Damage(`page ${number} cannot be read`);
    return {
      key: page.subarray(at + NODE_HEADER, at + NODE_HEADER + size),
      at,
      low: page.readUInt16LE(at),
      high: page.readUInt16LE(at + 2),
      flags: page.readUInt16LE(at + 4),
    };
  });
}

function readMeta(page: Buffer): Meta {
  const at = (offset: number): number => PAGE_HEADER + offset;
  const isMeta = page.readUInt16LE(18) === META && page.readUInt32LE(at(0)) === META_MAGIC;
  if (!isMeta) throw new Damage("it is no data file of Snapwire");
  if (page.readUInt32LE(at(4)) !== DATA_VERSION)
    throw new Damage("it was written by another version of the storage library");
  const pageSize = page.readUInt32LE(at(24));
  const isSize = pageSize >= SMALLEST_PAGE && pageSize <= LARGEST_PAGE && (pageSize & (pageSize - 1)) === 0;
  const mapSize = page.readBigUInt64LE(at(16));
  const hasFlags = page.readUInt16LE(at(28)) === (FREE_FLAGS | FILE_FLAGS) && page.readUInt16LE(at(76)) === 0;
  if (!isSize || !hasFlags || page.readUInt32LE(at(72)) !== 0 || mapSize > 2n ** 46n)
    throw new Damage("its first pages cannot be read");
  return {
    pageSize,
    transaction: Number(page.readBigUInt64LE(at(128))),
    lastPage: Number(page.readBigUInt64LE(at(120))),
    free: readTree(page, at(24)),
    rows: readTree(page, at(72)),
  };
}

function readTree(page: Buffer, at: number): Tree {
  const root = page.readBigUInt64LE(at + 40);
  const depth = page.readUInt16LE(at + 6);
  if (depth > DEEPEST || (root === NO_ROOT) !== (depth === 0))
    throw new Damage("its first pages cannot be read");
  return {
    depth,
    branches: Number(page.readBigUInt64LE(at + 8)),
    leaves: Number(page.readBigUInt64LE(at + 16)),
    overflows: Number(page.readBigUInt64LE(at + 24)),
    entries: Number(page.readBigUInt64LE(at + 32)),
    root: root === NO_ROOT ? undefined : Number(root),
  };
}

function compareNumbers(a: Buffer, b: Buffer): number {
  if (a.length !== 8 || b.length !== 8) throw new Damage("its list of free pages cannot be read");
  const [one, other] = [a.readBigUInt64LE(), b.readBigUInt64LE()];
  return one < other ? -1 : one > other ? 1 : 0;
}
