/** How entries get into a log: once per key, by the lanes of the collections. */
import {
  type JournalAck,
  type JournalAppend,
  JournalConflict,
  type JournalLog,
  type Json,
} from "../journal/journal.ts";
import { type Folded, Lanes } from "./lane.ts";
import type { LogItem, LogNode } from "./log-node.ts";

export interface Logged {
  readonly sequence: number;
  /** An entry of that key was there already, and nothing was stored. */
  readonly duplicate: boolean;
}

export interface LogAppendsOptions<Entry> {
  readonly journal: JournalLog;
  readonly epoch: () => string;
  readonly loaded: () => boolean;
  readonly nodeOf: (key: string) => LogNode<Entry> | undefined;
  readonly itemOf: (key: string, body: Json) => LogItem<Entry> | undefined;
  readonly applied: (sequence: number) => Promise<void>;
}

export class LogAppends<Entry> {
  readonly #options: LogAppendsOptions<Entry>;
  readonly #lanes: Lanes<Json, boolean, Logged>;
  /** Keys in flight that the journal has, though nothing of them is to be seen here: trimmed, but not deleted yet. */
  readonly #stored = new Map<string, number>();

  constructor(options: LogAppendsOptions<Entry>) {
    this.#options = options;
    const { journal, epoch, loaded, nodeOf, applied } = options;
    this.#lanes = new Lanes<Json, boolean, Logged>({
      epoch,
      loaded,
      sequenceOf: (key) => nodeOf(key)?.sequence ?? this.#stored.get(key) ?? 0,
      holds: (key, body) => this.#holds(key, body),
      forget: () => undefined,
      fold: (key, bodies) => this.#fold(key, bodies),
      append: (append) => this.#store(append),
      head: () => journal.head(),
      applied,
      result: (_, duplicate, sequence) => ({ sequence, duplicate }),
    });
  }

  async append(key: string, body: Json): Promise<Logged> {
    try {
      return await this.#lanes.write(key, body);
    } finally {
      this.#stored.delete(key);
    }
  }

  /** Resolves when none is in flight. */
  idle(): Promise<void> {
    return this.#lanes.idle();
  }

  /** Another order has taken the place of the one that answered. */
  forget(): void {
    this.#stored.clear();
  }

  /** Only the first entry of a key is stored: whatever its newest record is, it makes this one a duplicate. */
  async #store(append: JournalAppend): Promise<JournalAck> {
    const { journal, epoch } = this.#options;
    const asked = epoch();
    try {
      return await journal.append(append);
    } catch (error) {
      if (error instanceof JournalConflict && error.actual > 0 && epoch() === asked)
        this.#stored.set(append.key, error.actual);
      throw error;
    }
  }

  #fold(key: string, bodies: readonly Json[]): Folded<boolean> {
    if (this.#options.nodeOf(key) || this.#stored.has(key))
      return { commit: undefined, outcomes: bodies.map(() => ({ value: true })) };
    return { commit: bodies[0], outcomes: bodies.map((_, index) => ({ value: index > 0 })) };
  }

  /** Whether the entry is what this body became: the moment of its commit and what it says. */
  #holds(key: string, body: Json): boolean {
    const node = this.#options.nodeOf(key);
    const item = this.#options.itemOf(key, body);
    return (
      node !== undefined &&
      item !== undefined &&
      node.at === item.at &&
      JSON.stringify(node.entry) === JSON.stringify(item.entry)
    );
  }
}
