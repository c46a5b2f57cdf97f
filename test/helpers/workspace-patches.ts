/** Random patches over a small world, so that equal values and shared fields are common. */
import fc from "fast-check";
import {
  AUTO_ITERATION_STATUSES,
  CI_STATUSES,
  PENDING_REQUEST_TYPES,
  PR_STATES,
  RATCHET_DISPATCH_OUTCOMES,
  RATCHET_STATES,
  RUN_SCRIPT_STATUSES,
  SESSION_RUNTIME_PHASES,
  type SessionSummary,
  WORKSPACE_MODES,
  WORKSPACE_STATUSES,
  type WorkspaceField,
} from "../../src/protocol/workspace.ts";
import type { WorkspacePatch } from "../../src/workspace/patch.ts";
import { session } from "./workspace-states.ts";

const orNull = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: null });
const time = fc.constantFrom("2026-08-01T12:00:00Z", "2026-08-01T12:00:01.500Z");
const few = fc.nat(2);

const summary: fc.Arbitrary<SessionSummary> = fc
  .record({
    sessionId: fc.constantFrom("s1", "s2", "s3"),
    runtimePhase: fc.constantFrom(...SESSION_RUNTIME_PHASES),
    lastExit: orNull(fc.record({ code: orNull(few), timestamp: time, unexpected: fc.boolean() })),
  })
  .map(session);

const fields = {
  projectId: fc.constantFrom("p", "q"),
  name: fc.constantFrom("", "a", "ünï\ud83d\ude80"),
  status: fc.constantFrom(...WORKSPACE_STATUSES),
  createdAt: fc.constantFrom("", "2026-08-01T12:00:00Z"),
  branchName: orNull(fc.constantFrom("main", "topic")),
  hasHadSessions: fc.boolean(),
  mode: fc.constantFrom(...WORKSPACE_MODES),
  autoIterationStatus: orNull(fc.constantFrom(...AUTO_ITERATION_STATUSES)),
  prUrl: orNull(fc.constantFrom("", "https://forge.example/pull/1")),
  prNumber: orNull(few),
  prState: fc.constantFrom(...PR_STATES),
  prCiStatus: fc.constantFrom(...CI_STATUSES),
  prUpdatedAt: orNull(time),
  hasMergeConflict: fc.boolean(),
  isWorking: fc.boolean(),
  pendingRequestType: orNull(fc.constantFrom(...PENDING_REQUEST_TYPES)),
  sessionSummaries: fc.uniqueArray(summary, { selector: ({ sessionId }) => sessionId, maxLength: 3 }),
  ratchetEnabled: fc.boolean(),
  ratchetState: fc.constantFrom(...RATCHET_STATES),
  ratchetDispatchOutcome: orNull(fc.constantFrom(...RATCHET_DISPATCH_OUTCOMES)),
  ratchetDispatchRetryCount: few,
  ratchetDispatchStalled: fc.boolean(),
  runScriptStatus: fc.constantFrom(...RUN_SCRIPT_STATUSES),
  gitStats: orNull(fc.record({ total: few, additions: few, deletions: few, hasUncommitted: fc.boolean() })),
  lastActivityAt: orNull(time),
} satisfies Record<WorkspaceField, fc.Arbitrary<unknown>>;

export const patchArbitrary: fc.Arbitrary<WorkspacePatch> = fc.record(fields, { requiredKeys: [] });
