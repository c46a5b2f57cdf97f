/**
 * One subscriber: a cursor, and what it has been told about things other than data. It keeps no list: whatever it has
 * not seen stands behind its cursor in the view, each key once, newest value. Whoever drives it (an iterator, a pump)
 * asks `take` for the next frame when there is room to send, and sleeps until woken when there is none.
 */
import type { ScopeView, ViewNode } from "../collection/scope-view.ts";
import type { EndedReason, FullReason, TrackedFrame } from "../protocol/frames.ts";
import { formatPosition, type Position, type PositionKind } from "../protocol/position.ts";
import type { FrameWording, Freshness } from "./frames.ts";

/** The view of one scope as a subscription reads it, in applied state only. */
export interface SubscribedScope<Entry> {
  readonly scope: string;
  readonly loaded: boolean;
  readonly head: number;
  readonly tag: string;
  readonly floor: number;
  readonly view: ScopeView<Entry> | undefined;
  /** The first pass of the scope's sources is done. */
  readonly complete: boolean;
  /** Undefined: nothing has ever been wrong. */
  readonly freshness: Freshness | undefined;
}

/** What subscriptions count, for `stats`. */
export interface FeedCounters {
  deliveries: number;
  conflated: number;
  resumes: number;
  readonly fulls: Record<FullReason, number>;
}

type Opening =
  | { readonly kind: "full"; readonly reason: FullReason }
  | { readonly kind: "resume"; readonly from: Position };

export class Subscription<Entry, Frame> {
  readonly scope: string;
  readonly #source: SubscribedScope<Entry>;
  readonly #wording: FrameWording<Entry, Frame>;
  readonly #counters: FeedCounters;
  readonly #onClose: () => void;
  #opening: Opening | undefined;
  #open = false;
  #closed = false;
  #tag = "";
  #cursor = 0;
  /** The node taken last: where the next one is found without a search. */
  #last: ViewNode<Entry> | undefined;
  #lastView: ScopeView<Entry> | undefined;
  #toldComplete = true;
  #toldFreshness: Freshness | undefined;
  #ending: EndedReason | undefined;
  #changesWhenCaughtUp = 0;
  #deliveredSince = 0;
  #awake = false;
  #sleeper: (() => void) | undefined;
  /** Called at each wake; a pump sets it, an iterator sleeps instead. */
  onWake: (() => void) | undefined;

