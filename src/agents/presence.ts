/** What is kept of a device, and how operations fold into it. Pure: called again, unchanged, after a lost comparison. */
import type { NextRecord } from "../collection/model.ts";
import type { AgentPresence, ConnectPolicy } from "../protocol/agents.ts";
import { SnapwireError } from "../protocol/errors.ts";

export interface DeviceCounts {
  readonly waiting: number;
  readonly inFlight: number;
  readonly stuck: number;
  readonly deadLetters: number;
}

export const NO_COUNTS: DeviceCounts = { waiting: 0, inFlight: 0, stuck: 0, deadLetters: 0 };

export interface PresenceState extends DeviceCounts {
  readonly online: boolean;
  /** The fencing token of the newest inbox: the sequence of the commit that opened it; 0 = this very commit, -1 = never. */
  readonly lease: number;
  /** Which inbox holds the lease. */
  readonly holder: string | null;
  readonly node: string | null;
  readonly subject: string | null;
  /** Milliseconds since 1970, like all times here; 0 = never. */
  readonly connectedAt: number;
  /** When it came or went. */
  readonly since: number;
}

export type PresenceOperation =
  /** A message comes for a device that is not known yet. */
  | { readonly kind: "know"; readonly at: number }
  | {
      readonly kind: "take";
      readonly holder: string;
      readonly policy: ConnectPolicy;
      readonly node: string;
      readonly subject: string | null;
      readonly at: number;
    }
  /** The inbox is gone. Of one that does not hold the lease it changes nothing. */
  | { readonly kind: "leave"; readonly holder: string; readonly at: number }
  /** The inbox was taken for gone, and is not. */
  | { readonly kind: "alive"; readonly holder: string; readonly at: number }
  | { readonly kind: "count"; readonly counts: DeviceCounts }
  | { readonly kind: "forget"; readonly before: number };

/** The sequence of the record that is folded over, and whether messages for the device are kept. */
export interface PresenceFoldFacts {
  readonly sequence: number;
  readonly hasMessages: boolean;
}

const UNKNOWN: PresenceState = {
  ...NO_COUNTS,
  online: false,
  lease: -1,
  holder: null,
  node: null,
  subject: null,
  connectedAt: 0,
  since: 0,
};

/** The scope that all devices are in. */
export const ALL_DEVICES = "all";

export function foldPresence(
  deviceId: string,
  base: NextRecord<PresenceState> | undefined,
  operations: readonly PresenceOperation[],
  facts: PresenceFoldFacts,
): {
  readonly next: NextRecord<PresenceState> | undefined;
  readonly changed: boolean;
  readonly outcomes: ReadonlyArray<{ readonly value: undefined } | { readonly error: unknown }>;
} {
  const before = base && base.scope !== null ? base.state : undefined;
  const start = before && before.lease === 0 ? { ...before, lease: facts.sequence } : before;
  let state = start;
  const outcomes = operations.map((operation) => {
    if (operation.kind === "take" && operation.policy === "reject" && state?.online) {
      return { error: duplicate(deviceId) };
    }
    state = stepOf(state, operation, facts);
    return { value: undefined };
  });
  if (state === start) return { next: base, changed: false, outcomes };
  if (state) return { next: { scope: ALL_DEVICES, hidden: false, state }, changed: true, outcomes };
  return { next: { scope: null, hidden: false, state: UNKNOWN }, changed: true, outcomes };
}

function stepOf(
  state: PresenceState | undefined,
  operation: PresenceOperation,
  { hasMessages }: PresenceFoldFacts,
): PresenceState | undefined {
  switch (operation.kind) {
    case "know":
      return state ?? { ...UNKNOWN, since: operation.at };
    case "take": {
      const { holder, node, subject, at } = operation;
      const since = state?.online ? state.since : at;
      return { ...(state ?? UNKNOWN), online: true, lease: 0, holder, node, subject, connectedAt: at, since };
    }
    case "leave":
      if (!state?.online || state.holder !== operation.holder) return state;
      return { ...state, online: false, since: operation.at };
    case "alive":
      if (!state || state.online || state.holder !== operation.holder) return state;
      return { ...state, online: true, since: operation.at };
    case "count": {
      const { counts } = operation;
      if (!state || sameCounts(state, counts)) return state;
      return { ...state, ...counts };
    }
    case "forget":
      return state && !state.online && !hasMessages && state.since <= operation.before ? undefined : state;
  }
}

export function duplicate(deviceId: string): SnapwireError {
  return new SnapwireError("duplicate-connection", `Another inbox of device ${deviceId} is open.`);
}

export function sameCounts(a: DeviceCounts, b: DeviceCounts): boolean {
  return (
    a.waiting === b.waiting &&
    a.inFlight === b.inFlight &&
    a.stuck === b.stuck &&
    a.deadLetters === b.deadLetters
  );
}

/** The fencing token of a record; 0 = it never had one. */
export function leaseOf(record: { readonly sequence: number; readonly state: PresenceState }): number {
  const { lease } = record.state;
  return lease === 0 ? record.sequence : Math.max(0, lease);
}

export function presenceOf(deviceId: string, state: PresenceState, sequence: number): AgentPresence {
  const lease = leaseOf({ sequence, state });
  return Object.freeze({
    deviceId,
    online: state.online,
    lease: lease === 0 ? null : lease,
    node: state.node,
    subject: state.subject,
    connectedAt: state.connectedAt === 0 ? null : new Date(state.connectedAt).toISOString(),
    since: new Date(state.since).toISOString(),
    waiting: state.waiting,
    inFlight: state.inFlight,
    stuck: state.stuck,
    deadLetters: state.deadLetters,
  });
}
