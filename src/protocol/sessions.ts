/**
 * A session: one run of a coding agent in a workspace, from the moment it is noticed until its transcript is dealt with.
 * `sessions.onSession` yields the frames at the end of this file, each with a position as its tracked id.
 */
import type { EndedReason, FullReason } from "./frames.ts";
import type {
  ActivityState,
  PendingRequestType,
  SessionExit,
  SessionProcessState,
  SessionProvider,
  SessionRuntimePhase,
} from "./workspace.ts";

/** In order: a session goes forward, may leave steps out, and never goes back. `failed` is reached from anywhere. */
export const SESSION_LIFECYCLES = [
  "detected",
  "ended",
  "transcript_ready",
  "parsed",
  "summarized",
  "complete",
  "failed",
] as const;
export type SessionLifecycle = (typeof SESSION_LIFECYCLES)[number];

/** What producers may say: `capturing` is another name for `detected`. */
export type SessionLifecycleInput = SessionLifecycle | "capturing";

export interface SessionStats {
  readonly totalMessages?: number | undefined;
  /** US dollars. */
  readonly totalCostUsd?: number | undefined;
  /** Milliseconds. */
  readonly durationMs?: number | undefined;
}

/** What a session waits for from a person. What the tool was called with is read for its type and not kept. */
export interface SessionRequest {
  readonly type: PendingRequestType;
  readonly toolName: string | null;
}

/** One session as it travels: whole, frozen, plain JSON, every key present. */
export interface SessionEntry {
  readonly sessionId: string;
  readonly workspaceId: string;
  /** The project of its workspace; null while nothing is known of that workspace. */
  readonly projectId: string | null;
  /** The sequence of the commit: grows with each change. */
  readonly version: number;
  readonly lifecycle: SessionLifecycle;
  /** Its process may be there: `detected`, or resumed after its end. Only live sessions count for their workspace. */
  readonly live: boolean;
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
  /** When it was first observed, RFC 3339. */
  readonly createdAt: string;
  /** When the newest observation that changed something began, RFC 3339. */
  readonly updatedAt: string;
  /** When its end was last observed, RFC 3339; null while it has not ended. */
  readonly endedAt: string | null;
}

export interface SessionFull {
  readonly type: "session_full";
  readonly sessionId: string;
  /** Null: nothing is known of it (yet). */
  readonly session: SessionEntry | null;
  readonly reason: FullReason;
  readonly complete: boolean;
}

export interface SessionResumed {
  readonly type: "session_resumed";
  readonly sessionId: string;
  /** The position (`<tag>.<sequence>`) from which on the subscriber has caught up. */
  readonly until: string;
  /** How many changed keys follow: 0 or 1. */
  readonly missed: number;
}

export interface SessionChanged {
  readonly type: "session_changed";
  readonly sessionId: string;
  readonly session: SessionEntry;
}

/** The session is forgotten: its workspace is gone, or it was old. */
export interface SessionRemoved {
  readonly type: "session_removed";
  readonly sessionId: string;
}

export interface SessionProgress {
  readonly type: "session_progress";
  readonly sessionId: string;
  readonly complete: boolean;
}

export interface SessionStatusFrame {
  readonly type: "session_status";
  readonly sessionId: string;
  readonly fresh: boolean;
  readonly reason?: string;
  /** Since when, RFC 3339. */
  readonly since: string;
}

/** The server ends the *subscription* for good. That the session ended is a change of its `lifecycle`. */
export interface SessionEnded {
  readonly type: "session_ended";
  readonly sessionId: string;
  readonly reason: EndedReason;
}

export type SessionFrame =
  | SessionFull
  | SessionResumed
  | SessionChanged
  | SessionRemoved
  | SessionProgress
  | SessionStatusFrame
  | SessionEnded;

const READS: Readonly<Record<SessionFrame["type"], (data: Record<string, unknown>) => boolean>> = {
  session_full: ({ session }) => session === null || isRecord(session),
  session_resumed: ({ until }) => typeof until === "string",
  session_changed: ({ session }) => isRecord(session),
  session_removed: () => true,
  session_progress: ({ complete }) => typeof complete === "boolean",
  session_status: ({ fresh }) => typeof fresh === "boolean",
  session_ended: ({ reason }) => typeof reason === "string",
};

/** Reads what a subscription delivered; `undefined` for an unknown type or a broken shape, which a receiver skips. */
export function readSessionFrame(data: unknown): SessionFrame | undefined {
  if (!isRecord(data) || typeof data.type !== "string" || !Object.hasOwn(READS, data.type)) return undefined;
  if (typeof data.sessionId !== "string") return undefined;
  return READS[data.type as SessionFrame["type"]](data) ? (data as unknown as SessionFrame) : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
