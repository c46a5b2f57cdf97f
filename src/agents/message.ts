/** What is kept of a message, and how operations fold into it. Pure: called again, unchanged, after a lost comparison. */
import type { NextRecord } from "../collection/model.ts";
import type { Json } from "../journal/journal.ts";
import type { AckOutcome, AckResult, MessageReport, MessageStatus } from "../protocol/agents.ts";

export interface MessageState {
  readonly deviceId: string;
  /** Who sent it: the name of a token or account. */
  readonly sender: string;
  readonly payload: Json;
  readonly text: string | null;
  /** JSON of payload and text; what is kept of it counts. */
  readonly bytes: number;
  readonly status: MessageStatus;
  /** Its place among the messages of the device: the sequence of the commit that accepted it; 0 = this very commit. */
  readonly order: number;
  readonly attempt: number;
  /** Attempts before it was accepted the last time. */
  readonly attemptsBefore: number;
  /** The lease under which it was sent last; 0 = never. */
  readonly lease: number;
  /** How long the sender was ready to wait, in milliseconds. */
  readonly waitMs: number;
  /** Milliseconds since 1970, like all times here; 0 = never. */
  readonly acceptedAt: number;
  readonly sentAt: number;
  readonly settledAt: number;
  readonly expiresAt: number;
  readonly error: string | null;
}

export type MessageOperation =
  | { readonly kind: "accept"; readonly state: MessageState }
  | {
      readonly kind: "send";
      readonly lease: number;
      readonly at: number;
      readonly maxAttempts: number;
    }
  | {
      readonly kind: "ack";
      readonly lease: number;
      readonly outcome: AckOutcome;
      readonly error: string | null;
      readonly at: number;
    }
  | { readonly kind: "stick"; readonly attempt: number }
  | { readonly kind: "expire"; readonly at: number }
  | { readonly kind: "resend"; readonly at: number; readonly expiresAt: number }
  | { readonly kind: "forget" };

export interface MessageOutcome {
  /** The operation did what it says, now or before. */
  readonly accepted: boolean;
  readonly late: boolean;
}

/** What the fold asks of the room, in this turn. */
export interface MessageFoldFacts {
  /** The sequence of the record that is folded over. */
  readonly sequence: number;
  /** The newest lease of a device; 0 = none. */
  readonly leaseOf: (deviceId: string) => number;
}

type Step = { readonly state: MessageState; readonly outcome: MessageOutcome };

const DONE: MessageOutcome = { accepted: true, late: false };
const REFUSED: MessageOutcome = { accepted: false, late: false };
const UNACKNOWLEDGED = "not acknowledged";

export function foldMessage(
  base: NextRecord<MessageState> | undefined,
  operations: readonly MessageOperation[],
  facts: MessageFoldFacts,
): {
  readonly next: NextRecord<MessageState> | undefined;
  readonly changed: boolean;
  readonly outcomes: ReadonlyArray<{ readonly value: MessageOutcome }>;
} {
  const before = base && base.scope !== null ? base.state : undefined;
  let state = before && before.order === 0 ? { ...before, order: facts.sequence } : before;
  const start = state;
  const outcomes = operations.map((operation) => {
    if (operation.kind === "accept") {
      const isNew = state === undefined;
      state ??= operation.state;
      return { value: isNew ? DONE : REFUSED };
    }
    if (state === undefined) return { value: REFUSED };
    if (operation.kind === "forget") {
      if (isSettled(state.status)) state = undefined;
      return { value: DONE };
    }
    const step = stepOf(state, operation, facts);
    state = step.state;
    return { value: step.outcome };
  });
  if (state === start) return { next: base, changed: false, outcomes };
  if (state) return { next: { scope: state.deviceId, hidden: false, state }, changed: true, outcomes };
  const gone = start && {
    scope: null,
    hidden: false,
    state: { ...start, payload: null, text: null, bytes: 0 },
  };
  return { next: gone ?? base, changed: gone !== undefined, outcomes };
}

