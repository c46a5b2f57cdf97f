/** Rows on a disk: what the order asks of a storage library, and the one over LMDB. */
import { SnapwireError } from "../../protocol/errors.ts";
import type { Row } from "./data-pages.ts";
import type { Durability } from "./header.ts";

/** A row for each key; `null` takes the row away. Keys are bytes, as a `latin1` text. */
type Writes = ReadonlyMap<string, Buffer | null>;

export interface Store {
  /** As of the last commit. */
  get(key: Buffer): Buffer | undefined;
  /** Rows whose keys begin so, in order. To be read to the end in one turn: what is read must not keep old pages alive. */
  range(prefix: Buffer): Iterable<Row>;
  /**
   * All of it or nothing. Resolves when it is as durable as the store was opened for: with the system, or on the disk.
   * One at a time.
   * @throws whatever the system said, with its `code`.
   */
  commit(writes: Writes): Promise<void>;
  close(): Promise<void>;
}

export type OpenStore = (file: string, durability: Durability) => Promise<Store>;

/** @throws SnapwireError `unavailable` when the library is not installed, or does not run here. */
export async function loadStorage(): Promise<OpenStore> {
  let lmdb: typeof import("lmdb");
  try {
    lmdb = await import("lmdb");
  } catch (cause) {
    throw new SnapwireError(
      "unavailable",
      "The package lmdb is not installed here, or does not run on this system. Install it (npm install lmdb), or do " +
        "without a data folder (--ephemeral).",
      { cause },
    );
  }
  return async (file, durability) => {
    const database = lmdb.open<Buffer, Buffer>(file, {
      encoding: "binary",
      keyEncoding: "binary",
      noSubdir: true,
      // A commit is durable when it can be seen, or not at all: nothing in between that a reader could be given.
      overlappingSync: false,
      noSync: durability === "process",
      // Not in the library's types. Batching by turns, left on, lets a failed commit reject a promise that nobody can reach.
      ...{ eventTurnBatching: false, permissionsMode: 0o600 },
    });
    return new LmdbStore(database);
  };
}

class LmdbStore implements Store {
  readonly #database: import("lmdb").RootDatabase<Buffer, Buffer>;

  constructor(database: import("lmdb").RootDatabase<Buffer, Buffer>) {
    this.#database = database;
  }

  get(key: Buffer): Buffer | undefined {
    return this.#database.getBinary(key);
  }

  range(prefix: Buffer): Iterable<Row> {
    return this.#database.getRange({ start: prefix, end: after(prefix) });
  }

  async commit(writes: Writes): Promise<void> {
    try {
      await this.#database.batch(() => {
        for (const [key, row] of writes) {
          const bytes = Buffer.from(key, "latin1");
          if (row) void this.#database.put(bytes, row);
          else void this.#database.remove(bytes);
        }
      });
    } catch (error) {
      throw await reasonOf(error);
    } finally {
      this.#database.resetReadTxn();
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

/** The library rejects with "see commitError", a promise that is rejected a moment later with what the system said. */
async function reasonOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { readonly commitError?: PromiseLike<never> };
  if (commitError === undefined) return error;
  try {
    return await commitError;
  } catch (reason) {
    return reason;
  }
}

/** The first key that does not begin so. */
function after(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  for (let at = end.length - 1; at >= 0; at -= 1) {
    const byte = (end[at] ?? 0) + 1;
    if (byte > 0xff) continue;
    end[at] = byte;
    return end.subarray(0, at + 1);
  }
  return Buffer.of(0xff);
}
