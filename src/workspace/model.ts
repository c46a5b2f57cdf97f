/**
 * The built-in model of an entry: how a patch folds into what is known, and what the entry shows.
 *
 * Each field carries the time at which its newest observation began, and a patch is taken field by field: what is older
 * than what is known is left, what is as old or newer is taken, an equal value too (its stamp then says how fresh the
 * value is). Identity is a field like any other, so a late patch cannot move a workspace back into its old project.
 */
import { SnapwireError } from "../protocol/errors.ts";
import {
  type FieldGroup,
  GROUP_OF_FIELD,
  type WorkspaceEntry,
  type WorkspaceField,
  type WorkspaceFields,
} from "../protocol/workspace.ts";
import { deriveWorkspaceState } from "./derive.ts";
import type { CommitMeta, EntryModel, Folded, Observation } from "./entry-model.ts";
import { INITIAL_FIELDS, WORKSPACE_FIELDS } from "./fields.ts";
import { frozenCopy } from "./frozen.ts";
import { withoutLiveness } from "./liveness.ts";
import { parseWorkspacePatch, type WorkspacePatch } from "./patch.ts";
import { sameFieldValue } from "./same-value.ts";

type FieldStamps = Partial<Record<WorkspaceField, number>>;

/** What is stored: raw values only, and when the newest observation of each field began. A default has no stamp. */
export interface WorkspaceState {
  readonly values: WorkspaceFields;
  /** Milliseconds since 1970. */
  readonly stamps: Readonly<FieldStamps>;
}

type MutableFields = { -readonly [Field in WorkspaceField]: WorkspaceFields[Field] };

export const workspaceModel: EntryModel<WorkspaceState, WorkspacePatch, WorkspaceEntry> = {
  revision: "workspace-1",
  parsePatch: parseWorkspacePatch,
  fold,
  merge,
  projectOf: (state) => state.values.projectId,
  hidden: ({ values: { status } }) => status === "ARCHIVING" || status === "ARCHIVED",
  sameValues,
  correct: ({ values }) => withoutLiveness(values),
  entryOf,
};

function fold(
  base: WorkspaceState | undefined,
  patch: WorkspacePatch,
  { observedAt }: Observation,
): Folded<WorkspaceState> {
  requireTime(observedAt);
  const from = base ?? seed(patch);
  const changedFields: WorkspaceField[] = base === undefined ? ["projectId"] : [];
  let accepted = false;
  let stamps: FieldStamps | undefined;
  let values: MutableFields | undefined;
  for (const field of WORKSPACE_FIELDS) {
    const value = patch[field];
    const known = from.stamps[field];
    if (value === undefined || (known !== undefined && observedAt < known)) continue;
    accepted = true;
    if (known !== observedAt) {
      stamps ??= { ...from.stamps };
      stamps[field] = observedAt;
    }
    if (sameFieldValue(field, from.values[field], value)) continue;
    values ??= { ...from.values };
    setField(values, field, value);
    changedFields.push(field);
  }
  return { state: next(from, values, stamps), accepted, changedFields };
}

function merge(a: WorkspaceState, b: WorkspaceState): WorkspaceState {
  let stamps: FieldStamps | undefined;
  let values: MutableFields | undefined;
  for (const field of WORKSPACE_FIELDS) {
    const [known, stamp] = [a.stamps[field], b.stamps[field]];
    if (stamp === undefined || (known !== undefined && stamp <= known)) continue;
    const value = b.values[field];
    const isSame = sameFieldValue(field, a.values[field], value);
    // Within one life a stamp never goes: what `a` has never seen, and `b` otherwise, is of a life that has ended.
    if (known === undefined && !isSame) continue;
    stamps ??= { ...a.stamps };
    stamps[field] = stamp;
    if (isSame) continue;
    values ??= { ...a.values };
    setField(values, field, value);
  }
  return next(a, values, stamps);
}

function requireTime(observedAt: number): void {
  if (Number.isFinite(observedAt) && observedAt >= 0) return;
  throw new SnapwireError(
    "invalid-input",
    `observedAt must be the time of the observation in milliseconds since 1970, received ${observedAt}.`,
  );
}

function seed(patch: WorkspacePatch): WorkspaceState {
  const { projectId } = patch;
  if (projectId) return { values: { projectId, ...INITIAL_FIELDS }, stamps: {} };
  throw new SnapwireError(
    "project-required",
    "Nothing is known of this workspace yet: its first patch must say the projectId that it belongs to.",
  );
}

function setField<Field extends WorkspaceField>(
  values: MutableFields,
  field: Field,
  value: WorkspaceFields[Field],
): void {
  values[field] = frozenCopy(value);
}

function next(
  from: WorkspaceState,
  values: WorkspaceFields | undefined,
  stamps: FieldStamps | undefined,
): WorkspaceState {
  if (values === undefined && stamps === undefined) return from;
  return Object.freeze({
    values: Object.freeze(values ?? from.values),
    stamps: Object.freeze(stamps ?? from.stamps),
  });
}

function sameValues(a: WorkspaceState, b: WorkspaceState): boolean {
  if (a.values === b.values) return true;
  return WORKSPACE_FIELDS.every((field) => sameFieldValue(field, a.values[field], b.values[field]));
}

function entryOf(workspaceId: string, state: WorkspaceState, meta: CommitMeta): WorkspaceEntry {
  // The defaults first: a state that an older release stored may lack a field, and on the wire every key is present.
  const { projectId, ...said } = state.values;
  const fields: WorkspaceFields = { projectId, ...INITIAL_FIELDS, ...said };
  return Object.freeze({
    workspaceId,
    version: meta.version,
    computedAt: meta.computedAt,
    source: meta.source,
    ...fields,
    sessionSummaries: frozenCopy(fields.sessionSummaries),
    gitStats: frozenCopy(fields.gitStats),
    ...deriveWorkspaceState(fields),
    fieldTimestamps: groupStamps(state.stamps),
  });
}

/** Per group the newest stamp of its fields; 0 when none was ever observed. */
function groupStamps(stamps: FieldStamps): Readonly<Record<FieldGroup, number>> {
  const newest = { workspace: 0, pr: 0, session: 0, ratchet: 0, runScript: 0, reconciliation: 0 };
  for (const field of WORKSPACE_FIELDS) {
    const group = GROUP_OF_FIELD[field];
    newest[group] = Math.max(newest[group], stamps[field] ?? 0);
  }
  return Object.freeze(newest);
}
