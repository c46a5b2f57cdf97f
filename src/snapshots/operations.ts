/** How operations on one workspace fold into its next record. Pure: called again, unchanged, after a lost comparison. */
import type { NextRecord } from "../collection/model.ts";
import type { EntryModel } from "../workspace/entry-model.ts";
import { OtherProject } from "./other-project.ts";

/** What is stored beside the model's own state. */
export interface SnapshotState<State> {
  /** Null after a removal: what comes next starts from the seed. */
  readonly model: State | null;
  /** The source that introduced the workspace: only its passes may find it gone. */
  readonly owner: string;
  /** Who caused the last commit: `initial`, `reconciliation`, `event:<source>`, joined by `+`. */
  readonly source: string;
  /** When the newest accepted observation began, in milliseconds since 1970. */
  readonly seenAt: number;
  /** When the observation that it is gone began; an older one does not bring it back. */
  readonly removedAt: number;
}

export type Operation<Patch> =
  | {
      readonly kind: "patch";
      readonly patch: Patch;
      readonly observedAt: number;
      readonly source: string;
      readonly owner: string;
      /** Refused while the workspace is in another one. */
      readonly expectedProjectId?: string | undefined;
    }
  | { readonly kind: "remove"; readonly observedAt: number; readonly source: string };

export interface OperationOutcome {
  /** It was taken: not older than what was known. An equal value is taken too. */
  readonly accepted: boolean;
  /** It changed something by itself. */
  readonly changed: boolean;
  readonly changedFields: readonly string[];
}

const REFUSED: OperationOutcome = { accepted: false, changed: false, changedFields: [] };

export interface FoldedOperations<State> {
  readonly next: NextRecord<SnapshotState<State>> | undefined;
  readonly changed: boolean;
  readonly outcomes: ReadonlyArray<{ readonly value: OperationOutcome } | { readonly error: unknown }>;
}

/**
 * @param removedAt - The newest removal that no record holds: there was none, or it was gone already; 0 = none.
 * @param committed - What the key's newest record says, where `base` has more.
 */
export function foldOperations<State, Patch>(
  model: EntryModel<State, Patch, unknown>,
  base: NextRecord<SnapshotState<State>> | undefined,
  operations: readonly Operation<Patch>[],
  removedAt: number,
  committed = base,
): FoldedOperations<State> {
  const before = committed?.state.model ?? null;
  let state: SnapshotState<State> = base?.state ?? {
    model: null,
    owner: "",
    source: "",
    seenAt: 0,
    removedAt: 0,
  };
  const sources = new Set<string>();
  let goneAt = removedAt;
  const outcomes = operations.map((operation) => {
    try {
      const folded =
        operation.kind === "patch" ? patched(model, state, operation, goneAt) : removed(state, operation);
      state = folded.state;
      if (operation.kind === "remove" && state.model === null)
        goneAt = Math.max(goneAt, operation.observedAt); // of one that was gone already, too
      if (folded.value.changed) sources.add(operation.source);
      return { value: folded.value };
    } catch (error) {
      return { error };
    }
  });
  if (!base && state.model === null) return { next: undefined, changed: false, outcomes };

  const changed = !sameModel(model, before, state.model);
  if (base && state === base.state) return { next: base, changed, outcomes };

  if (changed && sources.size > 0) state = { ...state, source: [...sources].join("+") };
  const next = {
    scope: state.model === null ? null : model.projectOf(state.model),
    hidden: state.model !== null && model.hidden(state.model),
    state,
  };
  return { next, changed, outcomes };
}

/** What an equal write left behind (newer stamps), over what another node has committed meanwhile. */
export function carryOver<State>(
  model: Pick<EntryModel<State, never, unknown>, "merge" | "projectOf" | "hidden" | "sameValues">,
  committed: NextRecord<SnapshotState<State>>,
  riding: NextRecord<SnapshotState<State>>,
): { readonly next: NextRecord<SnapshotState<State>>; readonly changed: boolean } | undefined {
  const [newest, ridden] = [committed.state.model, riding.state.model];
  if (newest === null || ridden === null) return undefined;
  if (committed.state.removedAt !== riding.state.removedAt) return undefined; // another life
  const merged = model.merge?.(newest, ridden) ?? newest;
  if (merged === newest) return undefined;
  const seenAt = Math.max(committed.state.seenAt, riding.state.seenAt);
  return {
    next: {
      scope: model.projectOf(merged),
      hidden: model.hidden(merged),
      state: { ...committed.state, model: merged, seenAt },
    },
    changed: !model.sameValues(newest, merged),
  };
}

function patched<State, Patch>(
  model: EntryModel<State, Patch, unknown>,
  state: SnapshotState<State>,
  { patch, observedAt, owner, expectedProjectId }: Extract<Operation<Patch>, { kind: "patch" }>,
  removedAt: number,
): { state: SnapshotState<State>; value: OperationOutcome } {
  if (state.model === null && observedAt <= Math.max(state.removedAt, removedAt))
    return { state, value: REFUSED };
  const projectId = state.model === null ? undefined : model.projectOf(state.model);
  if (projectId !== undefined && expectedProjectId !== undefined && projectId !== expectedProjectId)
    throw new OtherProject(projectId, expectedProjectId);
  const folded = model.fold(state.model ?? undefined, patch, { observedAt });
  if (!folded.accepted) return { state, value: REFUSED };
  return {
    state: {
      ...state,
      model: folded.state,
      owner: state.model === null ? owner : state.owner,
      seenAt: Math.max(state.seenAt, observedAt),
    },
    value: { accepted: true, changed: folded.changedFields.length > 0, changedFields: folded.changedFields },
  };
}

function removed<State>(
  state: SnapshotState<State>,
  { observedAt }: Extract<Operation<unknown>, { kind: "remove" }>,
): { state: SnapshotState<State>; value: OperationOutcome } {
  if (state.model === null || observedAt < state.seenAt) return { state, value: REFUSED };
  return {
    state: { ...state, model: null, removedAt: observedAt },
    value: { accepted: true, changed: true, changedFields: [] },
  };
}

function sameModel<State>(
  model: Pick<EntryModel<State, never, unknown>, "sameValues">,
  a: State | null,
  b: State | null,
): boolean {
  return a === null || b === null ? a === b : model.sameValues(a, b);
}
