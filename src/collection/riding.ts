/**
 * Folds that ended equal: nothing was committed, but newer stamps ride with the key's next commit. Memory of this node;
 * another node's commit may turn out to say something else.
 */
import type { Carry, NextRecord } from "./model.ts";
import type { CollectionRecord } from "./record.ts";

export class Riding<State> {
  /** By key; each rides on the record of one sequence and on no other. */
  readonly #riding = new Map<string, { readonly sequence: number; readonly next: NextRecord<State> }>();
  readonly #carry: Carry<State>;

  constructor(carry: Carry<State> = () => undefined) {
    this.#carry = carry;
  }

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

  /**
   * The key's newest record is another one now, or none. What is newer than it rides on.
   *
   * @returns whether what rides says something else than the record does
   */
  moved(key: string, record: CollectionRecord<State> | undefined): boolean {
    const riding = this.#riding.get(key);
    if (!riding || riding.sequence === record?.sequence) return false;
    const carried = record && this.#carry(record, riding.next);
    if (!record || !carried) {
      this.#riding.delete(key);
      return false;
    }
    this.put(key, record.sequence, carried.next);
    return carried.changed;
  }

  /** All records were given anew. @returns the keys of which what rides says something else */
  rebase(recordOf: (key: string) => CollectionRecord<State> | undefined): string[] {
    return [...this.#riding.keys()].filter((key) => this.moved(key, recordOf(key)));
  }

  clear(): void {
    this.#riding.clear();
  }
}
