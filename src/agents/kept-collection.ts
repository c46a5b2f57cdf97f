/** A collection that nobody watches by a feed: it tells its room, and its tombstones are pruned while there are any. */
import { Collection, type CollectionOptions, type Told } from "../collection/collection.ts";
import { Pruner } from "../collection/pruner.ts";

/** Nobody resumes over the removals of such a collection. */
const TOMBSTONES_FOR_MS = 1_000;

export interface KeptCollectionOptions<Op, State, Entry, Outcome>
  extends Omit<CollectionOptions<Op, State, Entry, Outcome>, "tell" | "tellReset" | "tellStatus"> {
  readonly onTold: (told: Told<Entry>) => void;
  readonly onReset: () => void;
}

export class KeptCollection<Op, State, Entry, Outcome> {
  readonly collection: Collection<Op, State, Entry, Outcome>;
  readonly #pruner: Pruner;

  constructor({ onTold, onReset, ...options }: KeptCollectionOptions<Op, State, Entry, Outcome>) {
    this.collection = new Collection({
      tombstonesForMs: TOMBSTONES_FOR_MS,
      ...options,
      tell: (told) => {
        onTold(told);
        if (told.gone.length > 0) this.#pruner.touch();
      },
      tellReset: () => {
        onReset();
        this.#pruner.touch();
      },
      tellStatus: () => undefined,
    });
    this.#pruner = new Pruner({
      count: () => {
        let sum = 0;
        for (const view of this.collection.views()) sum += view.tombstoneCount;
        return sum;
      },
      prune: () => this.collection.prune(),
      onError: (error) =>
        options.logger.error({ collection: options.name, error }, "tombstones were not pruned"),
    });
  }

  async close(): Promise<void> {
    this.#pruner.stop();
    await this.collection.close();
  }
}
