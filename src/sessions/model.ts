/**
 * What is known of one session, and how news folds into it. Pure: called again, unchanged, after a lost comparison.
 *
 * Each fact carries the time at which its newest observation began, as in a workspace: older news of a fact is left,
 * news that is as old or newer is taken. The lifecycle is another kind of fact: it only goes forward.
 *
 * Facts are stored as they were said. What a session shows follows from them: what was said of its life before its end
 * says nothing about it now (`shown`).
 */
import type { NextRecord } from "../collection/model.ts";
import type { StoredEvent } from "../outbox.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { sessionUpdate } from "../protocol/event-builders.ts";
import type { SessionEntry, SessionLifecycle } from "../protocol/sessions.ts";
import { frozenCopy } from "../workspace/frozen.ts";
import { sameValue } from "../workspace/same-value.ts";
import { backwardLifecycle, isForward } from "./lifecycle.ts";
import { INITIAL_FACTS, SESSION_FACTS, type SessionFacts, type SessionNews } from "./update.ts";

export interface SessionState {
  readonly facts: SessionFacts;
  readonly lifecycle: SessionLifecycle;
  /** Milliseconds since 1970: when the newest observation of each began. */
  readonly stamps: Readonly<Partial<Record<keyof SessionFacts | "lifecycle", number>>>;
  /** The project of its workspace, when it was last looked at. */
  readonly projectId: string | null;
  /** The first observation, the newest that changed something, and the newest of its end (0 = none). */
  readonly createdAt: number;
  readonly changedAt: number;
  readonly endedAt: number;
  /** When it was found to be forgotten; older news does not bring it back. 0 = it is there. */
  readonly removedAt: number;
  /** What the last commit said. */
  readonly events: readonly StoredEvent[];
  /** The newest client keys and what they came to, oldest first. */
  readonly keys: readonly (readonly [key: string, accepted: boolean, changed: boolean])[];
}

export type SessionOperation =
  | ({
      readonly kind: "news";
      readonly observedAt: number;
      readonly clientKey: string | undefined;
      readonly projectId: string | null;
      /** The id of the event, if there is one to tell. */
      readonly eventId: string;
    } & SessionNews)
  /** Its workspace appeared, or moved. */
  | { readonly kind: "place"; readonly projectId: string }
  /** The process that saw it alive is gone. */
  | { readonly kind: "restart"; readonly observedAt: number }
  | { readonly kind: "remove"; readonly observedAt: number };

export interface SessionOutcome {
  /** Something of it was taken: not older than what was known. An equal value is taken too. */
  readonly accepted: boolean;
  readonly changed: boolean;
  readonly changedFields: readonly (keyof SessionFacts | "lifecycle")[];
  /** The client key was known: nothing was done. */
  readonly repeated: boolean;
  /** What the session shows after this operation. */
  readonly shown: ShownSession | undefined;
  /** What is told of it. */
  readonly events: readonly StoredEvent[];
}

/** What a session shows; the entry without its commit. */
type ShownSession = Omit<SessionEntry, "sessionId" | "version">;

/** How many client keys a session remembers. */
const KEYS_PER_SESSION = 64;

type Base = NextRecord<SessionState> | undefined;

export interface FoldedSession {
  readonly next: Base;
  readonly changed: boolean;
  readonly outcomes: ReadonlyArray<{ readonly value: SessionOutcome } | { readonly error: unknown }>;
}

export function foldSession(
  sessionId: string,
  base: Base,
  operations: readonly SessionOperation[],
): FoldedSession {
  let state = base?.state;
  let changed = false;
  const said: StoredEvent[] = [];
  const outcomes = operations.map((operation) => {
    try {
      const step = stepOf(sessionId, state, operation);
      state = step.state;
      changed ||= step.changed;
      const events = state && operation.kind === "news" ? eventsOf(sessionId, state, operation, step) : [];
      said.push(...events);
      const { accepted, changed: own } = step.repeated ?? {
        accepted: step.accepted ?? step.changed,
        changed: step.changed,
      };
      const shown = state?.removedAt === 0 ? shownOf(state) : undefined;
      const { changedFields = [], repeated } = step;
      return {
        value: { accepted, changed: own, changedFields, repeated: repeated !== undefined, shown, events },
      };
    } catch (error) {
      return { error };
    }
  });
  if (!state || state === base?.state) return { next: base, changed: false, outcomes };
  const next = changed ? freeze({ ...state, events: said }) : state;
  return {
    next: { scope: state.removedAt === 0 ? sessionId : null, hidden: false, state: next },
    changed,
    outcomes,
  };
}

