/**
 * A subscriber of what happened: every entry once, in order, or a `gap` that says what may be missing. Its first frame
 * says that it is connected and stands at the position from which it goes on: a drop before the next frame loses nothing.
 */
import type { EndedReason, TrackedFrame } from "../protocol/frames.ts";
import { formatPosition, parsePosition } from "../protocol/position.ts";
import type { LogWording } from "./frames.ts";
import {
  ALWAYS_FRESH,
  type Opening,
  type ScopeState,
  Subscription,
  type SubscriptionParts,
} from "./subscription.ts";
import type { FeedNode, FeedView } from "./view.ts";

/** A view of a log. */
interface LogFeedView<Entry> extends FeedView<Entry> {
  /** The highest sequence of an entry of the view that is surely gone; the floor may be higher. */
  readonly sure: number;
}

type State<Entry> = ScopeState<Entry, LogFeedView<Entry>>;

export class LogSubscription<Entry, Frame> extends Subscription<Entry, Frame> {
  readonly #wording: LogWording<Frame>;
  /** Where the client stood, when that is no place in this order; null: nobody can read it. */
  #lostFrom: string | null | undefined;
  /** The id of its first frame. */
  #resumesAt = "";

  constructor(parts: SubscriptionParts<Entry>, wording: LogWording<Frame>) {
    super(parts);
    this.#wording = wording;
  }

  override saysOnlyData(scope: State<Entry>): boolean {
    return (
      this.ending === undefined &&
      this.opening === undefined &&
      this.#lostFrom === undefined &&
      scope.tag === this.tag &&
      this.cursor >= scope.floor &&
      !this.mustTellFreshness(scope)
    );
  }

  override take(scope: State<Entry> = this.look() as State<Entry>): TrackedFrame<Frame> | undefined {
    if (!this.isPending(scope)) return undefined;
    this.counters.deliveries += 1;
    if (this.opening) return this.#takeConnected(scope);
    if (this.ending) return this.#takeEnded(this.ending);
    if (scope.tag !== this.tag) this.#changeOrder(scope.tag);
    if (this.#lostFrom !== undefined || this.cursor < scope.floor) return this.#takeGap(scope);
    if (this.mustTellFreshness(scope)) return this.#takeStatus(scope);
    return this.#takeEntry(scope);
  }

  /** The order was replaced: its place is none in this one, unless the client came from there before this node knew it. */
  #changeOrder(tag: string): void {
    this.#lostFrom ??= formatPosition(this.tag, this.cursor);
    this.tag = tag;
    const from = parsePosition(this.#lostFrom);
    if (from?.tag !== tag) return;
    this.#lostFrom = undefined;
    this.moveTo(from.sequence);
  }

  override frameOf(view: FeedView<Entry>, node: FeedNode<Entry>): TrackedFrame<Frame> {
    node.told ??= { id: formatPosition(view.tag, node.sequence), data: node.entry };
    return node.told as TrackedFrame<Frame>;
  }

  /** What was committed after this turn follows, however late the first frame is taken. */
  override begin(opening: Opening, lastEventId?: string | null): void {
    const { tag, head } = this.look();
    const from = parsePosition(lastEventId);
    const isFirst = opening.kind === "full" && opening.reason === "first";
    this.tag = tag;
    if (isFirst) this.moveTo(head);
    else if (from && (opening.kind === "resume" || opening.reason === "trimmed")) this.moveTo(from.sequence);
    else this.#lostFrom = from ? (lastEventId ?? null) : null;
    // A place in another order stays the client's position until the gap has been told.
    this.#resumesAt = isFirst
      ? formatPosition(tag, head, "s")
      : formatPosition(from?.tag ?? tag, from?.sequence ?? 0, "s");
    super.begin(opening, lastEventId);
  }

  #takeConnected({ tag, head }: State<Entry>): TrackedFrame<Frame> {
    if (this.opening?.kind === "resume") this.counters.resumes += 1;
    this.opening = undefined;
    this.toldFreshness = undefined;
    const data = this.#wording.status(this.scope, undefined, formatPosition(tag, head));
    return { id: this.#resumesAt, data };
  }

  #takeGap({ tag, floor, view }: State<Entry>): TrackedFrame<Frame> {
    this.counters.gaps += 1;
    const isLost = this.#lostFrom !== undefined;
    const from = isLost ? (this.#lostFrom ?? null) : formatPosition(tag, this.cursor);
    const certain = !isLost && this.cursor < (view?.sure ?? 0);
    this.#lostFrom = undefined;
    this.tag = tag;
    this.moveTo(floor);
    return this.track("g", this.#wording.gap(this.scope, from, formatPosition(tag, floor), certain));
  }

  #takeEntry({ view }: State<Entry>): TrackedFrame<Frame> | undefined {
    const node = view?.after(this.cursor, this.hint);
    if (!view || !node) return undefined;
    this.passed(view, node, node.sequence, 1);
    return this.frameOf(view, node);
  }

  #takeStatus({ tag, head, freshness = ALWAYS_FRESH }: State<Entry>): TrackedFrame<Frame> {
    this.toldFreshness = freshness;
    return this.track("s", this.#wording.status(this.scope, freshness, formatPosition(tag, head)));
  }

  #takeEnded(reason: EndedReason): TrackedFrame<Frame> {
    const frame = this.track("e", this.#wording.ended(this.scope, reason));
    this.close();
    return frame;
  }
}
