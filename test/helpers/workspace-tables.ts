/**
 * The tables of the workspace model, written down a second time as data: rows of a condition and its result, the first
 * that matches wins. Nothing here is imported from the code under test but types; the two meet in the tests only.
 */
import type {
  CIObservation,
  FlowPhase,
  KanbanColumn,
  PRState,
  RatchetState,
  SessionSummary,
  SidebarCIState,
  StatusReasonCode,
  StatusTone,
} from "../../src/protocol/workspace.ts";
import type { RawWorkspaceState } from "../../src/workspace/derive.ts";
import type { RatchetInputs } from "../../src/workspace/ratchet-state.ts";
import type { SessionUiKind } from "../../src/workspace/session-signals.ts";

type Row<Input, Result> = readonly [when: (input: Input) => boolean, then: Result];

/** The first row that matches. Throws when there is none: a table is total. */
export function firstRow<Input, Result>(rows: readonly Row<Input, Result>[], input: Input): Result {
  for (const [when, then] of rows) if (when(input)) return then;
  throw new Error(`no row matches ${JSON.stringify(input)}`);
}

const isOneOf = (value: unknown, ...values: readonly unknown[]) => values.includes(value);
const always = () => true;
const isOpen = (prState: PRState) => isOneOf(prState, "OPEN", "DRAFT", "CHANGES_REQUESTED", "APPROVED");

export const CI_ROWS: readonly Row<RawWorkspaceState, CIObservation>[] = [
  [(raw) => raw.prCiStatus === "PENDING", "CHECKS_PENDING"],
  [(raw) => raw.prCiStatus === "FAILURE", "CHECKS_FAILED"],
  [(raw) => raw.prCiStatus === "SUCCESS", "CHECKS_PASSED"],
  [(raw) => raw.prCiStatus === "UNKNOWN", "NOT_FETCHED"],
  [always, "CHECKS_UNKNOWN"],
];

const hasActivePullRequest = (raw: RawWorkspaceState) =>
  raw.prUrl !== null && raw.prUrl.length > 0 && isOpen(raw.prState);

export interface FlowFacts {
  readonly raw: RawWorkspaceState;
  readonly ci: CIObservation;
}

export interface FlowResult {
  readonly phase: FlowPhase;
  readonly animated: boolean | "as ratchetEnabled";
}

export const FLOW_ROWS: readonly Row<FlowFacts, FlowResult>[] = [
  [({ raw }) => raw.prState === "MERGED", { phase: "MERGED", animated: false }],
  [({ raw }) => !hasActivePullRequest(raw), { phase: "NO_PR", animated: false }],
  [
    ({ ci }) => isOneOf(ci, "NOT_FETCHED", "CHECKS_PENDING"),
    { phase: "CI_WAIT", animated: "as ratchetEnabled" },
  ],
  [({ raw }) => !raw.ratchetEnabled, { phase: "READY", animated: false }],
  [
    ({ raw }) => isOneOf(raw.ratchetState, "CI_FAILED", "REVIEW_PENDING"),
    { phase: "RATCHET_FIXING", animated: false },
  ],
  [({ raw }) => isOneOf(raw.ratchetState, "READY", "MERGED"), { phase: "READY", animated: false }],
  [
    ({ raw }) => isOneOf(raw.ratchetState, "IDLE", "CI_RUNNING", "MERGE_CONFLICT"),
    { phase: "RATCHET_VERIFY", animated: false },
  ],
];

const saysNothing = (ci: string | null) => ci === "UNKNOWN" || ci === null;

export const SIDEBAR_CI_ROWS: readonly Row<RawWorkspaceState, SidebarCIState>[] = [
  [(raw) => raw.prUrl === null || raw.prUrl === "", "NONE"],
  [(raw) => raw.prState === "MERGED" || raw.ratchetState === "MERGED", "MERGED"],
  [(raw) => raw.prState === "CLOSED", "CLOSED"],
  [(raw) => raw.ratchetState === "MERGE_CONFLICT", "CONFLICT"],
  [(raw) => raw.prCiStatus === "SUCCESS", "PASSING"],
  [(raw) => raw.prCiStatus === "FAILURE", "FAILING"],
  [(raw) => raw.prCiStatus === "PENDING", "RUNNING"],
  [(raw) => saysNothing(raw.prCiStatus) && raw.ratchetState === "CI_FAILED", "FAILING"],
  [(raw) => saysNothing(raw.prCiStatus) && raw.ratchetState === "CI_RUNNING", "RUNNING"],
  [always, "UNKNOWN"],
];

export interface ReasonFacts {
  readonly raw: RawWorkspaceState;
  readonly flow: FlowPhase;
  readonly ci: CIObservation;
  readonly isSessionStarting: boolean;
  readonly hasSessionRuntimeError: boolean;
}

export interface ReasonResult {
  readonly code: StatusReasonCode;
  readonly tone: StatusTone;
  readonly needsUser: boolean;
  readonly column: KanbanColumn | null;
}

const row = (
  when: (facts: ReasonFacts) => boolean,
  code: StatusReasonCode,
  tone: StatusTone,
  needsUser: "yes" | "no",
  column: KanbanColumn | null,
): Row<ReasonFacts, ReasonResult> => [when, { code, tone, needsUser: needsUser === "yes", column }];

