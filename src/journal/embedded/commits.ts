/**
 * Group commit: what arrives while one commit is under way is the next one. Told and answered only after the commit, so
 * nobody knows of anything that a crash could take back. Following happens between two commits: its backlog is what is
 * committed, and no record falls between the backlog and what comes after it.
 */
import { type JournalSink, JournalUnavailable } from "../journal.ts";
import type { CollectionState, Contents } from "./contents.ts";
import { Draft } from "./draft.ts";
import { hasRoom, type Outage, outageOf } from "./outage.ts";
import type { Store } from "./store.ts";

/** One part of a commit. */
export interface Operation {
  /** Bytes that it waits with, roughly. */
  readonly size: number;
  /** How many rows it touches, roughly. */
  readonly weight: number;
  /** Adds itself. @returns the answer, given when the commit is done */
  judge(draft: Draft): () => void;
  reject(error: unknown): void;
}

type Waiting = Operation | { readonly between: () => void };

export interface CommitsOptions {
  readonly store: Store;
  readonly contents: Contents;
  readonly file: string;
  readonly now: () => number;
  /** How often a disk that was full is looked at, in milliseconds. */
  readonly probeEveryMs: number;
  readonly onOutage: (outage: Outage | undefined) => void;
}

/** Of one commit. */
const MOST_OPERATIONS = 2_048;
const MOST_BYTES = 8 * 1024 * 1024;
/** Of all that wait. */
const MOST_WAITING = 65_536;
const MOST_BYTES_WAITING = 64 * 1024 * 1024;

export class Commits {
  readonly #options: CommitsOptions;
  #waiting: Waiting[] = [];
  #bytesWaiting = 0;
  #running: Promise<void> | undefined;
  #outage: Outage | undefined;
  #probe: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: CommitsOptions) {
    this.#options = options;
  }

  get outage(): Outage | undefined {
    return this.#outage;
  }

  add(operation: Operation): void {
    const refused = this.#refusal(operation.size);
    if (refused !== undefined) {
      operation.reject(new JournalUnavailable(refused, { inDoubt: false }));
      return;
    }
    this.#bytesWaiting += operation.size;
    this.#waiting.push(operation);
    this.#start();
  }

  /** Runs when no commit is under way, in the order of the calls. */
  between(run: () => void): void {
    this.#waiting.push({ between: run });
    this.#start();
  }

  /** Takes nothing more; resolves when everything that was taken is answered. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#probe);
    while (this.#running) await this.#running;
  }

  #refusal(size: number): string | undefined {
    if (this.#closed) return "the journal is closed";
    if (this.#outage) return this.#outage.reason;
    if (this.#waiting.length >= MOST_WAITING || this.#bytesWaiting + size > MOST_BYTES_WAITING)
      return "too many writes wait for the disk";
    return undefined;
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0) this.#start(); // added after the loop saw that nothing waits
    });
  }

  async #run(): Promise<void> {
    await Promise.resolve(); // what is added in this turn is one commit
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if ("between" in next) {
        this.#waiting.shift();
        next.between();
      } else await this.#commit(this.#take());
    }
  }

  /** As much as one commit may hold, and no more than stands before the next one who wants to be between. */
  #take(): Operation[] {
    const taken: Operation[] = [];
    let [bytes, weight] = [0, 0];
    for (const next of this.#waiting) {
      if ("between" in next) break;
      if (taken.length > 0 && (weight + next.weight > MOST_OPERATIONS || bytes + next.size > MOST_BYTES))
        break;
      taken.push(next);
      weight += next.weight;
      bytes += next.size;
    }
    this.#waiting.splice(0, taken.length);
    this.#bytesWaiting -= bytes;
    return taken;
  }

  async #commit(operations: readonly Operation[]): Promise<void> {
    const { store, contents, file, now } = this.#options;
    const draft = new Draft(store, contents);
    let answers: readonly (() => void)[];
    let bytes = 0;
    try {
      answers = operations.map((operation) => operation.judge(draft));
      const writes = draft.writes(now());
      for (const row of writes.values()) bytes += row?.length ?? 0;
      if (writes.size > 0) await store.commit(writes);
    } catch (error) {
      this.#fail(operations, draft, outageOf(error, file, bytes));
      return;
    }
    for (const { collection, give } of draft.apply()) tell(collection, give);
    for (const answer of answers) answer();
  }

  #fail(operations: readonly Operation[], draft: Draft, outage: Outage): void {
    const isStored = isStoredAfterAll(draft);
    this.#begin(isStored ? { ...outage, passes: false } : outage);
    const { reason } = outage;
    const refused = this.#waiting.filter((next): next is Operation => !("between" in next));
    this.#waiting = this.#waiting.filter((next) => "between" in next);
    this.#bytesWaiting = 0;
    // After a failure that does not pass, the disk may show the commit again at the next start.
    const inDoubt = isStored || !outage.passes;
    for (const operation of operations) operation.reject(new JournalUnavailable(reason, { inDoubt }));
    for (const operation of refused) operation.reject(new JournalUnavailable(reason, { inDoubt: false }));
  }

  #begin(outage: Outage): void {
    this.#outage = outage;
    this.#options.onOutage(outage);
    if (outage.passes) this.#lookAgain();
  }

  #lookAgain(): void {
    if (this.#closed) return;
    this.#probe = setTimeout(() => {
      if (this.#closed) return;
      if (!hasRoom(this.#options.file)) return this.#lookAgain();
      this.#outage = undefined;
      this.#options.onOutage(undefined);
    }, this.#options.probeEveryMs);
    this.#probe.unref();
  }
}

function isStoredAfterAll(draft: Draft): boolean {
  try {
    return draft.isStored();
  } catch {
    return true;
  }
}

/** One that is stopped by what another one was given is given nothing more. */
function tell({ sinks }: CollectionState, give: (sink: JournalSink) => void): void {
  for (const sink of [...sinks]) if (sinks.has(sink)) give(sink);
}
