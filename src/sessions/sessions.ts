/**
 * sessions: what is known of each run of a coding agent. See README.md of this room.
 */
import type { Clock } from "../clock.ts";
import type { Written } from "../collection/collection.ts";
import type { Feed } from "../feed/feed.ts";
import { ServedCollection } from "../feed/served-collection.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { Outbox } from "../outbox.ts";
import type { PublishableEvent } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { SessionEntry, SessionFrame } from "../protocol/sessions.ts";
import { Remembered } from "../remembered.ts";
import type { Report } from "../sources/collector.ts";
import { SessionsByWorkspace } from "./by-workspace.ts";
import { SessionFlow } from "./flow.ts";
import { sessionWording } from "./frames.ts";
import {
  foldSession,
  type SessionOperation,
  type SessionOutcome,
  type SessionState,
  sessionEntryOf,
} from "./model.ts";
import { outdated, SESSION_RETENTION, type SessionRetention, surplus } from "./retention.ts";
import { readSessionUpdate, type SessionUpdateInput } from "./update.ts";

export interface SessionsOptions extends SessionRetention {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly projectOf: (workspaceId: string) => string | undefined;
  /** Where what follows for a workspace is reported; absent: its entries have no place for it. */
  readonly report?: ((report: Report) => void) | undefined;
  /** Tells an event, after the commit that it speaks of. */
  readonly publish?: ((event: PublishableEvent) => unknown) | undefined;
  /** Names an event; no two alike. */
  readonly newId: () => string;
  readonly behindWaitMs?: number | undefined;
}

export interface SessionUpdateResult {
  /** Something of it was taken: not older than what was known. An equal value is taken too. */
  readonly accepted: boolean;
  readonly changed: boolean;
  /** The session's version after this update; 0 when it has none. */
  readonly version: number;
  /** Where a reader of the session stands that has seen this update; null when there is nothing to see. */
  readonly position: string | null;
}

export interface SessionsStats {
  readonly known: number;
  /** Those of them whose workspace is not known. */
  readonly waiting: number;
  readonly subscriptions: number;
}