interface Step {
  readonly state: SessionState | undefined;
  readonly changed: boolean;
  readonly accepted?: boolean;
  readonly changedFields?: SessionOutcome["changedFields"];
  /** The client key was known: what it came to the first time. */
  readonly repeated?: { readonly accepted: boolean; readonly changed: boolean };
}

function stepOf(sessionId: string, state: SessionState | undefined, operation: SessionOperation): Step {
  const known = state && state.removedAt === 0 ? state : undefined;
  switch (operation.kind) {
    case "news":
      return takeNews(sessionId, state, operation);
    case "place":
      if (!known || known.projectId === operation.projectId) return { state, changed: false };
      return { state: freeze({ ...known, projectId: operation.projectId }), changed: true };
    case "restart":
      return known ? withoutLife(known, operation.observedAt) : { state, changed: false };
    case "remove":
      if (!known) return { state, changed: false };
      return { state: freeze({ ...known, removedAt: operation.observedAt }), changed: true };
  }
}

type News = Extract<SessionOperation, { kind: "news" }>;

function takeNews(sessionId: string, before: SessionState | undefined, news: News): Step {
  const { observedAt, clientKey } = news;
  const remembered = before?.keys.find(([key]) => key === clientKey);
  if (before && remembered && before.removedAt === 0) {
    const [, accepted, changed] = remembered;
    return { state: before, changed: false, repeated: { accepted, changed } };
  }
  if (before && before.removedAt >= observedAt) return { state: before, changed: false, accepted: false };
  const known = before?.removedAt === 0 ? before : undefined;
  const from = known ?? seed(sessionId, news);

  const facts: Record<string, unknown> = { ...from.facts };
  const stamps = { ...from.stamps };
  const changedFields: (keyof SessionFacts | "lifecycle")[] = [];
  let accepted = false;
  for (const field of SESSION_FACTS) {
    const value = news.facts[field];
    if (value === undefined || observedAt < (stamps[field] ?? 0)) continue;
    accepted = true;
    stamps[field] = observedAt;
    if (known && sameValue(facts[field], value)) continue;
    facts[field] = value;
    if (known || !sameValue(value, (INITIAL_FACTS as Partial<SessionFacts>)[field]))
      changedFields.push(field);
  }
  const step = stepForward(sessionId, known, news);
  if (step.taken) {
    accepted = true;
    stamps.lifecycle = Math.max(observedAt, stamps.lifecycle ?? 0);
  }
  if (!known || step.lifecycle !== from.lifecycle) changedFields.push("lifecycle");
  const endedAt = step.ends ? Math.max(observedAt, from.endedAt) : from.endedAt;
  const createdAt = Math.min(from.createdAt, observedAt);
  if (!known || createdAt !== from.createdAt) accepted = true;

  const changed =
    changedFields.length > 0 ||
    createdAt !== from.createdAt ||
    (endedAt !== from.endedAt && isLive({ ...from, endedAt }) !== isLive(from));
  const keys: SessionState["keys"] =
    clientKey === undefined
      ? from.keys
      : [...from.keys, [clientKey, accepted, changed] as const].slice(-KEYS_PER_SESSION);
  const state = freeze({
    ...from,
    facts: facts as unknown as SessionFacts,
    lifecycle: step.lifecycle,
    stamps,
    projectId: news.projectId ?? from.projectId,
    endedAt,
    changedAt: changed ? Math.max(from.changedAt, observedAt) : from.changedAt,
    createdAt,
    keys,
  });
  return { state, changed: changed || state.projectId !== from.projectId, accepted, changedFields };
}

function seed(sessionId: string, { facts, observedAt, projectId }: News): SessionState {
  if (facts.workspaceId === undefined) {
    throw new SnapwireError(
      "workspace-required",
      `Nothing is known of session ${sessionId} yet: its first update must say the workspaceId that it runs in.`,
    );
  }
  return {
    facts: { ...INITIAL_FACTS, workspaceId: facts.workspaceId },
    lifecycle: "detected",
    stamps: {},
    projectId,
    createdAt: observedAt,
    changedAt: observedAt,
    endedAt: 0,
    removedAt: 0,
    events: [],
    keys: [],
  };
}

