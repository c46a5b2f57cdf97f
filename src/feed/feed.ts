/**
 * feed: who hears of a change, and when. See README.md of this room.
 */
import { OrderReplaced } from "../collection/lane.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { EndedReason, TrackedFrame } from "../protocol/frames.ts";
import type { FrameWording, Freshness } from "./frames.ts";
import { planSubscription } from "./plan.ts";
import { StateSubscription } from "./state-subscription.ts";
import type { Batch, FeedCounters, ScopeState, Subscription, SubscriptionParts } from "./subscription.ts";
import type { FeedNode, FeedSource, FeedView } from "./view.ts";

interface FeedBasics<Entry> {
  readonly collection: FeedSource<Entry>;
  /** Whether the first pass of the scope's sources is done. */
  readonly complete: (scope: string) => boolean;
  readonly freshness: (scope: string) => Freshness | undefined;
  /** How long a new subscriber waits for the first pass, in milliseconds. @defaultValue 5_000 */
  readonly firstPassWaitMs?: number;
  /** How long a cursor from another node waits until this node has caught up, in milliseconds. @defaultValue 10_000 */
  readonly behindWaitMs?: number;
}

/** A feed of present state says how its frames are worded; another one makes subscriptions of its own kind. */
export type FeedOptions<Entry, Frame> = FeedBasics<Entry> &
  (
    | { readonly wording: FrameWording<Entry, Frame> }
    | { readonly subscribe: (parts: SubscriptionParts<Entry>) => Subscription<Entry, Frame> }
  );

/** Who serves many subscriptions of a scope at once, and is woken once for all of them. */
export interface FeedDriver {
  wake(): void;
}

/** Who hears of a scope: each subscription by itself, or the driver that serves it. */
interface Audience<Entry, Frame> {
  readonly subscriptions: Set<Subscription<Entry, Frame>>;
  readonly awaken: Set<FeedDriver>;
}

const FIRST_PASS_WAIT_MS = 5_000;
const BEHIND_WAIT_MS = 10_000;
const HEAD_WAIT_MS = 2_000;

export class Feed<Entry, Frame> {
  readonly #options: FeedOptions<Entry, Frame>;
  readonly #audiences = new Map<string, Audience<Entry, Frame>>();
  /** Those who wait for the first pass; told when it may be over. */
  readonly #firstPassWaiters = new Set<() => void>();
  readonly counters: FeedCounters = {
    deliveries: 0,
    conflated: 0,
    resumes: 0,
    gaps: 0,
    fulls: { first: 0, "epoch-changed": 0, trimmed: 0, ahead: 0, invalid: 0 },
  };

  constructor(options: FeedOptions<Entry, Frame>) {
    this.#options = options;
  }

