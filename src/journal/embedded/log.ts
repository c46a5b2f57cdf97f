/** One collection's order in a data file. */
import {
  type JournalAck,
  type JournalAppend,
  JournalConflict,
  type JournalFollower,
  type JournalLog,
  type JournalSink,
  JournalUnavailable,
} from "../journal.ts";
import type { Commits } from "./commits.ts";
import type { CollectionState } from "./contents.ts";
import type { Draft } from "./draft.ts";
import { KIND, prefixOf, unsealJson } from "./rows.ts";
import type { Store } from "./store.ts";

/** What a log stands on while the journal is open. */
export interface Opened {
  readonly epoch: string;
  readonly store: Store;
  readonly commits: Commits;
  collection(name: string): CollectionState;
}

/** Records of one call that are deleted in one commit; others are let in between. */
const DROPPED_AT_ONCE = 1_000;

export class EmbeddedLog implements JournalLog {
  readonly #name: string;
  readonly #opened: () => Opened | undefined;

  constructor(name: string, opened: () => Opened | undefined) {
    this.#name = name;
    this.#opened = opened;
  }

  async follow(sink: JournalSink): Promise<JournalFollower> {
    const { commits, collection, epoch, store } = this.#open();
    const state = collection(this.#name);
    await new Promise<void>((resolve, reject) => {
      commits.between(() => {
        try {
          giveBacklog(sink, { epoch, store, state });
          state.sinks.add(sink);
          if (commits.outage) sink.status(false, commits.outage.reason);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    return { stop: () => void state.sinks.delete(sink) };
  }

  async append(append: JournalAppend): Promise<JournalAck> {
    const content = Buffer.from(JSON.stringify([append.key, append.body]));
    return this.#add(content.length, 1, (draft, state) => draft.append(state, append, content));
  }

  async head(): Promise<number> {
    return this.#open().collection(this.#name).head;
  }

  raiseFloor(scope: string | null, floor: number): Promise<void> {
    return this.#add(0, 1, (draft, state) => draft.raiseFloor(state, scope, floor));
  }

  dropFloor(scope: string): Promise<void> {
    return this.#add(0, 1, (draft, state) => draft.dropFloor(state, scope));
  }

  async dropRecords(
    records: ReadonlyArray<{ readonly key: string; readonly sequence: number }>,
  ): Promise<void> {
    for (let from = 0; from < records.length; from += DROPPED_AT_ONCE) {
      const some = records.slice(from, from + DROPPED_AT_ONCE);
      await this.#add(0, some.length, (draft, state) => {
        for (const { key, sequence } of some) draft.dropRecord(state, key, sequence);
      });
    }
  }

  #open(): Opened {
    const opened = this.#opened();
    if (!opened) throw new JournalUnavailable("the journal is closed", { inDoubt: false });
    return opened;
  }

  /** Makes it a part of the next commit. */
  async #add<Answer>(
    size: number,
    weight: number,
    judge: (draft: Draft, state: CollectionState) => Answer,
  ): Promise<Answer> {
    const { commits, collection } = this.#open();
    const state = collection(this.#name);
    return new Promise((resolve, reject) => {
      commits.add({
        size,
        weight,
        judge: (draft) => {
          try {
            const answer = judge(draft, state);
            return () => resolve(answer);
          } catch (error) {
            if (!(error instanceof JournalConflict)) throw error;
            return () => reject(error); // with what it lost to, which may be in this very commit
          }
        },
        reject,
      });
    });
  }
}

/** In one turn: what is read in several would keep pages that could be used again. */
function giveBacklog(
  sink: JournalSink,
  { epoch, store, state }: Pick<Opened, "epoch" | "store"> & { readonly state: CollectionState },
): void {
  sink.reset(epoch);
  for (const [scope, floor] of state.floors) sink.floor(scope, floor);
  for (const row of store.range(prefixOf(KIND.record, state.number))) {
    const [key, body] = unsealJson(row) as [string, JournalAppend["body"]];
    sink.record({ sequence: Number(row.key.readBigUInt64BE(3)), key, body });
  }
  sink.advance(state.head);
}
