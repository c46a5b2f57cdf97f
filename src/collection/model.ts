/** What the collection asks of its product. */
import type { Folded } from "./lane.ts";

/** What a record becomes. A commit that must not happen is `undefined`. */
export interface NextRecord<State> {
  readonly scope: string | null;
  readonly hidden: boolean;
  readonly state: State;
}

export interface CollectionModel<Op, State, Entry, Outcome> {
  /**
   * Folds operations in order over `base`: what is `committed`, with what rides on it. `next` with `changed: false` (it
   * says what is committed) is remembered as the base of the key's next fold, and not committed.
   */
  fold(
    key: string,
    base: NextRecord<State> | undefined,
    operations: readonly Op[],
    committed: NextRecord<State> | undefined,
  ): {
    readonly next: NextRecord<State> | undefined;
    readonly changed: boolean;
    readonly outcomes: Folded<Outcome>["outcomes"];
  };
  /** @defaultValue a commit of another node ends what rides */
  readonly carry?: Carry<State>;
  /** The frozen entry of a visible record. `at` is the commit's time in milliseconds since 1970. */
  entryOf(key: string, state: State, sequence: number, at: number): Entry;
}

/** What rides, as it is over a record that another node has committed meanwhile; `undefined`: nothing in it is newer. */
export type Carry<State> = (
  record: NextRecord<State>,
  riding: NextRecord<State>,
) => { readonly next: NextRecord<State>; readonly changed: boolean } | undefined;
