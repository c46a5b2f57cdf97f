/**
 * What an entry is, for everything downstream: the journal stores states, the collection compares them, the feed sends
 * entries. None of them knows a field. The built-in model is `workspaceModel`; a host may bring its own.
 */

export interface Observation {
  /** Milliseconds since 1970 when the observation began: before the read, not when its result was handed on. */
  readonly observedAt: number;
}

export interface Folded<State> {
  /** The identical reference of the base when nothing in it is new. */
  readonly state: State;
  /** At least one field was taken: its stamp was not older than what is known. An equal value counts. */
  readonly accepted: boolean;
  /** The fields whose value is another one now. Accepted without changed fields is nothing to tell anyone. */
  readonly changedFields: readonly string[];
}

/** What the commit knows and the state does not. */
export interface CommitMeta {
  /** The sequence of the commit. */
  readonly version: number;
  /** RFC 3339. */
  readonly computedAt: string;
  /** Who caused it, never empty: `initial`, `reconciliation`, `event:<source>`, joined by `+`. */
  readonly source: string;
}

/**
 * What an entry is and how it changes. All of it is pure: no clock, no I/O, no memory between calls.
 * State and Entry are plain JSON: the state is stored, the entry travels.
 */
export interface EntryModel<State, Patch, Entry> {
  /** The view's revision: changes whenever a derivation changes. A new revision is a new view, so no old cursor fits it. */
  readonly revision: string;
  /**
   * Reads what somebody wants to write. The result shares nothing with the input.
   * @throws SnapwireError `invalid-input`, or `derived-field` when the patch names something that the model derives.
   */
  parsePatch(input: unknown): Patch;
  /**
   * Takes what is not older than what is known, field by field. Never changes `base`.
   * @param base undefined seeds a new entry.
   * @throws SnapwireError `project-required` when a seed does not say its project, `invalid-input` for a time that is none.
   */
  fold(base: State | undefined, patch: Patch, observation: Observation): Folded<State>;
  /**
   * Two states of one entry: of each field the newer observation. The identical `a` when `b` has none that is newer. What
   * `b` knows of a life that has ended (it was removed and created anew) must not come back.
   * @defaultValue `a`: where several nodes write, an equal write of one counts until another one commits.
   */
  merge?(a: State, b: State): State;
  /** The scope that the entry belongs to. */
  projectOf(state: State): string;
  /** The entry exists, and nobody is to see it (a workspace that is being archived, or was). */
  hidden(state: State): boolean;
  /** Both say the same; stamps are not compared. */
  sameValues(a: State, b: State): boolean;
  /**
   * After a restart: what takes back the signs of a life that has ended with the process before; `undefined` when there
   * are none. Committed like any other patch, before anybody is served.
   */
  correct?(state: State): Patch | undefined;
  /** The entry as it travels: deeply frozen, plain JSON, keys always in the same order. */
  entryOf(workspaceId: string, state: State, meta: CommitMeta): Entry;
}
