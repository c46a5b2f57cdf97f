/**
 * Where several nodes share an engine: which of them still serve their inboxes. A node says so every few seconds while
 * it holds a lease, and is taken for gone when it was silent for too long, by the clock of whoever listens. Where the
 * engine belongs to one process, there is nobody else.
 */
import { settledWithin } from "../collection/settled-within.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { KeptCollection } from "./kept-collection.ts";
import type { AgentsSettings } from "./options.ts";

type NodeOperation = { readonly kind: "beat"; readonly at: number } | { readonly kind: "gone" };

export interface NodesOptions {
  readonly journal: Journal;
  readonly nodeId: string;
  readonly now: () => number;
  readonly logger: Logger;
  readonly settings: Pick<AgentsSettings, "heartbeatEveryMs" | "silentAfterMs">;
  /** Whether this node holds a lease. */
  readonly serves: () => boolean;
  /** The other nodes that are said to hold one. */
  readonly others: () => ReadonlySet<string>;
  /** The inboxes of a node are gone with it. */
  readonly onGone: (nodeId: string) => Promise<void>;
}

const ALL = "all";
/** How long a goodbye is waited for: the others notice the silence. */
const GOODBYE_MS = 2_000;

export class Nodes {
  readonly #options: NodesOptions;
  readonly #kept: KeptCollection<NodeOperation, { readonly at: number }, string, undefined>;
  /** When each was heard of, by our clock. */
  readonly #heard = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: NodesOptions) {
    this.#options = options;
    this.#kept = new KeptCollection({
      name: "agent-nodes",
      journal: options.journal,
      revision: "1",
      now: options.now,
      logger: options.logger,
      model: {
        fold: (_, base, operations) => {
          const last = operations.at(-1);
          const isGone = last?.kind === "gone";
          const next = {
            scope: isGone ? null : ALL,
            hidden: false,
            state: { at: last?.kind === "beat" ? last.at : (base?.state.at ?? 0) },
          };
          const changed = isGone ? base !== undefined && base.scope !== null : true;
          return {
            next: changed ? next : base,
            changed,
            outcomes: operations.map(() => ({ value: undefined })),
          };
        },
        entryOf: (nodeId) => nodeId,
      },
      onTold: ({ key, shown }) => {
        if (shown) this.#heard.set(key, options.now());
        else this.#heard.delete(key);
      },
      onReset: () => undefined,
    });
  }

  open(): Promise<void> {
    return this.#kept.collection.open();
  }

  /** Says goodbye, and stops. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#kept.collection.record(this.#options.nodeId)?.scope === ALL)
      await settledWithin(GOODBYE_MS, this.#write(this.#options.nodeId, { kind: "gone" }));
    await this.#kept.close();
  }

  /** A lease came or went, here or elsewhere: there may be something to do. */
  touch(): void {
    if (this.#timer || !this.#hasWork()) return;
    if (this.#options.serves()) void this.#beat();
    this.#arm();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look().catch((error: unknown) =>
        this.#options.logger.warn({ error }, "the other nodes could not be looked at"),
      );
      if (this.#hasWork()) this.#arm();
    }, this.#options.settings.heartbeatEveryMs);
    this.#timer.unref();
  }

  #hasWork(): boolean {
    return !this.#closed && (this.#options.serves() || this.#options.others().size > 0);
  }

  async #look(): Promise<void> {
    const { now, serves, others, settings, onGone, logger } = this.#options;
    if (serves()) void this.#beat();
    const named = others();
    for (const nodeId of [...this.#heard.keys()]) {
      if (!named.has(nodeId)) this.#heard.delete(nodeId);
    }
    for (const nodeId of named) {
      const heard = this.#heard.get(nodeId);
      if (heard === undefined)
        this.#heard.set(nodeId, now()); // silent from here on
      else if (now() - heard >= settings.silentAfterMs) {
        logger.warn({ nodeId }, "a node was silent for too long: its inboxes are gone");
        await onGone(nodeId);
        await this.#write(nodeId, { kind: "gone" });
      }
    }
  }

  #beat(): Promise<void> {
    return this.#write(this.#options.nodeId, { kind: "beat", at: this.#options.now() });
  }

  async #write(nodeId: string, operation: NodeOperation): Promise<void> {
    try {
      await this.#kept.collection.write(nodeId, operation);
    } catch (error) {
      this.#options.logger.warn({ nodeId, error }, "a sign of life could not be written");
    }
  }
}