  /** Open subscriptions. */
  get size(): number {
    let size = 0;
    for (const { subscriptions } of this.#audiences.values()) size += subscriptions.size;
    return size;
  }

  /** Scopes that somebody watches. */
  get watchedScopes(): number {
    return this.#audiences.size;
  }

  /** Joins at once, so that no change can fall between; the subscription begins when {@link begin} has decided how. */
  join(scope: string): Subscription<Entry, Frame> {
    const subscription = this.#subscribe({
      scope,
      look: () => this.look(scope),
      counters: this.counters,
      onClose: () => this.#leave(subscription),
    });
    const audience = this.#audiences.get(scope) ?? { subscriptions: new Set(), awaken: new Set() };
    if (audience.subscriptions.size === 0) this.#options.collection.watched?.(scope);
    this.#audiences.set(scope, audience);
    audience.subscriptions.add(subscription);
    audience.awaken.add(subscription);
    return subscription;
  }

  #subscribe(parts: SubscriptionParts<Entry>): Subscription<Entry, Frame> {
    const options = this.#options;
    return "subscribe" in options ? options.subscribe(parts) : new StateSubscription(parts, options.wording);
  }

  /** From now on the driver is woken for this subscription, which no longer is by a commit. */
  drive(subscription: Subscription<Entry, Frame>, driver: FeedDriver): void {
    const audience = this.#audiences.get(subscription.scope);
    if (subscription.closed || !audience) return;
    audience.awaken.delete(subscription);
    audience.awaken.add(driver);
  }

  /** The driver serves nobody in the scope any more. */
  undrive(scope: string, driver: FeedDriver): void {
    this.#audiences.get(scope)?.awaken.delete(driver);
  }

  /** The scope in this turn. */
  look(scope: string): ScopeState<Entry> {
    const { collection, complete, freshness } = this.#options;
    const view = collection.view(scope);
    return {
      loaded: collection.loaded,
      head: collection.head,
      tag: view?.tag ?? collection.tagOf(scope),
      floor: view?.floor ?? collection.floorOf(scope),
      view,
      complete: complete(scope),
      freshness: freshness(scope),
    };
  }

  /** What stands behind the cursor of a subscription, oldest first, as long as `fits` takes it. */
  batch(
    subscription: Subscription<Entry, Frame>,
    view: FeedView<Entry>,
    fits: (frame: TrackedFrame<Frame>, node: FeedNode<Entry>) => boolean,
  ): Batch<Entry, Frame> | undefined {
    const frames: TrackedFrame<Frame>[] = [];
    let last: FeedNode<Entry> | undefined;
    for (
      let node = view.after(subscription.cursor, subscription.hint);
      node;
      node = view.after(node.sequence, node)
    ) {
      const frame = subscription.frameOf(view, node);
      if (!fits(frame, node)) break;
      frames.push(frame);
      last = node;
    }
    return last && { frames, last, through: last.sequence };
  }

  /**
   * Decides how the subscription goes on from `lastEventId`, and lets it begin in the same turn.
   * @throws {@link SnapwireError} `behind` when this node did not reach the position in time: another node may.
   */
  async begin(
    subscription: Subscription<Entry, Frame>,
    lastEventId: string | null | undefined,
  ): Promise<void> {
    const { collection } = this.#options;
    const { scope } = subscription;
    let authoritativeHead: number | undefined;
    let waitedForFirstPass = false;
    while (!subscription.closed) {
      if (!collection.loaded) {
        await this.#reach(subscription, 0);
        continue;
      }
      const plan = planSubscription(lastEventId, {
        tag: collection.tagOf(scope),
        floor: collection.floorOf(scope),
        head: collection.head,
        authoritativeHead,
      });
      switch (plan.kind) {
        case "ask":
          authoritativeHead = await this.#authoritativeHead(subscription);
          continue;
        case "wait":
          await this.#reach(subscription, plan.sequence);
          continue;
        case "full":
          if (!waitedForFirstPass && !this.#options.complete(scope)) {
            waitedForFirstPass = true;
            await this.#firstPass(subscription);
            continue;
          }
          subscription.begin(plan, lastEventId);
          return;
        case "resume":
          subscription.begin(plan, lastEventId);
          return;
      }
    }
  }

  /** A change was committed in the scope: its cursors go on. */
  wake(scope: string): void {
    for (const listener of this.#audiences.get(scope)?.awaken ?? []) listener.wake();
  }

  /** Something changed that every cursor has to look at: a new epoch, completeness, freshness. */
  wakeAll(): void {
    for (const { awaken } of this.#audiences.values()) for (const listener of awaken) listener.wake();
    for (const waiter of [...this.#firstPassWaiters]) waiter();
  }

  /** Ends the subscriptions of a scope for good. */
  end(scope: string, reason: EndedReason): void {
    for (const subscription of [...(this.#audiences.get(scope)?.subscriptions ?? [])])
      subscription.end(reason);
  }

  /** Closes every subscription without a last word: the service stops, its clients resume elsewhere or later. */
  close(): void {
    for (const { subscriptions } of [...this.#audiences.values()]) {
      for (const subscription of [...subscriptions]) subscription.close();
    }
  }

  #leave(subscription: Subscription<Entry, Frame>): void {
    const audience = this.#audiences.get(subscription.scope);
    if (!audience?.subscriptions.delete(subscription)) return;
    audience.awaken.delete(subscription);
    if (audience.subscriptions.size > 0) return;
    this.#audiences.delete(subscription.scope);
    this.#options.collection.unwatched?.(subscription.scope);
  }

  /** Waits until the first pass is done, the subscriber leaves, or the bounded wait is over. */
  #firstPass(subscription: Subscription<Entry, Frame>): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#firstPassWaiters.delete(look);
        subscription.onWake = undefined;
        resolve();
      };
      const look = (): void => {
        if (subscription.closed || this.#options.complete(subscription.scope)) done();
      };
      const timer = setTimeout(done, this.#options.firstPassWaitMs ?? FIRST_PASS_WAIT_MS);
      this.#firstPassWaiters.add(look);
      subscription.onWake = look;
    });
  }

  /** What the engine says. Its silence is no answer: then the position is waited for as if another node had told of it. */
  async #authoritativeHead(subscription: Subscription<Entry, Frame>): Promise<number> {
    const unknown = Number.POSITIVE_INFINITY;
    let timer: NodeJS.Timeout | undefined;
    const noAnswer = new Promise<number>((resolve) => {
      timer = setTimeout(() => resolve(unknown), HEAD_WAIT_MS);
      subscription.onWake = () => {
        if (subscription.closed) resolve(unknown);
      };
    });
    const answer = this.#options.collection.authoritativeHead().catch(() => unknown);
    try {
      return await Promise.race([answer, noAnswer]);
    } finally {
      clearTimeout(timer);
      subscription.onWake = undefined;
    }
  }

  async #reach(subscription: Subscription<Entry, Frame>, sequence: number): Promise<void> {
    const abort = new AbortController();
    const late = new SnapwireError(
      "behind",
      "this node has not caught up with the position yet; try another node, or again",
    );
    const timer = setTimeout(() => abort.abort(late), this.#options.behindWaitMs ?? BEHIND_WAIT_MS);
    subscription.onWake = () => {
      if (subscription.closed) abort.abort(new OrderReplaced("the subscriber left"));
    };
    try {
      await this.#options.collection.applied(sequence, abort.signal);
    } catch (error) {
      if (!(error instanceof OrderReplaced)) throw error; // a replaced order is decided anew
    } finally {
      clearTimeout(timer);
      subscription.onWake = undefined;
    }
  }
}
