/**
 * One subscriber: a cursor, and what it has been told about things other than data. It keeps no list: whatever it has
 * not seen stands behind its cursor in the view. Whoever drives it (an iterator, a pump) asks `take` for the next frame
 * when there is room to send, and sleeps until woken when there is none. What it says is for the two kinds of it:
 * `state-subscription.ts` (what is), `log-subscription.ts` (what happened).
 */
import type { EndedReason, FullReason, TrackedFrame } from "../protocol/frames.ts";
import { formatPosition, type Position, type PositionKind } from "../protocol/position.ts";
import type { Freshness } from "./frames.ts";
import type { FeedNode, FeedView } from "./view.ts";

/** A scope in this very turn: whoever serves many subscribers looks once. Applied state only. */
export interface ScopeState<Entry, View extends FeedView<Entry> = FeedView<Entry>> {
  readonly loaded: boolean;
  readonly head: number;
  readonly tag: string;
  readonly floor: number;
  readonly view: View | undefined;
  /** The first pass of the scope's sources is done. */
  readonly complete: boolean;
  /** Undefined: nothing has ever been wrong. */
  readonly freshness: Freshness | undefined;
}

/** Changes that stand one after the other behind a cursor. */
export interface Batch<Entry, Frame> {
  readonly frames: readonly TrackedFrame<Frame>[];
  readonly last: FeedNode<Entry>;
  /** The sequence of `last` when the batch was made. */
  readonly through: number;
}

/** What subscriptions count, for `stats`. */
export interface FeedCounters {
  deliveries: number;
  conflated: number;
  resumes: number;
  /** How often a subscriber was told that something may be missing. */
  gaps: number;
  readonly fulls: Record<FullReason, number>;
}

/** How it begins, as `plan.ts` decided. */
export type Opening =
  | { readonly kind: "full"; readonly reason: FullReason }
  | { readonly kind: "resume"; readonly from: Position };

/** What the feed gives to each of its subscriptions. */
export interface SubscriptionParts<Entry> {
  readonly scope: string;
  readonly look: () => ScopeState<Entry>;
  readonly counters: FeedCounters;
  readonly onClose: () => void;
}

export const ALWAYS_FRESH: Freshness = { fresh: true, since: new Date(0).toISOString() };

export abstract class Subscription<Entry, Frame> {
  readonly scope: string;
  protected readonly look: () => ScopeState<Entry>;
  protected readonly counters: FeedCounters;
  protected opening: Opening | undefined;
  protected ending: EndedReason | undefined;
  protected tag = "";
  protected toldFreshness: Freshness | undefined;
  readonly #onClose: () => void;
  #open = false;
  #closed = false;
  #cursor = 0;
  /** The node taken last: where the next one is found without a search. */
  #last: FeedNode<Entry> | undefined;
  #awake = false;
  #sleeper: (() => void) | undefined;
  /** Called at each wake; a pump sets it, an iterator sleeps instead. */
  onWake: (() => void) | undefined;

  constructor(parts: SubscriptionParts<Entry>) {
    this.scope = parts.scope;
    this.look = parts.look;
    this.counters = parts.counters;
    this.#onClose = parts.onClose;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Begins, by the plan that was made in this turn: the first `take` says so. */
  begin(opening: Opening, _lastEventId?: string | null): void {
    this.opening = opening;
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
    this.ending ??= reason;
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
  get hint(): FeedNode<Entry> | undefined {
    return this.#last;
  }

  /** Whether `take` would answer a frame. */
  get pending(): boolean {
    return this.isPending(this.look());
  }

  isPending(scope: ScopeState<Entry>): boolean {
    if (!this.#open || this.#closed || !scope.loaded) return false;
    return !this.saysOnlyData(scope) || (scope.view?.latest ?? 0) > this.#cursor;
  }

  /** Whether all that it may have to say now are the changes behind its cursor. */
  abstract saysOnlyData(scope: ScopeState<Entry>): boolean;

  /**
   * The next frame, or `undefined` when there is nothing to say. Everything is decided in this turn: the floor first,
   * then what stands behind the cursor, oldest first.
   */
  abstract take(scope?: ScopeState<Entry>): TrackedFrame<Frame> | undefined;

  /** The frame of a change: worded once, the same object for every subscriber that gets it. */
  abstract frameOf(view: FeedView<Entry>, node: FeedNode<Entry>): TrackedFrame<Frame>;

  /** Says that the frames of a batch that begins behind the cursor were handed over. */
  taken({ frames, last, through }: Batch<Entry, Frame>, view: FeedView<Entry>): void {
    this.counters.deliveries += frames.length;
    this.passed(view, last, through, frames.length);
  }

  /** Goes to where a frame that is not a change says that the subscriber stands. */
  protected moveTo(sequence: number): void {
    this.#cursor = sequence;
    this.#last = undefined;
  }

  /** So many changes were handed over, up to this one. */
  protected passed(_view: FeedView<Entry>, last: FeedNode<Entry>, through: number, _count: number): void {
    this.#cursor = through;
    this.#last = last;
  }

  /** A first frame says "fresh" by itself; from then on every change is told. */
  protected mustTellFreshness({ freshness: now }: ScopeState<Entry>): boolean {
    return (
      (now?.fresh ?? true) !== (this.toldFreshness?.fresh ?? true) ||
      (now?.fresh === false && now !== this.toldFreshness)
    );
  }

  protected track(kind: PositionKind, data: Frame): TrackedFrame<Frame> {
    return { id: formatPosition(this.tag || this.look().tag, this.#cursor, kind), data };
  }
}
