/** Folds that ended equal: nothing was committed, but newer stamps ride with the key's next commit. Memory of this node. */
import type { NextRecord } from "./collection.ts";
import type { CollectionRecord } from "./record.ts";

export class Riding<State> {
  /** By key; each rides on the record of one sequence and on no other. */
  readonly #riding = new Map<string, { readonly sequence: number; readonly next: NextRecord<State> }>();

  get size(): number {
    return this.#riding.size;
  }

  /** What the next fold of the key begins with. */
  over(key: string, record: CollectionRecord<State> | undefined): NextRecord<State> | undefined {
    const riding = this.#riding.get(key);
    return riding && riding.sequence === record?.sequence ? riding.next : record;
  }

  put(key: string, sequence: number, next: NextRecord<State>): void {
    this.#riding.set(key, { sequence, next });
  }

  /** The key's newest record is another one now, or none. */
  moved(key: string, sequence: number | undefined): void {
    if (this.#riding.get(key)?.sequence !== sequence) this.#riding.delete(key);
  }

  /** What rides on a record that is not the newest of its key is of no use. */
  keep(sequenceOf: (key: string) => number | undefined): void {
    for (const key of [...this.#riding.keys()]) this.moved(key, sequenceOf(key));
  }

  clear(): void {
    this.#riding.clear();
  }
}
