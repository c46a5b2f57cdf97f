/**
 * A live copy of one project, over any tRPC client. It subscribes, applies what it hears, and subscribes again from its
 * own position whenever the subscription ends; lost sockets are tRPC's to replace. The view stays through all of that.
 */
import { Absence } from "./absence.ts";
import { backoffOf, Pacer, type RetryOptions } from "./backoff.ts";
import { type ClientConnection, OFFLINE_AFTER_MS } from "./connection-state.ts";
import { Listeners, warnOnConsole } from "./listeners.ts";
import {
  applyFrame,
  caughtUp,
  createReplicaState,
  forgetRepeats,
  type ReplicaEntry,
  type ReplicaState,
  resumePoint,
} from "./replica-state.ts";
import {
  type EntriesView,
  type ProjectSnapshot,
  sameStanding,
  snapshotOf,
  type Told,
  viewOf,
} from "./snapshot.ts";
import type { EntryOf, SnapshotsClient } from "./snapshots-client.ts";
import { type ReplicaReason, type ReplicaStatus, statusOf } from "./status.ts";
import { ProjectSubscription, type SubscriptionEnd } from "./subscription.ts";
import { type Surroundings, surroundingsOf } from "./wake.ts";

export interface ProjectReplicaOptions {
  readonly projectId: string;
  /** Of the client below, if it is Snapwire's own: then a new token ends `denied`. */
  readonly connection?: ClientConnection | undefined;
  /** Between subscriptions; how connections are retried is the client's own matter. */
  readonly retry?: RetryOptions | undefined;
  /** What is wrong but harms nothing: a listener that threw, a frame that cannot be read. @defaultValue console.error */
  readonly onWarning?: ((message: string, cause?: unknown) => void) | undefined;
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: (() => number) | undefined;
  /** @defaultValue the page, if there is one */
  readonly surroundings?: Surroundings | undefined;
}

export interface ProjectReplica<Entry extends ReplicaEntry> extends AsyncDisposable {
  readonly projectId: string;
  /** The same object until something changes; needs no `this`. */
  getSnapshot(this: void): ProjectSnapshot<Entry>;
  /** Calls after changes, once per turn however many there were; needs no `this`. Returns the way to stop listening. */
  subscribe(this: void, listener: () => void): () => void;
  readonly status: ReplicaStatus;
  readonly reason: ReplicaReason | undefined;
  readonly detail: string | undefined;
  /** When anything was last heard, in milliseconds since 1970; undefined: never. */
  readonly lastProofOfLife: number | undefined;
  /** Tries again now: after `denied` or `ended`, or instead of waiting. */
  retry(): void;
  /** Ends it: no timer, socket or listener is left. May be called again. */
  close(): Promise<void>;
}

/** Watches a project from now on. */
export function createProjectReplica<Snapshots extends SnapshotsClient>(
  snapshots: Snapshots,
  options: ProjectReplicaOptions,
): ProjectReplica<EntryOf<Snapshots>> {
  return new Replica<EntryOf<Snapshots>>(snapshots, options);
}

/** A subscription that was in touch for as long was useful: the next attempt starts with the shortest wait. */
const USEFUL_MS = 10_000;
/** Fulls further apart than the longest wait are no loop. */
const LOOP_MS = 60_000;
/** Nobody looks at a hidden page: its attempts start with a wide window. */
const HIDDEN_ATTEMPT = 5;

class Replica<Entry extends ReplicaEntry> implements ProjectReplica<Entry> {
  readonly projectId: string;
  readonly #snapshots: SnapshotsClient;
  readonly #connection: ClientConnection | undefined;
  readonly #now: () => number;
  readonly #warn: (message: string, cause?: unknown) => void;
  readonly #surroundings: Surroundings;
  readonly #stopListening: readonly (() => void)[];
  readonly #state: ReplicaState<Entry> = createReplicaState<Entry>();
  readonly #listeners: Listeners;
  readonly #pacer: Pacer;
  readonly #absence = new Absence(OFFLINE_AFTER_MS, () => this.#changed());

