/** The fields of a workspace in wire order, and the values with which one begins. */
import { GROUP_OF_FIELD, type WorkspaceField, type WorkspaceFields } from "../protocol/workspace.ts";

export const WORKSPACE_FIELDS: readonly WorkspaceField[] = Object.keys(GROUP_OF_FIELD) as WorkspaceField[];

/** What is true of a workspace of which nothing was said yet. Which project it belongs to has no default. */
export const INITIAL_FIELDS: Omit<WorkspaceFields, "projectId"> = Object.freeze({
  name: "",
  status: "NEW",
  createdAt: "",
  branchName: null,
  hasHadSessions: false,
  mode: "STANDARD",
  autoIterationStatus: null,
  prUrl: null,
  prNumber: null,
  prState: "NONE",
  prCiStatus: "UNKNOWN",
  prUpdatedAt: null,
  hasMergeConflict: false,
  isWorking: false,
  pendingRequestType: null,
  sessionSummaries: Object.freeze([]),
  ratchetEnabled: false,
  ratchetState: "IDLE",
  ratchetDispatchOutcome: null,
  ratchetDispatchRetryCount: 0,
  ratchetDispatchStalled: false,
  runScriptStatus: "IDLE",
  gitStats: null,
  lastActivityAt: null,
} satisfies Omit<WorkspaceFields, "projectId">);