  constructor(options: {
    source: SubscribedScope<Entry>;
    wording: FrameWording<Entry, Frame>;
    counters: FeedCounters;
    onClose: () => void;
  }) {
    this.scope = options.source.scope;
    this.#source = options.source;
    this.#wording = options.wording;
    this.#counters = options.counters;
    this.#onClose = options.onClose;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Begins, by the plan that was made in this turn: the first `take` says so. */
  begin(opening: Opening): void {
    this.#opening = opening;
    this.#open = true;
    this.wake();
  }

  wake(): void {
    this.#awake = true;
    const sleeper = this.#sleeper;
    this.#sleeper = undefined;
    sleeper?.();
    this.onWake?.();
  }

  /** Resolves at the next wake, or at once when one came since the last sleep. One sleeper at a time. */
  async sleep(): Promise<void> {
    if (!this.#awake && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#sleeper = resolve;
      });
    }
    this.#awake = false;
  }

  /** Ends the subscription for good: its last frame says why. */
  end(reason: EndedReason): void {
    this.#ending ??= reason;
    this.wake();
  }

  /** Leaves the feed. Nothing is taken any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#last = undefined;
    this.#lastView = undefined;
    this.#onClose();
    this.wake();
  }

  /** Whether `take` would answer a frame. */
  get pending(): boolean {
    if (!this.#open || this.#closed || !this.#source.loaded) return false;
    if (this.#ending || this.#opening || this.#source.tag !== this.#tag) return true;
    if (this.#cursor < this.#source.floor) return true;
    return (
      (this.#source.view?.latest ?? 0) > this.#cursor ||
      this.#source.complete !== this.#toldComplete ||
      this.#mustTellFreshness
    );
  }

  /**
   * The next frame, or `undefined` when there is nothing to say. Everything is decided in this turn: the floor first,
   * then what stands behind the cursor, oldest first.
   */
  take(): TrackedFrame<Frame> | undefined {
    if (!this.pending) return undefined;
    this.#counters.deliveries += 1;
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening?.kind === "resume") {
      this.#tag = opening.from.tag;
      this.#cursor = opening.from.sequence;
    }
    if (this.#ending) return this.#takeEnded(this.#ending);
    if (opening?.kind === "full") return this.#takeFull(opening.reason);
    const { tag, floor } = this.#source;
    if (tag !== this.#tag) return this.#takeFull("epoch-changed");
    if (this.#cursor < floor) return this.#takeFull("trimmed");
    if (opening) return this.#takeResumed();
    if (this.#mustTellFreshness) return this.#takeStatus();
    return this.#takeDelta() ?? this.#takeProgress();
  }

  #takeFull(reason: FullReason): TrackedFrame<Frame> {
    const { head, tag, view, complete, scope } = this.#source;
    this.#counters.fulls[reason] += 1;
    if (this.#tag === tag) this.#caughtUp();
    this.#startCounting(view?.changes ?? 0);
    this.#tag = tag;
    this.#cursor = head;
    this.#last = undefined;
    this.#lastView = undefined;
    this.#toldComplete = complete;
    this.#toldFreshness = undefined;
    return this.#track("f", this.#wording.full(scope, view?.entries() ?? [], reason, complete));
  }

  /** A resumed frame says by itself "complete and fresh": what is not so is told after it. */
  #takeResumed(): TrackedFrame<Frame> {
    const { tag, view, scope } = this.#source;
    this.#counters.resumes += 1;
    this.#toldComplete = true;
    this.#toldFreshness = undefined;
    const until = Math.max(view?.latest ?? 0, this.#cursor);
    const missed = view?.countAfter(this.#cursor) ?? 0;
    this.#startCounting((view?.changes ?? 0) - missed);
    return this.#track("r", this.#wording.resumed(scope, formatPosition(tag, until), missed));
  }

  #takeDelta(): TrackedFrame<Frame> | undefined {
    const { view, scope } = this.#source;
    const node = view?.after(this.#cursor, view === this.#lastView ? this.#last : undefined);
    if (!view || !node) return undefined;
    this.#cursor = node.sequence;
    this.#last = node;
    this.#lastView = view;
    this.#deliveredSince += 1;
    if (node.sequence === view.latest) this.#caughtUp();
    const { key, entry } = node;
    return this.#track(
      undefined,
      entry === null ? this.#wording.removed(scope, key) : this.#wording.changed(scope, key, entry),
    );
  }

  #takeProgress(): TrackedFrame<Frame> {
    this.#toldComplete = this.#source.complete;
    return this.#track("p", this.#wording.progress(this.scope, this.#toldComplete));
  }

  #takeStatus(): TrackedFrame<Frame> {
    const freshness = this.#source.freshness ?? { fresh: true, since: new Date(0).toISOString() };
    this.#toldFreshness = freshness;
    return this.#track("s", this.#wording.status(this.scope, freshness));
  }

  #takeEnded(reason: EndedReason): TrackedFrame<Frame> {
    const frame = this.#track("e", this.#wording.ended(this.scope, reason));
    this.close();
    return frame;
  }

  /** A first frame says "fresh" by itself; from then on every change is told. */
  get #mustTellFreshness(): boolean {
    const now = this.#source.freshness;
    return (
      (now?.fresh ?? true) !== (this.#toldFreshness?.fresh ?? true) ||
      (now?.fresh === false && now !== this.#toldFreshness)
    );
  }

  #caughtUp(): void {
    const changes = this.#source.view?.changes ?? 0;
    this.#counters.conflated += Math.max(0, changes - this.#changesWhenCaughtUp - this.#deliveredSince);
    this.#startCounting(changes);
  }

  #startCounting(changes: number): void {
    this.#changesWhenCaughtUp = changes;
    this.#deliveredSince = 0;
  }

  #track(kind: PositionKind | undefined, data: Frame): TrackedFrame<Frame> {
    return { id: formatPosition(this.#tag || this.#source.tag, this.#cursor, kind), data };
  }
}