export const REASON_ROWS: readonly Row<ReasonFacts, ReasonResult>[] = [
  row(({ raw }) => raw.status === "ARCHIVING", "ARCHIVING", "working", "no", null),
  row(({ raw }) => raw.status === "ARCHIVED", "ARCHIVED", "neutral", "no", null),
  row(
    ({ raw, flow }) => flow === "MERGED" || raw.prState === "MERGED" || raw.ratchetState === "MERGED",
    "MERGED",
    "success",
    "no",
    "DONE",
  ),
  row(({ raw }) => raw.prState === "CLOSED", "PR_CLOSED", "neutral", "no", "DONE"),
  row(
    ({ raw }) => raw.pendingRequestType === "permission_request",
    "NEEDS_PERMISSION",
    "attention",
    "yes",
    "WAITING",
  ),
  row(
    ({ raw }) => raw.pendingRequestType === "plan_approval",
    "NEEDS_PLAN_APPROVAL",
    "attention",
    "yes",
    "WAITING",
  ),
  row(({ raw }) => raw.pendingRequestType === "user_question", "NEEDS_ANSWER", "attention", "yes", "WAITING"),
  row((facts) => facts.hasSessionRuntimeError, "SESSION_ERROR", "danger", "yes", "WAITING"),
  row(
    ({ raw }) => raw.status === "NEW" || raw.status === "PROVISIONING",
    "SETTING_UP",
    "working",
    "no",
    "WORKING",
  ),
  row(({ raw }) => raw.status === "FAILED", "SETUP_FAILED", "danger", "yes", "WAITING"),
  row(({ raw }) => raw.isWorking, "AGENT_WORKING", "working", "no", "WORKING"),
  row((facts) => facts.isSessionStarting, "STARTING_SESSION", "working", "no", "WORKING"),
  row(
    ({ raw }) => raw.mode === "AUTO_ITERATION" && raw.autoIterationStatus === "RUNNING",
    "AUTO_ITERATING",
    "working",
    "no",
    "WORKING",
  ),
  row(
    ({ raw, flow }) => flow !== "NO_PR" && raw.ratchetEnabled && raw.ratchetDispatchStalled,
    "RATCHET_STALLED",
    "attention",
    "yes",
    "WAITING",
  ),
  row(
    ({ raw, flow }) => flow !== "NO_PR" && raw.hasMergeConflict && raw.ratchetEnabled,
    "FIXING_MERGE_CONFLICT",
    "working",
    "no",
    "WORKING",
  ),
  row(
    ({ raw, flow }) => flow !== "NO_PR" && raw.hasMergeConflict && !raw.ratchetEnabled,
    "MERGE_CONFLICT",
    "attention",
    "yes",
    "WAITING",
  ),
  row(({ flow }) => flow === "CI_WAIT", "WAITING_FOR_CI", "waiting", "no", "WORKING"),
  row(
    ({ raw, flow }) => flow === "RATCHET_FIXING" && raw.ratchetState === "REVIEW_PENDING",
    "FIXING_REVIEW_COMMENTS",
    "working",
    "no",
    "WORKING",
  ),
  row(({ flow }) => flow === "RATCHET_FIXING", "FIXING_CI_FAILURES", "working", "no", "WORKING"),
  row(({ flow }) => flow === "RATCHET_VERIFY", "CHECKING_PR", "working", "no", "WORKING"),
  row(
    ({ flow, ci }) => flow === "READY" && ci === "CHECKS_PASSED",
    "READY_TO_MERGE",
    "success",
    "yes",
    "WAITING",
  ),
  row(({ flow }) => flow === "READY", "READY_FOR_REVIEW", "neutral", "yes", "WAITING"),
  row(({ raw }) => !raw.hasHadSessions, "NO_SESSION_STARTED", "neutral", "yes", "WAITING"),
  row(always, "READY_FOR_NEXT_PROMPT", "neutral", "yes", "WAITING"),
];

export const RATCHET_ROWS: readonly Row<RatchetInputs, RatchetState>[] = [
  [(pr) => !pr.ratchetEnabled, "IDLE"],
  [(pr) => pr.prState === "MERGED", "MERGED"],
  [(pr) => !isOpen(pr.prState), "IDLE"],
  [(pr) => pr.prCiStatus === "FAILURE", "CI_FAILED"],
  [(pr) => pr.hasMergeConflict, "MERGE_CONFLICT"],
  [(pr) => isOneOf(pr.prCiStatus, "PENDING", "UNKNOWN"), "CI_RUNNING"],
  [(pr) => pr.prReviewState === "CHANGES_REQUESTED", "REVIEW_PENDING"],
  [always, "READY"],
];

export const SESSION_KIND_ROWS: readonly Row<SessionSummary, SessionUiKind>[] = [
  [(session) => session.runtimePhase === "loading", "loading"],
  [(session) => session.runtimePhase === "starting", "starting"],
  [(session) => session.runtimePhase === "stopping", "stopping"],
  [(session) => session.runtimePhase === "error", "error"],
  [
    (session) => session.processState === "stopped" && session.lastExit?.unexpected === true,
    "unexpected-exit",
  ],
  [(session) => session.processState === "stopped", "stopped"],
  [(session) => session.activity === "WORKING" || session.runtimePhase === "running", "working"],
  [always, "idle"],
];