function stepOf(
  state: MessageState,
  operation: Exclude<MessageOperation, { kind: "accept" | "forget" }>,
  { leaseOf }: MessageFoldFacts,
): Step {
  const same = (outcome: MessageOutcome): Step => ({ state, outcome });
  switch (operation.kind) {
    case "send": {
      const { lease, at, maxAttempts } = operation;
      if (isSettled(state.status) || lease < state.lease || leaseOf(state.deviceId) !== lease)
        return same(REFUSED);
      if (isSent(state.status) && state.lease === lease) return same(DONE);
      const attempt = state.attempt + 1;
      if (attempt - state.attemptsBefore > maxAttempts)
        return {
          state: settled(state, "failed", at, `${UNACKNOWLEDGED} in ${maxAttempts} attempts`),
          outcome: REFUSED,
        };
      return { state: { ...state, status: "in-flight", attempt, lease, sentAt: at }, outcome: DONE };
    }
    case "ack": {
      const { lease, outcome, error, at } = operation;
      if (state.lease !== lease || state.lease === 0) return same(REFUSED);
      const late = at > state.sentAt + state.waitMs;
      const becomes = outcome === "ok" ? "delivered" : "failed";
      if (state.status === becomes) return same({ accepted: true, late }); // the answer to the first one was lost
      // One that expired in the hands of the device was done all the same.
      if (!isSent(state.status) && state.status !== "expired") return same(REFUSED);
      if (leaseOf(state.deviceId) !== lease) return same(REFUSED);
      const why = becomes === "failed" ? (error ?? "the device said that it failed") : null;
      return { state: settled(state, becomes, at, why), outcome: { accepted: true, late } };
    }
    case "stick":
      if (state.status !== "in-flight" || state.attempt !== operation.attempt) return same(REFUSED);
      return { state: { ...state, status: "stuck" }, outcome: DONE };
    case "expire":
      if (isSettled(state.status) || operation.at < state.expiresAt) return same(REFUSED);
      return { state: settled(state, "expired", operation.at, `${UNACKNOWLEDGED} in time`), outcome: DONE };
    case "resend":
      if (!isDeadLetter(state.status)) return same(REFUSED);
      return {
        state: {
          ...state,
          status: "waiting",
          order: 0,
          attemptsBefore: state.attempt,
          settledAt: 0,
          expiresAt: operation.expiresAt,
          error: null,
        },
        outcome: DONE,
      };
  }
}

/** A delivered message is remembered for its key, without what it said; a dead letter may be sent again. */
function settled(
  state: MessageState,
  status: "delivered" | "failed" | "expired",
  at: number,
  error: string | null,
): MessageState {
  const kept = status === "delivered" ? { payload: null, text: null, bytes: 0 } : {};
  return { ...state, ...kept, status, settledAt: at, error };
}

export function isSent(status: MessageStatus): boolean {
  return status === "in-flight" || status === "stuck";
}

export function isDeadLetter(status: MessageStatus): boolean {
  return status === "failed" || status === "expired";
}

export function isSettled(status: MessageStatus): boolean {
  return status === "delivered" || isDeadLetter(status);
}

/** An ack as it is answered. */
export function ackResultOf({ accepted, late }: MessageOutcome): AckResult {
  return { accepted, late };
}

export function reportOf(messageId: string, state: MessageState): MessageReport {
  return Object.freeze({
    messageId,
    deviceId: state.deviceId,
    status: state.status,
    attempt: state.attempt,
    acceptedAt: textOf(state.acceptedAt),
    sentAt: state.sentAt === 0 ? null : textOf(state.sentAt),
    settledAt: state.settledAt === 0 ? null : textOf(state.settledAt),
    expiresAt: textOf(state.expiresAt),
    error: state.error,
  });
}

function textOf(at: number): string {
  return new Date(at).toISOString();
}