const COLLECTION = "sessions";
const MAX_AHEAD_MS = 5_000;
const SWEEP_EVERY_MS = 3_600_000;
/** So many more than the limit are let go at once, so that the whole is not looked through at each new session. */
const SPARE_SHARE = 0.01;
/** A person waits to hear of a change of these. */
const AWAITED: ReadonlySet<string> = new Set(["pendingRequest", "lastExit", "errorMessage"]);

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #limits: Required<SessionRetention>;
  readonly #served: ServedCollection<
    SessionOperation,
    SessionState,
    SessionEntry,
    SessionOutcome,
    SessionFrame
  >;
  readonly #index = new SessionsByWorkspace();
  /** The project of each session, as its subscribers know it. */
  readonly #projects = new Map<string, string | null>();
  readonly #flow: SessionFlow;
  readonly #outbox: Outbox;
  readonly #answers = new Remembered<SessionUpdateResult>();
  readonly #inFlight = new Set<Promise<unknown>>();
  #open = false;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: SessionsOptions) {
    const { journal, clock, logger, projectOf, behindWaitMs } = options;
    this.#options = options;
    this.#limits = { ...SESSION_RETENTION, ...given(options) };
    this.#outbox = new Outbox({ publish: options.publish, logger, now: clock.wall });
    this.#flow = new SessionFlow({
      index: this.#index,
      entryOf: (sessionId) => this.get(sessionId),
      projectOf,
      report: options.report,
      onPlaced: (ids, projectId) => this.#writeAll(ids, () => ({ kind: "place", projectId })),
      onWorkspaceGone: (ids) => this.#forget(ids),
    });
    this.#served = new ServedCollection<
      SessionOperation,
      SessionState,
      SessionEntry,
      SessionOutcome,
      SessionFrame
    >({
      name: COLLECTION,
      journal,
      revision: "sessions-1",
      now: clock.wall,
      logger,
      model: {
        fold: foldSession,
        entryOf: (sessionId, state, version) => {
          clock.atLeast(newestStamp(state)); // another node's clock may be ahead
          return sessionEntryOf(sessionId, state, version);
        },
      },
      wording: sessionWording,
      onTold: ({ key, shown }) => this.#told(key, shown?.entry),
      onReset: () => this.#reload(),
      ...(behindWaitMs === undefined ? {} : { behindWaitMs }),
    });
  }

  /** Reads what is there, and takes back every sign of a life that ended with the process before this one. */
  async open(): Promise<void> {
    await this.#served.open();
    const { clock } = this.#options;
    for (const [, { state }] of this.#served.collection.records()) clock.atLeast(newestStamp(state));
    this.#open = true;
    // First, since what is put right below takes the place of the commits that they belong to.
    await this.#outbox.retell(
      [...this.#served.collection.records()].map(([, { at, state }]) => ({ at, events: state.events })),
    );
    const now = clock.stamp();
    if (!this.#options.journal.shared)
      // where other nodes share it, the lives of sessions did not end with ours
      await Promise.all(this.#ids().map((id) => this.#write(id, { kind: "restart", observedAt: now })));
    this.#flow.tellAll(now);
    this.#sweep();
  }

  /** Rejects what comes later, and waits for the writes in flight. */
  async close(): Promise<void> {
    this.#open = false;
    clearTimeout(this.#sweeper);
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
    await this.#served.close();
  }

  get feed(): Feed<SessionEntry, SessionFrame> {
    return this.#served.feed;
  }

  /** Sessions that are known. */
  get size(): number {
    return this.#index.size;
  }

  /** Those of them whose workspace is not known. */
  get waiting(): number {
    return this.#flow.waiting;
  }

  stats(): SessionsStats {
    return { known: this.size, waiting: this.waiting, subscriptions: this.feed.size };
  }

  get(sessionId: string): SessionEntry | undefined {
    return this.#served.collection.view(sessionId)?.node(sessionId)?.entry ?? undefined;
  }

  /** The sessions of a workspace, the newest change last. */
  ofWorkspace(workspaceId: string): readonly SessionEntry[] {
    return this.#entries(this.#index.idsOf(workspaceId)).sort((a, b) => a.version - b.version);
  }

  /** The project in which the session's workspace is now; `undefined` when session or workspace are not known. */
  projectOf(sessionId: string): string | undefined {
    const session = this.get(sessionId);
    return session && this.#options.projectOf(session.workspaceId);
  }

  /** Where a reader of the session stands who has seen what {@link get} answers. */
  positionOf(sessionId: string): { readonly tag: string; readonly sequence: number } {
    const { collection } = this.#served;
    return { tag: collection.tagOf(sessionId), sequence: collection.head };
  }

  /**
   * Says what was seen of a session. Absent changes nothing, null clears; the first update must say its workspace.
   * @throws SnapwireError `invalid-input`, `workspace-required`, `backward-lifecycle`, `conflict`, `unavailable`, `outcome-unknown`.
   */
  async update(input: SessionUpdateInput): Promise<SessionUpdateResult> {
    if (!this.#open) throw new SnapwireError("unavailable", "The service is not running; start() it first.");
    const update = readSessionUpdate(input);
    const { sessionId, clientKey } = update;
    const answered = clientKey === undefined ? undefined : this.#answers.get(sessionId, clientKey);
    if (answered) return answered;
    const isNew = this.get(sessionId) === undefined;
    const observedAt = this.#observedAt(sessionId, update.observedAt);
    const workspaceId = update.facts.workspaceId ?? this.get(sessionId)?.workspaceId;
    const projectId = (workspaceId !== undefined && this.#options.projectOf(workspaceId)) || null;
    const { outcome, sequence, position } = await this.#write(sessionId, {
      kind: "news",
      ...update,
      observedAt,
      projectId,
      eventId: this.#options.newId(),
    });
    const answer = { accepted: outcome.accepted, changed: outcome.changed, version: sequence, position };
    if (clientKey !== undefined) this.#answers.put(answer, sessionId, clientKey);

    if (outcome.changed && !outcome.repeated) this.#hasten(outcome, observedAt);
    await this.#outbox.tell(outcome.events);
    if (isNew) this.#makeRoom(workspaceId);
    return answer;
  }

  workspaceChanged(workspaceId: string, projectId: string): void {
    this.#flow.workspaceChanged(workspaceId, projectId);
  }

  workspaceLeft(workspaceId: string): void {
    this.#flow.workspaceLeft(workspaceId);
  }

  /** What a person waits for does not wait for the window that its commit has opened. */
  #hasten({ shown, changedFields }: SessionOutcome, observedAt: number): void {
    if (!shown) return;
    const { workspaceId, lifecycle, runtimePhase } = shown;
    const isAwaited =
      changedFields.some((field) => AWAITED.has(field)) ||
      (changedFields.includes("lifecycle") && lifecycle !== "detected") ||
      (changedFields.includes("runtimePhase") && runtimePhase === "error");
    if (isAwaited) this.#flow.tell(workspaceId, observedAt, "now");
  }

  #told(sessionId: string, entry: SessionEntry | undefined): void {
    this.#endIfMoved(sessionId, entry);
    const at = newestStampOf(this.#served.collection.record(sessionId)?.state);
    const left = entry ? this.#index.put(sessionId, entry.workspaceId) : this.#index.delete(sessionId);
    if (left !== undefined) this.#flow.tell(left, at, "chatter");
    if (entry) this.#flow.tell(entry.workspaceId, at, "chatter");
  }

  /** Whoever may see the one project need not be allowed to see the other: who may, subscribes again. */
  #endIfMoved(sessionId: string, entry: SessionEntry | undefined): void {
    const before = this.#projects.get(sessionId) ?? null;
    if (!entry) this.#projects.delete(sessionId);
    else this.#projects.set(sessionId, entry.projectId);
    if (entry && before !== null && entry.projectId !== before) this.feed.end(sessionId, "revoked");
  }

  #reload(): void {
    this.#index.clear();
    this.#projects.clear();
    for (const [sessionId, { scope, state }] of this.#served.collection.records()) {
      if (scope === null) continue;
      this.#index.put(sessionId, state.facts.workspaceId);
      this.#projects.set(sessionId, state.projectId);
    }
    if (this.#open) this.#flow.tellAll(this.#options.clock.stamp());
  }

  #write(sessionId: string, operation: SessionOperation): Promise<Written<SessionOutcome>> {
    const write = this.#served.collection.write(sessionId, operation);
    const settled = write.catch(() => undefined).finally(() => this.#inFlight.delete(settled));
    this.#inFlight.add(settled);
    return write;
  }

  #writeAll(ids: readonly string[], operation: () => SessionOperation): void {
    if (!this.#open) return;
    for (const id of ids) {
      this.#write(id, operation()).catch((error: unknown) =>
        this.#options.logger.warn(
          { sessionId: id, error },
          "a session was not put right; the next news of it tries again",
        ),
      );
    }
  }

  #forget(ids: readonly string[]): void {
    this.#writeAll(ids, () => ({ kind: "remove", observedAt: this.#options.clock.stamp() }));
  }

  /** A new session was taken: others may have to go. */
  #makeRoom(workspaceId: string | undefined): void {
    const { perWorkspace, inAll, waiting } = this.#limits;
    if (workspaceId !== undefined) this.#forget(surplus(this.ofWorkspace(workspaceId), perWorkspace));
    const known = workspaceId !== undefined && this.#options.projectOf(workspaceId) !== undefined;
    if (!known) {
      const ids = this.#flow.waitingIds();
      this.#forget(ids.slice(0, Math.max(0, ids.length - waiting)));
    }
    if (this.size > inAll) {
      this.#forget(surplus(this.#entries(this.#ids()), Math.floor(inAll * (1 - SPARE_SHARE))));
    }
    this.#sweepLater();
  }

  #sweep(): void {
    this.#flow.lookForGone();
    this.#forget(outdated(this.#entries(this.#ids()), this.#options.clock.wall() - this.#limits.keepForMs));
    this.#sweepLater();
  }

  /** A timer runs only while there are sessions. */
  #sweepLater(): void {
    if (this.#sweeper || !this.#open || this.size === 0) return;
    this.#sweeper = setTimeout(() => {
      this.#sweeper = undefined;
      this.#sweep();
    }, SWEEP_EVERY_MS).unref();
  }

  #ids(): string[] {
    const ids: string[] = [];
    for (const [sessionId, { scope }] of this.#served.collection.records())
      if (scope !== null) ids.push(sessionId);
    return ids;
  }

  #entries(ids: readonly string[]): SessionEntry[] {
    return ids.flatMap((id) => this.get(id) ?? []);
  }

  #observedAt(sessionId: string, observedAt: number | undefined): number {
    const { clock } = this.#options;
    clock.atLeast(newestStampOf(this.#served.collection.record(sessionId)?.state));
    if (observedAt === undefined) return clock.stamp();
    // The system clock may have gone back since: what this process has stamped already is not ahead.
    const seen = Math.min(observedAt, Math.max(clock.wall() + MAX_AHEAD_MS, clock.stamp()));
    clock.atLeast(seen);
    return seen;
  }
}

function newestStampOf(state: SessionState | undefined): number {
  return state ? newestStamp(state) : 0;
}

function newestStamp({ stamps, removedAt, createdAt }: SessionState): number {
  return Math.max(createdAt, removedAt, ...Object.values(stamps));
}

function given(options: SessionRetention): SessionRetention {
  const { keepForMs, perWorkspace, inAll, waiting } = options;
  return Object.fromEntries(
    Object.entries({
      keepForMs,
      perWorkspace: perWorkspace && Math.min(256, perWorkspace),
      inAll,
      waiting,
    }).filter(([, value]) => value !== undefined),
  );
}
