/**
 * A collection, the feed over it and its pruner as one piece, for products that add nothing of their own between them:
 * a commit wakes the cursors of its scopes, a replaced order wakes all of them, tombstones are pruned while there are any.
 */
import { Collection, type CollectionOptions, type Told } from "../collection/collection.ts";
import { Pruner } from "../collection/pruner.ts";
import { Feed } from "./feed.ts";
import type { FrameWording, Freshness } from "./frames.ts";

export interface ServedCollectionOptions<Op, State, Entry, Outcome, Frame>
  extends Omit<CollectionOptions<Op, State, Entry, Outcome>, "tell" | "tellReset" | "tellStatus"> {
  readonly wording: FrameWording<Entry, Frame>;
  /** How long a cursor from another node waits until this node has caught up, in milliseconds. @defaultValue 10_000 */
  readonly behindWaitMs?: number;
  /** Told after the commit was applied, before any subscriber is woken. Must not throw. */
  readonly onTold?: (told: Told<Entry>) => void;
  /** The backlog is in: at the start, and again when the order was replaced. */
  readonly onReset?: () => void;
  readonly freshness?: (scope: string) => Freshness | undefined;
}

export class ServedCollection<Op, State, Entry, Outcome, Frame> {
  readonly collection: Collection<Op, State, Entry, Outcome>;
  readonly feed: Feed<Entry, Frame>;
  readonly #pruner: Pruner;

  constructor(options: ServedCollectionOptions<Op, State, Entry, Outcome, Frame>) {
    const { wording, behindWaitMs, freshness, onTold, onReset, ...rest } = options;
    this.collection = new Collection({
      ...rest,
      tell: (told) => {
        onTold?.(told);
        for (const scope of told.gone) this.feed.wake(scope);
        if (told.gone.length > 0) this.#pruner.touch();
        if (told.shown) this.feed.wake(told.shown.scope);
      },
      tellReset: () => {
        onReset?.();
        this.feed.wakeAll();
        this.#pruner.touch();
      },
      tellStatus: () => undefined, // the journal is one for all collections: whoever owns it hears it from the snapshots
    });
    this.feed = new Feed({
      collection: this.collection,
      wording,
      complete: () => true,
      freshness: freshness ?? (() => undefined),
      ...(behindWaitMs === undefined ? {} : { behindWaitMs }),
    });
    this.#pruner = new Pruner({
      count: () => this.tombstones,
      prune: () => this.collection.prune(),
      onError: (error) =>
        options.logger.error({ collection: options.name, error }, "tombstones were not pruned"),
    });
  }

  get tombstones(): number {
    let sum = 0;
    for (const view of this.collection.views()) sum += view.tombstoneCount;
    return sum;
  }

  open(): Promise<void> {
    return this.collection.open();
  }

  /** Ends the subscriptions, waits for the writes in flight, and stops to follow. */
  async close(): Promise<void> {
    this.#pruner.stop();
    this.feed.close();
    await this.collection.close();
  }
}
