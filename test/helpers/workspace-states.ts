/** Every combination of what the tables read, in a loop that allocates nothing: one object, changed in place. */
import type { SessionSummary } from "../../src/protocol/workspace.ts";
import type { RawWorkspaceState } from "../../src/workspace/derive.ts";

export type MutableRaw = { -readonly [Key in keyof RawWorkspaceState]: RawWorkspaceState[Key] };

/** Inputs and their values. A later one changes faster. */
export type Axes = { readonly [Key in keyof RawWorkspaceState]?: readonly RawWorkspaceState[Key][] };

export function session(said: Partial<SessionSummary> = {}): SessionSummary {
  return {
    sessionId: "s1",
    name: null,
    workflow: null,
    model: null,
    persistedStatus: "IDLE",
    runtimePhase: "idle",
    processState: "alive",
    activity: "IDLE",
    updatedAt: "2026-08-01T12:00:00.000Z",
    lastExit: null,
    ...said,
  };
}

const unexpectedExit = { code: 137, timestamp: "2026-08-01T12:00:00.000Z", unexpected: true };

/** What the summaries can say to the tables, and what it means. */
export const QUIET: readonly SessionSummary[] = [session({ persistedStatus: "RUNNING" })];
export const STARTING: readonly SessionSummary[] = [session(), session({ runtimePhase: "starting" })];
export const BROKEN: readonly SessionSummary[] = [session(), session({ lastExit: unexpectedExit })];
export const STARTING_AND_BROKEN: readonly SessionSummary[] = [
  session({ runtimePhase: "error" }),
  session({ runtimePhase: "loading" }),
];

const BOTH = [false, true] as const;

/** What says something about the pull request: flow phase, CI observation and the sidebar's CI follow from it. */
export const PULL_REQUEST_AXES = {
  prUrl: [null, "", "https://forge.example/pull/1"],
  prState: ["NONE", "DRAFT", "OPEN", "CHANGES_REQUESTED", "APPROVED", "MERGED", "CLOSED"],
  prCiStatus: ["UNKNOWN", "PENDING", "SUCCESS", "FAILURE"],
  ratchetEnabled: BOTH,
  ratchetState: ["IDLE", "CI_RUNNING", "CI_FAILED", "MERGE_CONFLICT", "REVIEW_PENDING", "READY", "MERGED"],
} as const satisfies Axes;

/** The rest. */
export const OTHER_AXES = {
  status: ["NEW", "PROVISIONING", "READY", "FAILED", "ARCHIVING", "ARCHIVED"],
  mode: ["STANDARD", "AUTO_ITERATION"],
  autoIterationStatus: [
    null,
    "IDLE",
    "RUNNING",
    "PAUSED",
    "COMPLETED",
    "MAX_ITERATIONS",
    "STOPPED",
    "FAILED",
  ],
  hasHadSessions: BOTH,
  hasMergeConflict: BOTH,
  isWorking: BOTH,
  ratchetDispatchStalled: BOTH,
  pendingRequestType: [null, "plan_approval", "user_question", "permission_request"],
  sessionSummaries: [QUIET, STARTING, BROKEN, STARTING_AND_BROKEN],
} as const satisfies Axes;

export function rawState(said: Partial<RawWorkspaceState> = {}): MutableRaw {
  return {
    status: "READY",
    mode: "STANDARD",
    autoIterationStatus: null,
    hasHadSessions: true,
    prUrl: null,
    prState: "NONE",
    prCiStatus: "UNKNOWN",
    hasMergeConflict: false,
    isWorking: false,
    pendingRequestType: null,
    sessionSummaries: QUIET,
    ratchetEnabled: false,
    ratchetState: "IDLE",
    ratchetDispatchStalled: false,
    ...said,
  };
}

/** Sets every combination of the axes in `raw`, one after the other, and calls `visit` for each. */
export function sweep(raw: MutableRaw, axes: Axes, visit: () => void): void {
  const target = raw as Record<string, unknown>;
  const names = Object.entries(axes) as [string, readonly unknown[]][];
  const turn = (index: number): void => {
    const axis = names[index];
    if (axis === undefined) {
      visit();
      return;
    }
    const [name, values] = axis;
    for (const value of values) {
      target[name] = value;
      turn(index + 1);
    }
  };
  turn(0);
}

/**
 * Every combination that can differ in its outcome, about 3.6 million: an empty URL reads as none and only one pair of
 * mode and iteration status matters, which the whole sweep proves.
 */
export function everyState(visit: (raw: RawWorkspaceState) => void): void {
  const raw = rawState();
  const { mode: _, autoIterationStatus: __, ...others } = OTHER_AXES;
  const iterating = [
    ["STANDARD", "RUNNING"],
    ["AUTO_ITERATION", "IDLE"],
    ["AUTO_ITERATION", "RUNNING"],
  ] as const;
  sweep(raw, { ...PULL_REQUEST_AXES, prUrl: [null, "https://forge.example/pull/1"] }, () => {
    for (const [mode, autoIterationStatus] of iterating) {
      raw.mode = mode;
      raw.autoIterationStatus = autoIterationStatus;
      sweep(raw, others, () => visit(raw));
    }
  });
}
