/**
 * The workspace entry: what one card on a board knows. Every key is present on the wire; a state is never null, it is
 * `NONE`, `UNKNOWN` or `IDLE`. The tables that derive the last group stand in `src/workspace/derive.ts`.
 */

export const WORKSPACE_STATUSES = [
  "NEW",
  "PROVISIONING",
  "READY",
  "FAILED",
  "ARCHIVING",
  "ARCHIVED",
] as const;
export type WorkspaceStatus = (typeof WORKSPACE_STATUSES)[number];

export const WORKSPACE_MODES = ["STANDARD", "AUTO_ITERATION"] as const;
export type WorkspaceMode = (typeof WORKSPACE_MODES)[number];

export const AUTO_ITERATION_STATUSES = [
  "IDLE",
  "RUNNING",
  "PAUSED",
  "COMPLETED",
  "MAX_ITERATIONS",
  "STOPPED",
  "FAILED",
] as const;
export type AutoIterationStatus = (typeof AUTO_ITERATION_STATUSES)[number];

export const PR_STATES = [
  "NONE",
  "DRAFT",
  "OPEN",
  "CHANGES_REQUESTED",
  "APPROVED",
  "MERGED",
  "CLOSED",
] as const;
export type PRState = (typeof PR_STATES)[number];

export const CI_STATUSES = ["UNKNOWN", "PENDING", "SUCCESS", "FAILURE"] as const;
export type CIStatus = (typeof CI_STATUSES)[number];

export const RATCHET_STATES = [
  "IDLE",
  "CI_RUNNING",
  "CI_FAILED",
  "MERGE_CONFLICT",
  "REVIEW_PENDING",
  "READY",
  "MERGED",
] as const;
export type RatchetState = (typeof RATCHET_STATES)[number];

export const RATCHET_DISPATCH_OUTCOMES = ["RUNNING", "COMPLETED", "DIED"] as const;
export type RatchetDispatchOutcome = (typeof RATCHET_DISPATCH_OUTCOMES)[number];

export const RUN_SCRIPT_STATUSES = [
  "IDLE",
  "STARTING",
  "RUNNING",
  "STOPPING",
  "COMPLETED",
  "FAILED",
] as const;
export type RunScriptStatus = (typeof RUN_SCRIPT_STATUSES)[number];

export const SESSION_STATUSES = ["IDLE", "RUNNING", "PAUSED", "COMPLETED", "FAILED"] as const;
export type SessionStatus = (typeof SESSION_STATUSES)[number];

export const SESSION_RUNTIME_PHASES = [
  "loading",
  "starting",
  "running",
  "idle",
  "stopping",
  "error",
] as const;
export type SessionRuntimePhase = (typeof SESSION_RUNTIME_PHASES)[number];

export const SESSION_PROCESS_STATES = ["unknown", "alive", "stopped"] as const;
export type SessionProcessState = (typeof SESSION_PROCESS_STATES)[number];

export const ACTIVITY_STATES = ["WORKING", "IDLE"] as const;
export type ActivityState = (typeof ACTIVITY_STATES)[number];

export const SESSION_PROVIDERS = ["CLAUDE", "CODEX"] as const;
export type SessionProvider = (typeof SESSION_PROVIDERS)[number];

export const PENDING_REQUEST_TYPES = ["plan_approval", "user_question", "permission_request"] as const;
export type PendingRequestType = (typeof PENDING_REQUEST_TYPES)[number];

export const FLOW_PHASES = [
  "NO_PR",
  "CI_WAIT",
  "RATCHET_VERIFY",
  "RATCHET_FIXING",
  "READY",
  "MERGED",
] as const;
export type FlowPhase = (typeof FLOW_PHASES)[number];

export const CI_OBSERVATIONS = [
  "NOT_FETCHED",
  "NO_CHECKS",
  "CHECKS_PENDING",
  "CHECKS_FAILED",
  "CHECKS_PASSED",
  "CHECKS_UNKNOWN",
] as const;
export type CIObservation = (typeof CI_OBSERVATIONS)[number];

export const SIDEBAR_CI_STATES = [
  "NONE",
  "RUNNING",
  "FAILING",
  "PASSING",
  "UNKNOWN",
  "CLOSED",
  "MERGED",
  "CONFLICT",
] as const;
export type SidebarCIState = (typeof SIDEBAR_CI_STATES)[number];

export const KANBAN_COLUMNS = ["WORKING", "WAITING", "DONE"] as const;
export type KanbanColumn = (typeof KANBAN_COLUMNS)[number];

export const STATUS_TONES = ["neutral", "working", "waiting", "attention", "success", "danger"] as const;
export type StatusTone = (typeof STATUS_TONES)[number];

export const STATUS_REASON_CODES = [
  "ARCHIVING",
  "ARCHIVED",
  "MERGED",
  "PR_CLOSED",
  "NEEDS_PERMISSION",
  "NEEDS_PLAN_APPROVAL",
  "NEEDS_ANSWER",
  "SESSION_ERROR",
  "SETTING_UP",
  "SETUP_FAILED",
  "AGENT_WORKING",
  "STARTING_SESSION",
  "AUTO_ITERATING",
  "RATCHET_STALLED",
  "FIXING_MERGE_CONFLICT",
  "MERGE_CONFLICT",
  "WAITING_FOR_CI",
  "FIXING_REVIEW_COMMENTS",
  "FIXING_CI_FAILURES",
  "CHECKING_PR",
  "READY_TO_MERGE",
  "READY_FOR_REVIEW",
  "NO_SESSION_STARTED",
  "READY_FOR_NEXT_PROMPT",
] as const;
export type StatusReasonCode = (typeof STATUS_REASON_CODES)[number];