/** What is told: a new lifecycle, summary or statistics. What was not part of the news is left out. */
function eventsOf(sessionId: string, state: SessionState, news: News, step: Step): readonly StoredEvent[] {
  const tells = step.changedFields?.some((field) => EVENT_FIELDS.has(field));
  if (!tells) return [];
  const { summary, stats } = news.facts;
  const { lifecycle, projectId, facts } = state;
  const payload = {
    sessionId,
    workspaceId: facts.workspaceId,
    lifecycle,
    ...(typeof summary === "string" && { summary }),
    ...(stats && { stats }),
  };
  const event = sessionUpdate(payload, {
    id: news.eventId,
    timestamp: iso(news.observedAt),
    ...(projectId !== null && { projectId }),
  });
  return [event as StoredEvent];
}

const EVENT_FIELDS: ReadonlySet<string> = new Set(["lifecycle", "summary", "stats"]);

/** Older news of an earlier step is late, not backward: it is left. */
function stepForward(
  sessionId: string,
  known: SessionState | undefined,
  { lifecycle, observedAt }: News,
): { readonly lifecycle: SessionLifecycle; readonly taken: boolean; readonly ends: boolean } {
  const from = known?.lifecycle ?? "detected";
  if (lifecycle === undefined) return { lifecycle: from, taken: false, ends: false };
  if (!isForward(from, lifecycle)) {
    if (observedAt < (known?.stamps.lifecycle ?? 0)) return { lifecycle: from, taken: false, ends: false };
    throw backwardLifecycle(sessionId, from, lifecycle);
  }
  const leavesDetected = from === "detected" && lifecycle !== "detected";
  return {
    lifecycle,
    taken: true,
    ends: leavesDetected || lifecycle === "ended" || lifecycle === "failed",
  };
}

/** A session that was resumed after its end says so: its process is alive. */
function isLive({ lifecycle, facts, stamps, endedAt }: SessionState): boolean {
  return lifecycle === "detected" || (facts.processState === "alive" && (stamps.processState ?? 0) > endedAt);
}

/** Once it has ended, only what a resumed session said of its life since then is shown. */
function presentFacts(state: SessionState): SessionFacts {
  const { facts, stamps, endedAt, lifecycle } = state;
  if (lifecycle === "detected") return facts;
  const resumed = isLive(state);
  const old = (field: keyof SessionFacts): boolean => !resumed || (stamps[field] ?? 0) <= endedAt;
  return {
    ...facts,
    ...(old("activity") && { activity: "IDLE" as const }),
    ...(old("runtimePhase") && facts.runtimePhase !== "error" && { runtimePhase: "idle" as const }),
    ...(old("processState") && { processState: "stopped" as const }),
    ...(old("pendingRequest") && { pendingRequest: null }),
  };
}

/** Whoever is still alive reports again. What a person was asked stays: somebody may still have to answer it. */
function withoutLife(state: SessionState, observedAt: number): Step {
  const { runtimePhase, activity, processState } = state.facts;
  const livePhase = runtimePhase !== "idle" && runtimePhase !== "error";
  if (!livePhase && activity === "IDLE" && processState !== "alive") return { state, changed: false };
  const stamps = {
    ...state.stamps,
    activity: observedAt,
    runtimePhase: observedAt,
    processState: observedAt,
  };
  return {
    state: freeze({
      ...state,
      facts: {
        ...state.facts,
        activity: "IDLE",
        runtimePhase: livePhase ? "idle" : runtimePhase,
        processState: "unknown",
      },
      stamps,
    }),
    changed: true,
  };
}

function shownOf(state: SessionState): ShownSession {
  const { projectId, lifecycle, createdAt, changedAt, endedAt } = state;
  const { workspaceId, ...facts } = presentFacts(state);
  return frozenCopy({
    workspaceId,
    projectId,
    lifecycle,
    live: isLive(state),
    ...facts,
    createdAt: iso(createdAt),
    updatedAt: iso(changedAt),
    endedAt: endedAt === 0 ? null : iso(endedAt),
  });
}

export function sessionEntryOf(sessionId: string, state: SessionState, version: number): SessionEntry {
  return Object.freeze({ sessionId, version, ...shownOf(state) });
}

const iso = (at: number): string => new Date(at).toISOString();

function freeze(state: SessionState): SessionState {
  return frozenCopy(state);
}
