/** The message ids of the last two minutes, commit by commit: the same id again is the same record. */
export interface Batch {
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Collection, sequence, id. */
  readonly ids: ReadonlyArray<readonly [number, number, string]>;
}

const REMEMBERED_FOR_MS = 120_000;
/** Whatever the rate: more than this are forgotten early. */
const REMEMBERED_IDS = 65_536;

export class RememberedIds {
  readonly #sequences = new Map<string, number>();
  /** Oldest first. */
  readonly #batches = new Map<number, Batch>();
  #last = 0;

  constructor(batches: Iterable<Batch>) {
    for (const batch of batches) this.add(batch);
  }

  /** The number of the next commit that has ids. */
  get next(): number {
    return this.#last + 1;
  }

  sequenceOf(collection: number, id: string): number | undefined {
    return this.#sequences.get(nameOf(collection, id));
  }

  add(batch: Batch): void {
    this.#last = Math.max(this.#last, batch.number);
    this.#batches.set(batch.number, batch);
    for (const [collection, sequence, id] of batch.ids) this.#sequences.set(nameOf(collection, id), sequence);
  }

  /** Batches that need not be remembered any more: too old, or too many. A clock that went back makes none young. */
  expired(now: number): readonly Batch[] {
    const expired: Batch[] = [];
    let left = this.#sequences.size;
    for (const batch of this.#batches.values()) {
      const age = now - batch.at;
      if (age >= 0 && age <= REMEMBERED_FOR_MS && left <= REMEMBERED_IDS) break;
      expired.push(batch);
      left -= batch.ids.length;
    }
    return expired;
  }

  forget({ number, ids }: Batch): void {
    this.#batches.delete(number);
    for (const [collection, , id] of ids) this.#sequences.delete(nameOf(collection, id));
  }
}

const nameOf = (collection: number, id: string): string => `${collection} ${id}`;