export interface StatusReason {
  readonly code: StatusReasonCode;
  /** A short text in sentence case, for people. */
  readonly label: string;
  readonly tone: StatusTone;
  /** A person owns the next action. */
  readonly needsUser: boolean;
}

export interface SidebarStatus {
  readonly activityState: ActivityState;
  readonly ciState: SidebarCIState;
}

export interface GitStats {
  /** Files changed against the merge base, uncommitted included, untracked not; binary files count here only. */
  readonly total: number;
  /** Lines. */
  readonly additions: number;
  /** Lines. */
  readonly deletions: number;
  /** The work tree's status is not empty, untracked files included. */
  readonly hasUncommitted: boolean;
}

export interface SessionExit {
  readonly code: number | null;
  /** RFC 3339. */
  readonly timestamp: string;
  readonly unexpected: boolean;
}

export interface SessionSummary {
  readonly sessionId: string;
  readonly name: string | null;
  readonly workflow: string | null;
  readonly model: string | null;
  readonly provider?: SessionProvider | undefined;
  readonly persistedStatus: SessionStatus;
  readonly runtimePhase: SessionRuntimePhase;
  readonly processState: SessionProcessState;
  readonly activity: ActivityState;
  /** RFC 3339. */
  readonly updatedAt: string;
  readonly lastExit: SessionExit | null;
  readonly errorMessage?: string | null | undefined;
}

/** What sources and callers may say about a workspace. Absent is not null: an absent field is left as it is. */
export interface WorkspaceFields {
  readonly projectId: string;
  readonly name: string;
  readonly status: WorkspaceStatus;
  /** RFC 3339, or '' when unknown. */
  readonly createdAt: string;
  readonly branchName: string | null;
  readonly hasHadSessions: boolean;
  readonly mode: WorkspaceMode;
  readonly autoIterationStatus: AutoIterationStatus | null;
  readonly prUrl: string | null;
  readonly prNumber: number | null;
  readonly prState: PRState;
  readonly prCiStatus: CIStatus;
  /** RFC 3339; the pull request's own observation time. */
  readonly prUpdatedAt: string | null;
  readonly hasMergeConflict: boolean;
  /** As an input: the raw session signal. On the wire it is the same signal, never fed back. */
  readonly isWorking: boolean;
  readonly pendingRequestType: PendingRequestType | null;
  readonly sessionSummaries: readonly SessionSummary[];
  readonly ratchetEnabled: boolean;
  readonly ratchetState: RatchetState;
  readonly ratchetDispatchOutcome: RatchetDispatchOutcome | null;
  readonly ratchetDispatchRetryCount: number;
  readonly ratchetDispatchStalled: boolean;
  readonly runScriptStatus: RunScriptStatus;
  readonly gitStats: GitStats | null;
  /** RFC 3339. */
  readonly lastActivityAt: string | null;
}

export type WorkspaceField = keyof WorkspaceFields;

export const FIELD_GROUPS = ["workspace", "pr", "session", "ratchet", "runScript", "reconciliation"] as const;
export type FieldGroup = (typeof FIELD_GROUPS)[number];

/** The group of each field: on the wire a group shows the newest stamp of its fields. */
export const GROUP_OF_FIELD: Readonly<Record<WorkspaceField, FieldGroup>> = {
  projectId: "workspace",
  name: "workspace",
  status: "workspace",
  createdAt: "workspace",
  branchName: "workspace",
  hasHadSessions: "workspace",
  mode: "workspace",
  autoIterationStatus: "workspace",
  prUrl: "pr",
  prNumber: "pr",
  prState: "pr",
  prCiStatus: "pr",
  prUpdatedAt: "pr",
  hasMergeConflict: "pr",
  isWorking: "session",
  pendingRequestType: "session",
  sessionSummaries: "session",
  ratchetEnabled: "ratchet",
  ratchetState: "ratchet",
  ratchetDispatchOutcome: "ratchet",
  ratchetDispatchRetryCount: "ratchet",
  ratchetDispatchStalled: "ratchet",
  runScriptStatus: "runScript",
  gitStats: "reconciliation",
  lastActivityAt: "reconciliation",
};

/** What the tables derive from the fields. */
export interface DerivedWorkspaceState {
  readonly sidebarStatus: SidebarStatus;
  /** Null: off the board (archiving or archived). */
  readonly kanbanColumn: KanbanColumn | null;
  readonly flowPhase: FlowPhase;
  readonly ciObservation: CIObservation;
  readonly ratchetButtonAnimated: boolean;
  readonly statusReason: StatusReason;
}

/** One entry as it travels: whole, frozen, plain JSON. */
export interface WorkspaceEntry extends WorkspaceFields, DerivedWorkspaceState {
  readonly workspaceId: string;
  /** The sequence of the commit: grows with each real change, through remove and re-create too. */
  readonly version: number;
  /** When the entry was computed, RFC 3339. */
  readonly computedAt: string;
  /** `initial`, `reconciliation` or `event:<source>`; joined by `+` when coalesced. */
  readonly source: string;
  /** Milliseconds since 1970, when the newest observation of each group began; 0 = never observed. */
  readonly fieldTimestamps: Readonly<Record<FieldGroup, number>>;
}
