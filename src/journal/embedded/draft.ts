/** One commit while it is made: what it will write, told in which order, and what each of its parts is answered. */
import { type JournalAck, type JournalAppend, JournalConflict, type JournalSink } from "../journal.ts";
import type { CollectionState, Contents } from "./contents.ts";
import type { Batch } from "./remembered-ids.ts";
import {
  batchKey,
  collectionKey,
  floorKey,
  newestKey,
  recordKey,
  seal,
  sealJson,
  sealSequence,
  unsealSequence,
} from "./rows.ts";
import type { Store } from "./store.ts";

export interface Told {
  readonly collection: CollectionState;
  readonly give: (sink: JournalSink) => void;
}

/**
 * Everything is judged over what is committed and what this commit has so far: only one is under way at a time, so
 * nothing that was judged can turn out otherwise.
 */
export class Draft {
  readonly #store: Store;
  readonly #contents: Contents;
  readonly #writes = new Map<string, Buffer | null>();
  readonly #heads = new Map<CollectionState, number>();
  readonly #floors = new Map<CollectionState, Map<string | null, number | undefined>>();
  readonly #ids: [number, number, string][] = [];
  readonly #sequenceOfId = new Map<string, number>();
  readonly #told: Told[] = [];
  #batch: Batch | undefined;
  #expired: readonly Batch[] = [];

  constructor(store: Store, contents: Contents) {
    this.#store = store;
    this.#contents = contents;
  }

  /**
   * @param content - Key and body as they are stored.
   * @throws {@link JournalConflict}
   */
  append(collection: CollectionState, append: JournalAppend, content: Buffer): JournalAck {
    const { key, body, expect, messageId } = append;
    const { number } = collection;
    const stored =
      this.#sequenceOfId.get(`${number} ${messageId}`) ?? this.#contents.ids.sequenceOf(number, messageId);
    if (stored !== undefined) return { sequence: stored };
    const newest = newestKey(number, key);
    const actual = this.#sequenceAt(newest);
    if (actual !== expect) throw new JournalConflict(key, expect, actual);
    const sequence = (this.#heads.get(collection) ?? collection.head) + 1;
    this.#heads.set(collection, sequence);
    if (actual > 0) this.#removeRecord(number, actual);
    const at = recordKey(number, sequence);
    this.#put(at, seal(at, content));
    this.#put(newest, sealSequence(newest, sequence));
    this.#ids.push([number, sequence, messageId]);
    this.#sequenceOfId.set(`${number} ${messageId}`, sequence);
    const record = { sequence, key, body };
    this.#told.push({
      collection,
      give: (sink) => {
        sink.record(record);
        sink.advance(sequence);
      },
    });
    return { sequence };
  }

  raiseFloor(collection: CollectionState, scope: string | null, floor: number): void {
    if (floor <= (this.#floorOf(collection, scope) ?? 0)) return;
    this.#setFloor(collection, scope, floor);
    const key = floorKey(collection.number, scope);
    this.#put(key, sealJson(key, [scope, floor]));
    this.#told.push({ collection, give: (sink) => sink.floor(scope, floor) });
  }

  dropFloor(collection: CollectionState, scope: string): void {
    const floor = this.#floorOf(collection, scope);
    if (floor === undefined || floor > (this.#floorOf(collection, null) ?? 0)) return;
    this.#setFloor(collection, scope, undefined);
    this.#put(floorKey(collection.number, scope), null);
  }

  dropRecord({ number }: CollectionState, key: string, sequence: number): void {
    const newest = newestKey(number, key);
    if (sequence < 1 || this.#sequenceAt(newest) !== sequence) return;
    this.#put(newest, null);
    this.#removeRecord(number, sequence);
  }

  /** What is to be committed; nothing when nothing changes. @param now - milliseconds since 1970 */
  writes(now: number): ReadonlyMap<string, Buffer | null> {
    if (this.#writes.size === 0) return this.#writes;
    const { ids } = this.#contents;
    const collections = new Set([...this.#heads.keys(), ...this.#floors.keys()]);
    for (const collection of collections) {
      const key = collectionKey(collection.number);
      const head = this.#heads.get(collection) ?? collection.head;
      this.#put(key, sealJson(key, [collection.name, head]));
    }
    this.#expired = ids.expired(now);
    for (const { number } of this.#expired) this.#put(batchKey(number), null);
    if (this.#ids.length > 0) {
      this.#batch = { number: ids.next, at: now, ids: this.#ids };
      const key = batchKey(this.#batch.number);
      this.#put(key, sealJson(key, [now, this.#ids]));
    }
    return this.#writes;
  }

  /** After a commit that failed: whether it is in the store all the same. */
  isStored(): boolean {
    return this.#batch !== undefined && this.#store.get(batchKey(this.#batch.number)) !== undefined;
  }

  /** It was committed. @returns what followers are to be given, in order. */
  apply(): readonly Told[] {
    const { ids } = this.#contents;
    for (const [collection, head] of this.#heads) collection.head = head;
    for (const [{ floors }, changed] of this.#floors)
      for (const [scope, floor] of changed) {
        if (floor === undefined) floors.delete(scope);
        else floors.set(scope, floor);
      }
    for (const batch of this.#expired) ids.forget(batch);
    if (this.#batch) ids.add(this.#batch);
    return this.#told;
  }

  #put(key: Buffer, row: Buffer | null): void {
    this.#writes.set(key.toString("latin1"), row);
  }

  #removeRecord(collection: number, sequence: number): void {
    const key = recordKey(collection, sequence).toString("latin1");
    if (this.#writes.get(key))
      this.#writes.delete(key); // it came and went in this commit
    else this.#writes.set(key, null);
  }

  #sequenceAt(newest: Buffer): number {
    const drafted = this.#writes.get(newest.toString("latin1"));
    const value = drafted === undefined ? this.#store.get(newest) : drafted;
    return value ? unsealSequence({ key: newest, value }) : 0;
  }

  #floorOf(collection: CollectionState, scope: string | null): number | undefined {
    const changed = this.#floors.get(collection);
    return changed?.has(scope) ? changed.get(scope) : collection.floors.get(scope);
  }

  #setFloor(collection: CollectionState, scope: string | null, floor: number | undefined): void {
    const changed = this.#floors.get(collection) ?? new Map<string | null, number | undefined>();
    this.#floors.set(collection, changed.set(scope, floor));
  }
}
