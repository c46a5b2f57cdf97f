/**
 * The entry and the patch as zod schemas: exact enumerations, one shape for both, bounds against abuse.
 *
 * A patch comes from outside and is refused when it holds a key that nobody knows: a typing error must not be a silent
 * loss. An entry is read by receivers, and they ignore what they do not know: keys are only ever added.
 */
import { z } from "zod";
import {
  ACTIVITY_STATES,
  AUTO_ITERATION_STATUSES,
  CI_OBSERVATIONS,
  CI_STATUSES,
  FLOW_PHASES,
  KANBAN_COLUMNS,
  PENDING_REQUEST_TYPES,
  PR_STATES,
  RATCHET_DISPATCH_OUTCOMES,
  RATCHET_STATES,
  RUN_SCRIPT_STATUSES,
  SESSION_PROCESS_STATES,
  SESSION_PROVIDERS,
  SESSION_RUNTIME_PHASES,
  SESSION_STATUSES,
  SIDEBAR_CI_STATES,
  STATUS_REASON_CODES,
  STATUS_TONES,
  WORKSPACE_MODES,
  WORKSPACE_STATUSES,
  type WorkspaceField,
} from "../protocol/workspace.ts";

/** Longest strings in UTF-16 units, and longest list. */
export const WORKSPACE_LIMITS = {
  id: 512,
  name: 1024,
  url: 4096,
  errorMessage: 16_384,
  sessionSummaries: 256,
} as const;

const id = z.string().min(1).max(WORKSPACE_LIMITS.id);
const name = z.string().max(WORKSPACE_LIMITS.name);
const url = z.string().max(WORKSPACE_LIMITS.url);
const count = z.int().min(0);
const time = z.iso
  .datetime({ offset: true, error: "expected an RFC 3339 time such as 2026-08-01T12:00:00Z" })
  .max(64);

const exitShape = { code: z.int().nullable(), timestamp: time, unexpected: z.boolean() };

const sessionShape = {
  sessionId: id,
  name: name.nullable(),
  workflow: name.nullable(),
  model: name.nullable(),
  provider: z.enum(SESSION_PROVIDERS).optional(),
  persistedStatus: z.enum(SESSION_STATUSES),
  runtimePhase: z.enum(SESSION_RUNTIME_PHASES),
  processState: z.enum(SESSION_PROCESS_STATES),
  activity: z.enum(ACTIVITY_STATES),
  updatedAt: time,
  lastExit: z.object(exitShape).nullable(),
  errorMessage: z.string().max(WORKSPACE_LIMITS.errorMessage).nullish(),
};

const gitStatsShape = { total: count, additions: count, deletions: count, hasUncommitted: z.boolean() };

const fieldShape = {
  projectId: id,
  name,
  status: z.enum(WORKSPACE_STATUSES),
  createdAt: z.union([z.literal(""), time], {
    error: "expected an RFC 3339 time such as 2026-08-01T12:00:00Z, or '' when it is not known",
  }),
  branchName: name.nullable(),
  hasHadSessions: z.boolean(),
  mode: z.enum(WORKSPACE_MODES),
  autoIterationStatus: z.enum(AUTO_ITERATION_STATUSES).nullable(),
  prUrl: url.nullable(),
  prNumber: count.nullable(),
  prState: z.enum(PR_STATES),
  prCiStatus: z.enum(CI_STATUSES),
  prUpdatedAt: time.nullable(),
  hasMergeConflict: z.boolean(),
  isWorking: z.boolean(),
  pendingRequestType: z.enum(PENDING_REQUEST_TYPES).nullable(),
  sessionSummaries: z.array(z.object(sessionShape)).max(WORKSPACE_LIMITS.sessionSummaries).readonly(),
  ratchetEnabled: z.boolean(),
  ratchetState: z.enum(RATCHET_STATES),
  ratchetDispatchOutcome: z.enum(RATCHET_DISPATCH_OUTCOMES).nullable(),
  ratchetDispatchRetryCount: count,
  ratchetDispatchStalled: z.boolean(),
  runScriptStatus: z.enum(RUN_SCRIPT_STATUSES),
  gitStats: z.object(gitStatsShape).nullable(),
  lastActivityAt: time.nullable(),
} satisfies Record<WorkspaceField, z.ZodType>;

const stamp = z.number().min(0);

/** One entry as it travels. Every key is present; only what is nullable in the table of fields may be null. */
export const workspaceEntrySchema = z.object({
  workspaceId: id,
  version: count,
  computedAt: time,
  source: z.string().min(1),
  ...fieldShape,
  sidebarStatus: z.object({ activityState: z.enum(ACTIVITY_STATES), ciState: z.enum(SIDEBAR_CI_STATES) }),
  kanbanColumn: z.enum(KANBAN_COLUMNS).nullable(),
  flowPhase: z.enum(FLOW_PHASES),
  ciObservation: z.enum(CI_OBSERVATIONS),
  ratchetButtonAnimated: z.boolean(),
  statusReason: z.object({
    code: z.enum(STATUS_REASON_CODES),
    label: z.string(),
    tone: z.enum(STATUS_TONES),
    needsUser: z.boolean(),
  }),
  fieldTimestamps: z.object({
    workspace: stamp,
    pr: stamp,
    session: stamp,
    ratchet: stamp,
    runScript: stamp,
    reconciliation: stamp,
  }),
});

/** What a source need not know of a session is null when it does not say it. */
const sessionInput = z.strictObject({
  ...sessionShape,
  name: sessionShape.name.default(null),
  workflow: sessionShape.workflow.default(null),
  model: sessionShape.model.default(null),
  lastExit: z
    .strictObject({ ...exitShape, code: exitShape.code.default(null) })
    .nullable()
    .default(null),
});

/** What sources and callers may say: every field optional, nothing else allowed. */
export const workspacePatchSchema = z
  .strictObject({
    ...fieldShape,
    sessionSummaries: z
      .array(sessionInput)
      .max(WORKSPACE_LIMITS.sessionSummaries)
      .refine((sessions) => new Set(sessions.map((session) => session.sessionId)).size === sessions.length, {
        error: "expected each sessionId once",
      })
      .readonly(),
    gitStats: z.strictObject(gitStatsShape).nullable(),
  })
  .partial();
