/** What of a data file is held in memory while it is open; the records themselves are not. */
import type { JournalSink } from "../journal.ts";
import { Damage, damaged, tooNew } from "./damage.ts";
import { type Row, readRows } from "./data-pages.ts";
import { FORMAT, formatOf, type Header, readHeader } from "./header.ts";
import { type Batch, RememberedIds } from "./remembered-ids.ts";
import { KIND, MOST_COLLECTIONS, unseal, unsealJson } from "./rows.ts";

export class CollectionState {
  readonly number: number;
  readonly name: string;
  /** The highest sequence that was given to a record. */
  head: number;
  readonly floors = new Map<string | null, number>();
  readonly sinks = new Set<JournalSink>();

  constructor(number: number, name: string, head = 0) {
    this.number = number;
    this.name = name;
    this.head = head;
  }
}

export class Contents {
  readonly #collections = new Map<string, CollectionState>();
  readonly ids: RememberedIds;

  constructor(collections: Iterable<CollectionState>, batches: Iterable<Batch>) {
    for (const collection of collections) this.#collections.set(collection.name, collection);
    this.ids = new RememberedIds(batches);
  }

  collections(): IterableIterator<CollectionState> {
    return this.#collections.values();
  }

  /** One that nobody has written to is not in the file, but has its number. */
  collection(name: string): CollectionState {
    const known = this.#collections.get(name);
    if (known) return known;
    const numbers = [...this.#collections.values()].map(({ number }) => number);
    const number = Math.max(0, ...numbers) + 1;
    if (number > MOST_COLLECTIONS) throw new RangeError(`more than ${MOST_COLLECTIONS} collections`);
    const made = new CollectionState(number, name);
    this.#collections.set(name, made);
    return made;
  }
}

export interface LoadedData {
  /** Undefined: there was nothing yet. */
  readonly header: Header | undefined;
  readonly contents: Contents;
}

/**
 * Looks at every byte that counts.
 * @throws SnapwireError `unavailable` when the file is damaged, or of a newer format.
 */
export function loadData(file: string): LoadedData {
  try {
    return new Loading(file).loaded();
  } catch (error) {
    if (error instanceof NewerFormat) throw tooNew(file, error.format, FORMAT);
    if (error instanceof Damage) throw damaged(file, error);
    throw error;
  }
}

class NewerFormat extends Error {
  readonly format: number;

  constructor(format: number) {
    super(`format ${format}`);
    this.format = format;
  }
}

class Loading {
  readonly #file: string;
  readonly #collections = new Map<number, CollectionState>();
  readonly #batches: Batch[] = [];
  /** Records less keys that point to one, by collection. */
  readonly #unpaired = new Map<number, number>();
  #header: Header | undefined;
  #rows = 0;

  constructor(file: string) {
    this.#file = file;
  }

  loaded(): LoadedData {
    for (const row of readRows(this.#file)) {
      this.#take(row);
      this.#rows += 1;
    }
    if (this.#rows > 0 && !this.#header) throw new Damage("it has no header");
    for (const difference of this.#unpaired.values())
      if (difference !== 0) throw new Damage("its records and its keys differ");
    return { header: this.#header, contents: new Contents(this.#collections.values(), this.#batches) };
  }

  #take(row: Row): void {
    const kind = row.key[0] ?? 0;
    if (kind === KIND.header) {
      const content = unsealJson(row);
      const format = formatOf(content);
      if (format > FORMAT) throw new NewerFormat(format);
      this.#header = readHeader(content);
      return;
    }
    if (!this.#header) throw new Damage("it has no header"); // which lies before everything else
    switch (kind) {
      case KIND.collection: {
        const [name, head] = unsealJson(row) as [string, number];
        const number = row.key.readUInt16BE(1);
        this.#collections.set(number, new CollectionState(number, name, head));
        return;
      }
      case KIND.floor: {
        const [scope, floor] = unsealJson(row) as [string | null, number];
        this.#of(row).floors.set(scope, floor);
        return;
      }
      case KIND.batch: {
        const [at, ids] = unsealJson(row) as [number, Batch["ids"]];
        this.#batches.push({ number: Number(row.key.readBigUInt64BE(1)), at, ids });
        return;
      }
      case KIND.record:
      case KIND.newest: {
        unseal(row);
        const { number } = this.#of(row);
        const difference = this.#unpaired.get(number) ?? 0;
        this.#unpaired.set(number, difference + (kind === KIND.record ? 1 : -1));
        return;
      }
      default:
        throw new Damage("it holds rows of an unknown kind");
    }
  }

  #of({ key }: Row): CollectionState {
    const collection = this.#collections.get(key.readUInt16BE(1));
    if (!collection) throw new Damage("it holds rows of an unknown collection");
    return collection;
  }
}
