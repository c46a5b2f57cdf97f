/** Reading an update of a session: exact words, bounds, and the difference between absent (no news) and null (cleared). */
import { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";
import {
  SESSION_LIFECYCLES,
  type SessionLifecycle,
  type SessionLifecycleInput,
  type SessionRequest,
  type SessionStats,
} from "../protocol/sessions.ts";
import {
  ACTIVITY_STATES,
  type ActivityState,
  PENDING_REQUEST_TYPES,
  SESSION_PROCESS_STATES,
  SESSION_PROVIDERS,
  SESSION_RUNTIME_PHASES,
  type SessionExit,
  type SessionProcessState,
  type SessionProvider,
  type SessionRuntimePhase,
} from "../protocol/workspace.ts";
import { frozenCopy } from "../workspace/frozen.ts";
import { WORKSPACE_LIMITS } from "../workspace/schema.ts";
import { pendingRequestTypeOf } from "../workspace/session-signals.ts";
import { lifecycleOf } from "./lifecycle.ts";

/** What a session is known by, apart from its lifecycle. */
export interface SessionFacts {
  readonly workspaceId: string;
  readonly stats: SessionStats | null;
  readonly summary: string | null;
  readonly activity: ActivityState;
  readonly runtimePhase: SessionRuntimePhase;
  readonly processState: SessionProcessState;
  readonly pendingRequest: SessionRequest | null;
  readonly lastExit: SessionExit | null;
  readonly errorMessage: string | null;
  readonly name: string | null;
  readonly workflow: string | null;
  readonly model: string | null;
  readonly provider: SessionProvider | null;
}

/** What is true of a session of which nothing else was said; null in an update goes back to it. */
export const INITIAL_FACTS: Omit<SessionFacts, "workspaceId"> = Object.freeze({
  stats: null,
  summary: null,
  activity: "IDLE",
  runtimePhase: "idle",
  processState: "unknown",
  pendingRequest: null,
  lastExit: null,
  errorMessage: null,
  name: null,
  workflow: null,
  model: null,
  provider: null,
});

export const SESSION_FACTS = [
  "workspaceId",
  ...Object.keys(INITIAL_FACTS),
] as readonly (keyof SessionFacts)[];

/** Longest texts in UTF-16 units. */
const SESSION_LIMITS = { summary: 16_384, clientKey: 200 } as const;

const id = z.string().min(1).max(WORKSPACE_LIMITS.id);
const label = z.string().max(WORKSPACE_LIMITS.name);
const time = z.iso.datetime({
  offset: true,
  error: "expected an RFC 3339 time such as 2026-08-01T12:00:00Z",
});

const stats = z.strictObject({
  totalMessages: z.int().min(0).optional(),
  totalCostUsd: z.number().min(0).optional(),
  durationMs: z.number().min(0).optional(),
});

const requestType = z.enum(PENDING_REQUEST_TYPES);

/** Either the type itself, or the tool and what it was called with: the type follows from those. */
const pendingRequest = z
  .union([
    requestType,
    z.strictObject({
      type: requestType.optional(),
      toolName: label.nullish(),
      input: z.unknown().optional(),
    }),
  ])
  .transform((request): SessionRequest => {
    if (typeof request === "string") return { type: request, toolName: null };
    return { type: request.type ?? pendingRequestTypeOf(request), toolName: request.toolName ?? null };
  });

const lastExit = z.strictObject({
  code: z.int().nullable().default(null),
  timestamp: time,
  unexpected: z.boolean(),
});

/** What `sessions.update` takes. */
const sessionUpdateSchema = z.strictObject({
  sessionId: id,
  workspaceId: id.optional(),
  lifecycle: z.enum([...SESSION_LIFECYCLES, "capturing"]).optional(),
  stats: stats.nullish(),
  summary: z.string().max(SESSION_LIMITS.summary).nullish(),
  activity: z.enum(ACTIVITY_STATES).nullish(),
  runtimePhase: z.enum(SESSION_RUNTIME_PHASES).nullish(),
  processState: z.enum(SESSION_PROCESS_STATES).nullish(),
  pendingRequest: pendingRequest.nullish(),
  lastExit: lastExit.nullish(),
  errorMessage: z.string().max(WORKSPACE_LIMITS.errorMessage).nullish(),
  name: label.nullish(),
  workflow: label.nullish(),
  model: label.nullish(),
  provider: z.enum(SESSION_PROVIDERS).nullish(),
  observedAt: z.number().min(0).optional(),
  clientKey: z.string().min(1).max(SESSION_LIMITS.clientKey).optional(),
});

/** What a producer may say of what a session waits for. */
export type SessionRequestInput =
  | SessionRequest["type"]
  | {
      readonly type?: SessionRequest["type"] | undefined;
      readonly toolName?: string | null | undefined;
      /** What the tool was called with: read for the type, not kept. */
      readonly input?: unknown;
    };

/** An update as a caller writes it. Absent (or undefined) changes nothing, null clears. */
export interface SessionUpdateInput {
  readonly sessionId: string;
  /** Needed with the first update of a session. */
  readonly workspaceId?: string | undefined;
  readonly lifecycle?: SessionLifecycleInput | undefined;
  readonly stats?: SessionStats | null | undefined;
  readonly summary?: string | null | undefined;
  readonly activity?: ActivityState | null | undefined;
  readonly runtimePhase?: SessionRuntimePhase | null | undefined;
  readonly processState?: SessionProcessState | null | undefined;
  readonly pendingRequest?: SessionRequestInput | null | undefined;
  readonly lastExit?:
    | {
        readonly code?: number | null | undefined;
        /** RFC 3339. */
        readonly timestamp: string;
        readonly unexpected: boolean;
      }
    | null
    | undefined;
  readonly errorMessage?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly workflow?: string | null | undefined;
  readonly model?: string | null | undefined;
  readonly provider?: SessionProvider | null | undefined;
  /** When the observation began, in milliseconds since 1970. @defaultValue now */
  readonly observedAt?: number | undefined;
  /** The same key again is answered as the first time and changes nothing. */
  readonly clientKey?: string | undefined;
}

/** An update as it is folded: only what was said, cleared facts as their initial values. */
export interface SessionNews {
  readonly facts: Partial<SessionFacts>;
  readonly lifecycle: SessionLifecycle | undefined;
}

export interface ReadUpdate extends SessionNews {
  readonly sessionId: string;
  readonly observedAt: number | undefined;
  readonly clientKey: string | undefined;
}

const SHOWN_ISSUES = 5;

/** @throws SnapwireError `invalid-input`. */
export function readSessionUpdate(input: unknown): ReadUpdate {
  const parsed = sessionUpdateSchema.safeParse(input);
  if (!parsed.success) throw invalid(parsed.error.issues);
  const { sessionId, lifecycle, observedAt, clientKey, ...said } = parsed.data;
  const facts = Object.entries(said).flatMap(([key, value]) => {
    if (value === undefined) return [];
    return [[key, value ?? INITIAL_FACTS[key as keyof typeof INITIAL_FACTS]]];
  });
  return {
    sessionId,
    observedAt,
    clientKey,
    lifecycle: lifecycle === undefined ? undefined : lifecycleOf(lifecycle),
    facts: frozenCopy(Object.fromEntries(facts) as Partial<SessionFacts>),
  };
}

function invalid(issues: readonly z.core.$ZodIssue[]): SnapwireError {
  const shown = issues
    .slice(0, SHOWN_ISSUES)
    .map(({ path, message }) => [z.core.toDotPath(path), message].filter(Boolean).join(": "));
  if (issues.length > SHOWN_ISSUES) shown.push(`and ${issues.length - SHOWN_ISSUES} more`);
  return new SnapwireError("invalid-input", `Not an update of a session: ${shown.join("; ")}.`);
}
