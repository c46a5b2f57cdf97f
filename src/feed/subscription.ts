/**
 * One subscriber: a cursor, and what it has been told about things other than data. It keeps no list: whatever it has
 * not seen stands behind its cursor in the view, each key once, newest value. Whoever drives it (an iterator, a pump)
 * asks `take` for the next frame when there is room to send, and sleeps until woken when there is none.
 */
import type { ScopeView, ViewNode } from "../collection/scope-view.ts";
import type { EndedReason, FullReason, TrackedFrame } from "../protocol/frames.ts";
import { formatPosition, type Position, type PositionKind } from "../protocol/position.ts";
import type { FrameWording, Freshness } from "./frames.ts";

/** A scope in this very turn: whoever serves many subscribers looks once. Applied state only. */
export interface ScopeState<Entry> {
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

/** Changes that stand one after the other behind a cursor. */
export interface Batch<Entry, Frame> {
  readonly frames: readonly TrackedFrame<Frame>[];
  readonly last: ViewNode<Entry>;
  /** The sequence of `last` when the batch was made. */
  readonly through: number;
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

const ALWAYS_FRESH: Freshness = { fresh: true, since: new Date(0).toISOString() };

export class Subscription<Entry, Frame> {
  readonly scope: string;
  readonly #look: () => ScopeState<Entry>;
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
    scope: string;
    look: () => ScopeState<Entry>;
    wording: FrameWording<Entry, Frame>;
    counters: FeedCounters;
    onClose: () => void;
  }) {
    this.scope = options.scope;
    this.#look = options.look;
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
    this.#onClose();
    this.wake();
  }

  /** Where it stands; the next change is the oldest one above. */
  get cursor(): number {
    return this.#cursor;
  }

  /** The node taken last. While it stands where it stood, the next one is found behind it without a search. */
  get hint(): ViewNode<Entry> | undefined {
    return this.#last;
  }

