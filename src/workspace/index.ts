/** The public names of the room. */
export { actionsRunId, type CheckReport, rollUpChecks } from "./check-rollup.ts";
export { deriveWorkspaceState, type RawWorkspaceState } from "./derive.ts";
export type { CommitMeta, EntryModel, Folded, Observation } from "./entry-model.ts";
export { type WorkspaceState, workspaceModel } from "./model.ts";
export type { WorkspacePatch, WorkspacePatchInput } from "./patch.ts";
export { deriveRatchetState, type RatchetInputs } from "./ratchet-state.ts";
export { sameFieldValue, sameValue } from "./same-value.ts";
export { WORKSPACE_LIMITS, workspaceEntrySchema, workspacePatchSchema } from "./schema.ts";
export {
  deriveIsWorking,
  derivePendingRequestType,
  hasSessionRuntimeError,
  isSessionStarting,
  isSessionWorking,
  type PendingRequest,
  pendingRequestTypeOf,
  type SessionUiKind,
  sessionRuntimeErrorMessage,
  sessionUiKind,
} from "./session-signals.ts";
export { isLegalStatusMove, WORKSPACE_STATUS_MOVES } from "./status-moves.ts";