  /** The subscription, or the wait for the next one; whoever is not this any more has no say. */
  #attempt: ProjectSubscription | undefined;
  #waiting: object | undefined;
  #inTouch = false;
  #inTouchSince: number | undefined;
  #over: "ended" | "denied" | undefined;
  #closed = false;
  #reason: ReplicaReason | undefined;
  #detail: string | undefined;
  #askedForToken = false;
  #lastFullAt = Number.NEGATIVE_INFINITY;
  #lastProofOfLife: number | undefined;

  #view: EntriesView<Entry> | undefined;
  #snapshot: ProjectSnapshot<Entry> | undefined;
  #told: Told | undefined;
  #telling = false;

  constructor(snapshots: SnapshotsClient, options: ProjectReplicaOptions) {
    this.projectId = options.projectId;
    this.#snapshots = snapshots;
    this.#connection = options.connection;
    this.#now = options.now ?? Date.now;
    this.#warn = options.onWarning ?? warnOnConsole;
    this.#surroundings = options.surroundings ?? surroundingsOf();
    this.#listeners = new Listeners(this.#warn);
    this.#pacer = new Pacer(backoffOf(options.retry));
    this.#stopListening = [
      this.#surroundings.onWake(() => this.#hurry()),
      this.#surroundings.onNetwork(() => this.#changed()),
      this.#connection?.onRenewed(() => this.#renewed()) ?? (() => {}),
    ];
    this.#open();
    this.#told = this.#tellable();
  }

  readonly getSnapshot = (): ProjectSnapshot<Entry> => {
    const now = this.#tellable();
    if (this.#snapshot && this.#view?.revision === now.revision && sameStanding(this.#snapshot, now))
      return this.#snapshot;
    if (this.#view?.revision !== now.revision) this.#view = viewOf(this.#state);
    this.#snapshot = snapshotOf(this.projectId, this.#view, now);
    return this.#snapshot;
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    return this.#closed ? () => {} : this.#listeners.add(listener);
  };

  get status(): ReplicaStatus {
    const { online } = this.#surroundings;
    return statusOf({
      over: this.#over,
      inTouch: this.#inTouch,
      away: this.#absence.tooLong || !online,
      loaded: this.#state.position !== undefined,
      caughtUp: caughtUp(this.#state),
      fresh: this.#state.fresh,
    });
  }

  get reason(): ReplicaReason | undefined {
    return this.status === "stale" ? "source-away" : this.#reason;
  }

  get detail(): string | undefined {
    return this.status === "stale" ? this.#state.staleReason : this.#detail;
  }

  get lastProofOfLife(): number | undefined {
    const ofLine = this.#connection?.lastProofOfLife;
    return Math.max(ofLine ?? 0, this.#lastProofOfLife ?? 0) || undefined;
  }

  retry(): void {
    if (this.#closed) return;
    this.#askedForToken = false;
    if (this.#over) this.#open();
    else this.#hurry();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#finish("ended", "closed", undefined);
    for (const stop of this.#stopListening) stop();
    this.#tell();
    this.#listeners.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #open(): void {
    this.#leave();
    this.#over = undefined;
    this.#inTouchSince = undefined;
    this.#absence.begin();
    const attempt = new ProjectSubscription({
      onDelivered: (delivered) => this.#onDelivered(delivered),
      onConnecting: (message) => {
        // Before the first word, and without a failure, it is only being made.
        if (this.#inTouch || message !== undefined) this.#outOfTouch("connection-lost", message);
      },
      onEnd: (end) => this.#onEnd(end),
    });
    this.#attempt = attempt;
    const lastEventId = resumePoint(this.#state);
    attempt.start(this.#snapshots, {
      projectId: this.projectId,
      ...(lastEventId === undefined ? {} : { lastEventId }),
    });
    this.#changed();
  }

  #onDelivered(delivered: unknown): void {
    const now = this.#now();
    this.#lastProofOfLife = now;
    if (now - this.#lastFullAt > LOOP_MS) forgetRepeats(this.#state);
    const outcome = applyFrame(this.#state, delivered);
    switch (outcome.kind) {
      case "full":
        this.#lastFullAt = now;
        this.#touch(now);
        if (outcome.unreadable > 0)
          this.#warn(
            `${outcome.unreadable} entries of project ${this.projectId} have no workspaceId and are not shown`,
          );
        if (outcome.times > 1) this.#resyncsInCircles(outcome.reason, outcome.times);
        break;
      case "resumed":
        this.#touch(now);
        break;
      case "foreign":
        this.#again("foreign-position", "a change came whose position belongs to another order");
        break;
      case "ended":
        this.#finish("ended", outcome.reason, undefined);
        break;
      case "ignored":
        if (outcome.because === "older") this.#touch(now);
        if (outcome.because === "no-position")
          this.#warn(
            `a frame of project ${this.projectId} has no readable position: is every frame tracked?`,
          );
        break;
      case "applied":
        break;
    }
    this.#changed();
  }

  #onEnd(end: SubscriptionEnd): void {
    if (end.kind === "unauthorized" && this.#connection && !this.#askedForToken)
      this.#askForToken(this.#connection, end.message);
    else if (end.kind === "unauthorized" || end.kind === "forbidden")
      this.#finish("denied", end.kind, end.message);
    else if (end.kind === "client-closed") this.#finish("ended", end.kind, undefined);
    else if (end.kind === "stopped") this.#again("server-stopped", "the server ended the subscription");
    else this.#again("server-error", end.message);
  }

  /** The token may only be old: one look at whether there is a newer one, before people are bothered. */
  #askForToken(connection: ClientConnection, message: string): void {
    this.#askedForToken = true;
    this.#leave();
    this.#outOfTouch("unauthorized", message);
    const waiting = {};
    this.#waiting = waiting;
    void connection.renew().then((changed) => {
      if (this.#waiting === waiting && !changed) this.#finish("denied", "unauthorized", message);
    });
  }

  #renewed(): void {
    if (this.#reason === "unauthorized" || this.#over === "denied") this.#open();
  }

  #resyncsInCircles(reason: string, times: number): void {
    this.#again(
      "resync-repeated",
      `the server sent the whole project ${times} times (${reason}) without a change in between`,
      times - 2,
    );
  }

  /** Ends this subscription, and begins another one after a wait. */
  #again(reason: ReplicaReason, why: string, atLeast = 0): void {
    if (this.#inTouchSince !== undefined && this.#now() - this.#inTouchSince >= USEFUL_MS)
      this.#pacer.reset();
    this.#leave();
    const delayMs = this.#pacer.nextDelay(
      this.#surroundings.visible ? atLeast : Math.max(atLeast, HIDDEN_ATTEMPT),
    );
    this.#outOfTouch(reason, `${why}; next attempt in ${(delayMs / 1000).toFixed(1)} s`);
    const waiting = {};
    this.#waiting = waiting;
    void this.#pacer.pause(delayMs).then(() => {
      if (this.#waiting === waiting) this.#open();
    });
  }

  #finish(over: "ended" | "denied", reason: ReplicaReason, detail: string | undefined): void {
    this.#leave();
    this.#absence.end();
    this.#over = over;
    this.#reason = reason;
    this.#detail = detail;
    this.#changed();
  }

  /** Nothing of the current attempt is heard any more, and nobody waits for the next. */
  #leave(): void {
    this.#inTouch = false;
    this.#waiting = undefined;
    this.#pacer.release();
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.close();
  }

  #hurry(): void {
    if (this.#pacer.waiting) this.#pacer.hurry();
  }

  #touch(now: number): void {
    this.#inTouch = true;
    this.#inTouchSince ??= now;
    this.#askedForToken = false;
    this.#absence.end();
    this.#reason = undefined;
    this.#detail = undefined;
  }

  #outOfTouch(reason: ReplicaReason, detail: string | undefined): void {
    this.#inTouch = false;
    this.#absence.begin();
    this.#reason = reason;
    this.#detail = detail;
    this.#changed();
  }

  #tellable(): Told {
    const { status, reason, detail } = this;
    const { revision, complete } = this.#state;
    return { revision, complete, status, reason, detail, position: resumePoint(this.#state) };
  }

  /** Once per turn, however many frames it brings. */
  #changed(): void {
    if (this.#telling || this.#closed) return;
    this.#telling = true;
    queueMicrotask(() => {
      this.#telling = false;
      if (!this.#closed) this.#tell();
    });
  }

  #tell(): void {
    const now = this.#tellable();
    const before = this.#told;
    this.#told = now;
    if (before?.revision !== now.revision || !sameStanding(before, now)) this.#listeners.call();
  }
}