  /** Whether `take` would answer a frame. */
  get pending(): boolean {
    return this.isPending(this.#look());
  }

  isPending(scope: ScopeState<Entry>): boolean {
    if (!this.#open || this.#closed || !scope.loaded) return false;
    return !this.saysOnlyData(scope) || (scope.view?.latest ?? 0) > this.#cursor;
  }

  /** Whether all that it may have to say now are the changes behind its cursor. */
  saysOnlyData(scope: ScopeState<Entry>): boolean {
    return (
      this.#ending === undefined &&
      this.#opening === undefined &&
      scope.tag === this.#tag &&
      this.#cursor >= scope.floor &&
      scope.complete === this.#toldComplete &&
      !this.#mustTellFreshness(scope)
    );
  }

  /**
   * The next frame, or `undefined` when there is nothing to say. Everything is decided in this turn: the floor first,
   * then what stands behind the cursor, oldest first.
   */
  take(scope: ScopeState<Entry> = this.#look()): TrackedFrame<Frame> | undefined {
    if (!this.isPending(scope)) return undefined;
    this.#counters.deliveries += 1;
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening?.kind === "resume") {
      this.#tag = opening.from.tag;
      this.#cursor = opening.from.sequence;
    }
    if (this.#ending) return this.#takeEnded(this.#ending);
    if (opening?.kind === "full") return this.#takeFull(scope, opening.reason);
    if (scope.tag !== this.#tag) return this.#takeFull(scope, "epoch-changed");
    if (this.#cursor < scope.floor) return this.#takeFull(scope, "trimmed");
    if (opening) return this.#takeResumed(scope);
    if (this.#mustTellFreshness(scope)) return this.#takeStatus(scope);
    return this.#takeDelta(scope) ?? this.#takeProgress(scope);
  }

  /** Says that the frames of a batch that begins behind the cursor were handed over. */
  taken({ frames, last, through }: Batch<Entry, Frame>, view: ScopeView<Entry>): void {
    this.#counters.deliveries += frames.length;
    this.#passed(view, last, through, frames.length);
  }

  #takeFull({ head, tag, view, complete }: ScopeState<Entry>, reason: FullReason): TrackedFrame<Frame> {
    this.#counters.fulls[reason] += 1;
    if (this.#tag === tag && view) this.#caughtUp(view);
    this.#startCounting(view?.changes ?? 0);
    this.#tag = tag;
    const cut = view?.cut(head);
    this.#cursor = cut?.at ?? head;
    this.#last = undefined;
    this.#toldComplete = complete;
    this.#toldFreshness = undefined;
    const words = `${reason} ${complete}`;
    const known = cut?.told.get(words) as TrackedFrame<Frame> | undefined;
    if (known) return known;
    const frame = this.#track("f", this.#wording.full(this.scope, cut?.entries ?? [], reason, complete));
    cut?.told.set(words, frame);
    return frame;
  }

  /** A resumed frame says by itself "complete and fresh": what is not so is told after it. */
  #takeResumed({ tag, view }: ScopeState<Entry>): TrackedFrame<Frame> {
    this.#counters.resumes += 1;
    this.#toldComplete = true;
    this.#toldFreshness = undefined;
    const until = Math.max(view?.latest ?? 0, this.#cursor);
    const missed = view?.countAfter(this.#cursor) ?? 0;
    this.#startCounting((view?.changes ?? 0) - missed);
    return this.#track("r", this.#wording.resumed(this.scope, formatPosition(tag, until), missed));
  }

  #takeDelta({ view }: ScopeState<Entry>): TrackedFrame<Frame> | undefined {
    const node = view?.after(this.#cursor, this.#last);
    if (!view || !node) return undefined;
    this.#passed(view, node, node.sequence, 1);
    return frameOf(view, node, this.#wording);
  }

  #passed(view: ScopeView<Entry>, last: ViewNode<Entry>, through: number, count: number): void {
    this.#cursor = through;
    this.#last = last;
    this.#deliveredSince += count;
    if (through === view.latest) this.#caughtUp(view);
  }

  #takeProgress({ complete }: ScopeState<Entry>): TrackedFrame<Frame> {
    this.#toldComplete = complete;
    return this.#track("p", this.#wording.progress(this.scope, this.#toldComplete));
  }

  #takeStatus({ freshness = ALWAYS_FRESH }: ScopeState<Entry>): TrackedFrame<Frame> {
    this.#toldFreshness = freshness;
    return this.#track("s", this.#wording.status(this.scope, freshness));
  }

  #takeEnded(reason: EndedReason): TrackedFrame<Frame> {
    const frame = this.#track("e", this.#wording.ended(this.scope, reason));
    this.close();
    return frame;
  }

  /** A first frame says "fresh" by itself; from then on every change is told. */
  #mustTellFreshness({ freshness: now }: ScopeState<Entry>): boolean {
    return (
      (now?.fresh ?? true) !== (this.#toldFreshness?.fresh ?? true) ||
      (now?.fresh === false && now !== this.#toldFreshness)
    );
  }

  #caughtUp({ changes }: ScopeView<Entry>): void {
    this.#counters.conflated += Math.max(0, changes - this.#changesWhenCaughtUp - this.#deliveredSince);
    this.#startCounting(changes);
  }

  #startCounting(changes: number): void {
    this.#changesWhenCaughtUp = changes;
    this.#deliveredSince = 0;
  }

  #track(kind: PositionKind, data: Frame): TrackedFrame<Frame> {
    return { id: formatPosition(this.#tag || this.#look().tag, this.#cursor, kind), data };
  }
}

/** The frame of a change: worded once, the same object for every subscriber that gets it. */
export function frameOf<Entry, Frame>(
  view: ScopeView<Entry>,
  node: ViewNode<Entry>,
  wording: FrameWording<Entry, Frame>,
): TrackedFrame<Frame> {
  const { key, entry } = node;
  node.told ??= {
    id: formatPosition(view.tag, node.sequence),
    data: entry === null ? wording.removed(view.scope, key) : wording.changed(view.scope, key, entry),
  };
  return node.told as TrackedFrame<Frame>;
}
