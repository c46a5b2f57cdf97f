/** Services over one order, each a node with faults of its own; a clock set by hand; watchers that read like a log. */
import type { Subscription } from "../../src/feed/subscription.ts";
import type { Journal } from "../../src/journal/journal.ts";
import type { MemoryJournalOptions } from "../../src/journal/memory.ts";
import type { SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import { parsePosition } from "../../src/protocol/position.ts";
import type { WorkspaceEntry } from "../../src/protocol/workspace.ts";
import { createSnapwire, type Snapwire, type SnapwireOptions } from "../../src/snapwire.ts";
import { JournalFaults, withFaults } from "./faulty-journal.ts";
import { newOrder, type OpenedOrder } from "./rule-engine.ts";

export { turn } from "./rule-engine.ts";

export const HOUR = 3_600_000;
export const NOON = Date.UTC(2026, 7, 1, 12);

export interface ClusterNode {
  readonly live: Snapwire;
  readonly faults: JournalFaults;
  /** Stops this service and starts another one over the same order; what it held is gone. */
  restart(options?: SnapwireOptions): Promise<ClusterNode>;
}

export interface Cluster extends AsyncDisposable {
  /** The order that all nodes share. */
  readonly journal: Journal;
  /** What the system clocks say. */
  now: number;
  /** Starts a node. */
  node(options?: SnapwireOptions): Promise<ClusterNode>;
  /** An empty order, under another epoch, takes the place of this one on every node. */
  replaceOrder(journal?: Journal): Promise<Journal>;
}

/** @param options - `journal`: the first order, of another engine; closed by whoever made it. */
export async function cluster(
  options: MemoryJournalOptions & { readonly journal?: Journal } = {},
): Promise<Cluster> {
  const orders: OpenedOrder[] = [];
  const another = async (): Promise<Journal> => {
    const order = await newOrder(options);
    orders.push(order);
    return order.journal;
  };
  let journal = options.journal ?? (await another());
  await journal.open();
  const nodes = new Set<{ readonly live: Snapwire; readonly faults: JournalFaults }>();
  const self: Cluster = {
    get journal() {
      return journal;
    },
    now: NOON,
    node: async (given = {}) => {
      const faults = new JournalFaults();
      const live = createSnapwire({ journal: withFaults(journal, faults), now: () => self.now, ...given });
      const node: ClusterNode = {
        live,
        faults,
        restart: async (other) => {
          nodes.delete(node);
          await live.stop();
          return self.node(other ?? given);
        },
      };
      nodes.add(node);
      await live.start();
      return node;
    },
    replaceOrder: async (given) => {
      journal = given ?? (await another());
      await journal.open();
      // A node whose deliveries are held hears of it when they are released.
      const told: Promise<void>[] = [];
      for (const { faults } of nodes) {
        const done = faults.replaceOrder(journal);
        if (!faults.holding) told.push(done);
      }
      await Promise.all(told);
      return journal;
    },
    async [Symbol.asyncDispose]() {
      for (const { live, faults } of nodes) {
        faults.heal();
        await live.stop();
      }
      for (const { dispose } of orders) await dispose();
    },
  };
  return self;
}

export type Frame = TrackedFrame<SnapshotFrame>;

/** A subscriber that takes frames when the test says so. */
export class Watcher {
  readonly subscription: Subscription<WorkspaceEntry, SnapshotFrame>;
  readonly frames: Frame[] = [];

  constructor(subscription: Subscription<WorkspaceEntry, SnapshotFrame>) {
    this.subscription = subscription;
  }

  /** Takes what can be taken, or some of it. */
  take(room = Number.POSITIVE_INFINITY): Frame[] {
    const taken: Frame[] = [];
    while (taken.length < room) {
      const frame = this.subscription.take();
      if (!frame) break;
      taken.push(frame);
      if (taken.length > 100_000) throw new Error("a subscription that never has nothing to say");
    }
    this.frames.push(...taken);
    return taken;
  }

  /** The same, in words. */
  told(room?: number): string[] {
    return this.take(room).map(inWords);
  }

  /** The position of the last frame: what a client resumes from. */
  get position(): string | undefined {
    return this.frames.at(-1)?.id;
  }

  close(): void {
    this.subscription.close();
  }
}

export async function watching(
  { live }: Pick<ClusterNode, "live">,
  projectId: string,
  lastEventId?: string | null,
): Promise<Watcher> {
  const subscription = live.feed.join(projectId);
  await live.feed.begin(subscription, lastEventId);
  return new Watcher(subscription);
}

/** `sequence[.kind] what`; an entry is `id@version`. */
function inWords({ id, data }: Frame): string {
  const { sequence, kind } = parsePosition(id) ?? { sequence: Number.NaN };
  return `${sequence}${kind === undefined ? "" : `.${kind}`} ${frameInWords(data)}`;
}

function frameInWords(frame: SnapshotFrame): string {
  switch (frame.type) {
    case "snapshot_full": {
      const entries = frame.entries.map(entryInWords).join(" ");
      return `full ${frame.reason}${frame.complete ? "" : " incomplete"}: ${entries}`;
    }
    case "snapshot_resumed":
      return `resumed until ${parsePosition(frame.until)?.sequence} missed ${frame.missed}`;
    case "snapshot_changed":
      return `changed ${entryInWords(frame.entry)}`;
    case "snapshot_removed":
      return `removed ${frame.workspaceId}`;
    case "snapshot_progress":
      return `progress ${frame.complete}`;
    case "snapshot_status":
      return `status ${frame.fresh}${frame.reason === undefined ? "" : ` ${frame.reason}`}`;
    case "snapshot_ended":
      return `ended ${frame.reason}`;
  }
}

const entryInWords = ({ workspaceId, version }: WorkspaceEntry): string => `${workspaceId}@${version}`;
