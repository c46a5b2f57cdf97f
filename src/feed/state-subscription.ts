/** A subscriber of present state: each key once, newest value; a full frame where its cursor cannot go on. */
import type { ViewCut } from "../collection/scope-view.ts";
import type { EndedReason, FullReason, TrackedFrame } from "../protocol/frames.ts";
import { formatPosition } from "../protocol/position.ts";
import type { FrameWording } from "./frames.ts";
import { ALWAYS_FRESH, type ScopeState, Subscription, type SubscriptionParts } from "./subscription.ts";
import type { FeedNode, FeedView } from "./view.ts";

/** A view of present state. */
interface StateView<Entry> extends FeedView<Entry> {
  countAfter(sequence: number): number;
  cut(head: number): ViewCut<Entry>;
}

type State<Entry> = ScopeState<Entry, StateView<Entry>>;

export class StateSubscription<Entry, Frame> extends Subscription<Entry, Frame> {
  readonly #wording: FrameWording<Entry, Frame>;
  #toldComplete = true;
  #changesWhenCaughtUp = 0;
  #deliveredSince = 0;

  constructor(parts: SubscriptionParts<Entry>, wording: FrameWording<Entry, Frame>) {
    super(parts);
    this.#wording = wording;
  }

  override saysOnlyData(scope: State<Entry>): boolean {
    return (
      this.ending === undefined &&
      this.opening === undefined &&
      scope.tag === this.tag &&
      this.cursor >= scope.floor &&
      scope.complete === this.#toldComplete &&
      !this.mustTellFreshness(scope)
    );
  }

  override take(scope: State<Entry> = this.look() as State<Entry>): TrackedFrame<Frame> | undefined {
    if (!this.isPending(scope)) return undefined;
    this.counters.deliveries += 1;
    const { opening } = this;
    this.opening = undefined;
    if (opening?.kind === "resume") {
      this.tag = opening.from.tag;
      this.moveTo(opening.from.sequence);
    }
    if (this.ending) return this.#takeEnded(this.ending);
    if (opening?.kind === "full") return this.#takeFull(scope, opening.reason);
    if (scope.tag !== this.tag) return this.#takeFull(scope, "epoch-changed");
    if (this.cursor < scope.floor) return this.#takeFull(scope, "trimmed");
    if (opening) return this.#takeResumed(scope);
    if (this.mustTellFreshness(scope)) return this.#takeStatus(scope);
    return this.#takeDelta(scope) ?? this.#takeProgress(scope);
  }

  override frameOf(view: FeedView<Entry>, node: FeedNode<Entry>): TrackedFrame<Frame> {
    const { key, entry } = node;
    node.told ??= {
      id: formatPosition(view.tag, node.sequence),
      data:
        entry === null
          ? this.#wording.removed(this.scope, key)
          : this.#wording.changed(this.scope, key, entry),
    };
    return node.told as TrackedFrame<Frame>;
  }

  #takeFull({ head, tag, view, complete }: State<Entry>, reason: FullReason): TrackedFrame<Frame> {
    this.counters.fulls[reason] += 1;
    if (this.tag === tag && view) this.#caughtUp(view);
    this.#startCounting(view?.changes ?? 0);
    this.tag = tag;
    const cut = view?.cut(head);
    this.moveTo(cut?.at ?? head);
    this.#toldComplete = complete;
    this.toldFreshness = undefined;
    const words = `${reason} ${complete}`;
    const known = cut?.told.get(words) as TrackedFrame<Frame> | undefined;
    if (known) return known;
    const frame = this.track("f", this.#wording.full(this.scope, cut?.entries ?? [], reason, complete));
    cut?.told.set(words, frame);
    return frame;
  }

  /** A resumed frame says by itself "complete and fresh": what is not so is told after it. */
  #takeResumed({ tag, view }: State<Entry>): TrackedFrame<Frame> {
    this.counters.resumes += 1;
    this.#toldComplete = true;
    this.toldFreshness = undefined;
    const until = Math.max(view?.latest ?? 0, this.cursor);
    const missed = view?.countAfter(this.cursor) ?? 0;
    this.#startCounting((view?.changes ?? 0) - missed);
    return this.track("r", this.#wording.resumed(this.scope, formatPosition(tag, until), missed));
  }

  #takeDelta({ view }: State<Entry>): TrackedFrame<Frame> | undefined {
    const node = view?.after(this.cursor, this.hint);
    if (!view || !node) return undefined;
    this.passed(view, node, node.sequence, 1);
    return this.frameOf(view, node);
  }

  protected override passed(
    view: FeedView<Entry>,
    last: FeedNode<Entry>,
    through: number,
    count: number,
  ): void {
    super.passed(view, last, through, count);
    this.#deliveredSince += count;
    if (through === view.latest) this.#caughtUp(view);
  }

  #takeProgress({ complete }: State<Entry>): TrackedFrame<Frame> {
    this.#toldComplete = complete;
    return this.track("p", this.#wording.progress(this.scope, this.#toldComplete));
  }

  #takeStatus({ freshness = ALWAYS_FRESH }: State<Entry>): TrackedFrame<Frame> {
    this.toldFreshness = freshness;
    return this.track("s", this.#wording.status(this.scope, freshness));
  }

  #takeEnded(reason: EndedReason): TrackedFrame<Frame> {
    const frame = this.track("e", this.#wording.ended(this.scope, reason));
    this.close();
    return frame;
  }

  #caughtUp({ changes }: FeedView<Entry>): void {
    this.counters.conflated += Math.max(0, changes - this.#changesWhenCaughtUp - this.#deliveredSince);
    this.#startCounting(changes);
  }

  #startCounting(changes: number): void {
    this.#changesWhenCaughtUp = changes;
    this.#deliveredSince = 0;
  }
}
