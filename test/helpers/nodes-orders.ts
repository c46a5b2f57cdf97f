/**
 * One order of each engine, as several nodes and a witness have it: what a random program needs to run on an engine
 * instead of on memory.
 */
import type { Journal, JournalLog } from "../../src/journal/journal.ts";
import { createMemoryJournal, type MemoryJournalOptions } from "../../src/journal/memory.ts";
import { natsEngine, type Through } from "../../src/journal/nats/engine.ts";
import { createNatsJournal } from "../../src/journal/nats/index.ts";
import type { NatsServer } from "./nats-server.ts";
import { natsNames } from "./nodes-nats.ts";
import { RestartingJournal } from "./restarting-journal.ts";

export interface TestOrder {
  /** Open. Whoever follows it first is not made to forget by a restart of the engine. */
  readonly witness: Journal;
  /** The order as another node has it: open, and closed by that node's end. */
  node(): Promise<Journal>;
  /** The process of a node ends: what that does to the engine. */
  ended(node: Journal): Promise<void>;
  /** The engine has answered everything that was asked of it before. */
  answered(): Promise<void>;
  close(): Promise<void>;
}

export type NewOrder = () => Promise<TestOrder>;

/** Nodes of one process, over an order that ends with it. */
export const memoryOrder =
  (options: MemoryJournalOptions = {}): NewOrder =>
  async () => {
    const journal = createMemoryJournal(options);
    await journal.open();
    return {
      witness: journal,
      node: async () => journal,
      ended: async () => undefined,
      answered: async () => undefined,
      close: () => journal.close(),
    };
  };

/** On disk. The engine belongs to one process: with a node it is closed, or killed, and opened again under the others. */
export const embeddedOrder: NewOrder = async () => {
  const journal = new RestartingJournal();
  await journal.open();
  return {
    witness: journal,
    node: async () => journal,
    ended: () => journal.restart(),
    answered: async () => void (await journal.log("answered").head()),
    close: () => journal[Symbol.asyncDispose](),
  };
};

/** Over a server: each node has a connection of its own. */
export const natsOrder =
  (server: NatsServer, through?: Through): NewOrder =>
  async () => {
    const options = natsNames(server);
    const open = async (journal: Journal): Promise<Journal> => {
      await journal.open();
      return journal;
    };
    const nodes = new Set<Journal>();
    const witness = await open(createNatsJournal(options));
    return {
      witness,
      node: async () => {
        const node = await open(natsEngine(options, through));
        nodes.add(node);
        return node;
      },
      ended: async (node) => {
        nodes.delete(node);
        await node.close();
      },
      answered: async () => void (await witness.log("events").head()),
      close: async () => {
        for (const journal of [...nodes, witness]) await journal.close();
      },
    };
  };

/** Everything that a log ever told, and how far it has come. */
export class Witness {
  readonly #log: JournalLog;
  readonly #waiting = new Set<{ readonly sequence: number; readonly resolve: () => void }>();
  #head = 0;
  epoch = "";

  constructor(log: JournalLog) {
    this.#log = log;
  }

  async follow(
    onRecord: (record: { readonly sequence: number; readonly key: string; readonly body: unknown }) => void,
  ) {
    await this.#log.follow({
      reset: (epoch) => {
        if (this.epoch !== "") throw new Error("the witness was made to forget");
        this.epoch = epoch;
      },
      record: onRecord,
      floor: () => undefined,
      advance: (sequence) => {
        this.#head = Math.max(this.#head, sequence);
        for (const waiter of this.#waiting) {
          if (waiter.sequence > this.#head) continue;
          this.#waiting.delete(waiter);
          waiter.resolve();
        }
      },
      status: () => undefined,
    });
  }

  /** Resolves when it has seen everything up to `sequence`. */
  reached(sequence: number): Promise<void> {
    if (this.#head >= sequence) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add({ sequence, resolve }));
  }

  /** Resolves when it has seen everything that was acknowledged to anybody. @returns the head */
  async caughtUp(): Promise<number> {
    const head = await this.#log.head();
    await this.reached(head);
    return head;
  }
}
