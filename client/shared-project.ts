/**
 * One subscription that many share. It is opened for the first who watches, stays a while after the last one left (a
 * page that is being changed mounts again at once), and tells all of them of changes together, once per frame.
 */
import { diffEntries, sizeOf } from "./entries-diff.ts";
import { Listeners } from "./listeners.ts";
import type { Schedule } from "./page-frame.ts";
import { type CaughtUp, isSettled, type ProjectView, projectView, saysNothing } from "./project-view.ts";
import type { ProjectReplica } from "./replica.ts";
import type { ReplicaEntry } from "./replica-state.ts";

export interface SharedProjectOptions<Entry extends ReplicaEntry> {
  readonly replica: ProjectReplica<Entry>;
  /** Shown until the replica has more to say. */
  readonly idle: ProjectView<Entry>;
  readonly schedule: Schedule;
  readonly now: () => number;
  readonly warn: (message: string, cause?: unknown) => void;
  /** Nobody watched for long enough; it is closed. */
  readonly onReleased: () => void;
}

export class SharedProject<Entry extends ReplicaEntry> {
  readonly replica: ProjectReplica<Entry>;
  readonly #options: SharedProjectOptions<Entry>;
  readonly #listeners: Listeners;
  readonly #stopListening: () => void;
  #watchers = 0;
  #releaseTimer: ReturnType<typeof setTimeout> | undefined;
  #cancelFlush: (() => void) | undefined;
  #view: ProjectView<Entry>;
  /** The view that the interruption found, while it lasts. */
  #lost: { readonly view: ProjectView<Entry>; readonly at: number } | undefined;
  #closed = false;

  constructor(options: SharedProjectOptions<Entry>) {
    this.#options = options;
    this.replica = options.replica;
    this.#listeners = new Listeners(options.warn);
    this.#view = options.idle;
    this.#stopListening = this.replica.subscribe(() => this.#changed());
    this.#read(); // it may have been refused at once
  }

  /** The view of the last frame: everybody who asks between two frames gets the same one. */
  get view(): ProjectView<Entry> {
    return this.#view;
  }

  get watchers(): number {
    return this.#watchers;
  }

  /** @returns The way to leave; `releaseAfterMs` counts from there, if nobody else watches. */
  watch(listener: () => void, releaseAfterMs: number): () => void {
    clearTimeout(this.#releaseTimer);
    this.#watchers += 1;
    const stop = this.#listeners.add(listener);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      stop();
      this.#watchers -= 1;
      if (this.#watchers === 0 && !this.#closed) this.#releaseLater(releaseAfterMs);
    };
  }

  /** Tries again, and says so at once: somebody waits for an answer to a click. */
  retry(): void {
    if (this.#closed) return;
    this.replica.retry();
    if (this.#read()) this.#listeners.call();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#releaseTimer);
    this.#cancelFlush?.();
    this.#stopListening();
    void this.replica.close();
    this.#read();
    this.#listeners.call();
    this.#listeners.clear();
    this.#options.onReleased();
  }

  #releaseLater(releaseAfterMs: number): void {
    if (releaseAfterMs <= 0) {
      this.close();
      return;
    }
    const timer: unknown = setTimeout(() => this.close(), releaseAfterMs);
    this.#releaseTimer = timer as ReturnType<typeof setTimeout>;
    unref(timer);
  }

  #changed(): void {
    this.#cancelFlush ??= this.#options.schedule(() => {
      this.#cancelFlush = undefined;
      if (!this.#closed && this.#read()) this.#listeners.call();
    });
  }

  /** True: there is another view. */
  #read(): boolean {
    const snapshot = this.replica.getSnapshot();
    const before = this.#view;
    const idle = before === this.#options.idle && saysNothing(snapshot);
    if (idle) return false;
    const now = this.#options.now();
    const since = before !== this.#options.idle && before.status === snapshot.status ? before.since : now;
    if (isSettled(before.status) && !isSettled(snapshot.status)) this.#lost = { view: before, at: now };
    let caughtUp: CaughtUp | undefined = this.#lost ? undefined : before.caughtUp;
    if (this.#lost && isSettled(snapshot.status)) {
      const { view, at } = this.#lost;
      const changes = sizeOf(diffEntries(view.entries, snapshot.entries));
      caughtUp = Object.freeze({ at: now, changes, awayMs: now - at });
      this.#lost = undefined;
    }
    this.#view = projectView(snapshot, { since, caughtUp });
    return true;
  }
}

/** In Node a subscription that nobody watches must not keep the process. */
function unref(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function")
    timer.unref();
}
