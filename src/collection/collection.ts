/**
 * collection: what is true, in order. See README.md of this room.
 */
import type { Journal, JournalFollower, JournalLog, JournalRecord, JournalSink } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { formatPosition } from "../protocol/position.ts";
import { type Folded, Lanes, OrderReplaced } from "./lane.ts";
import type { CollectionModel } from "./model.ts";
import {
  type CollectionRecord,
  departuresAfter,
  fromBody,
  holdsBody,
  toBody,
  visibleScope,
} from "./record.ts";
import { Riding } from "./riding.ts";
import type { ScopeView } from "./scope-view.ts";
import { Scopes } from "./scopes.ts";
import { settledWithin } from "./settled-within.ts";
import { Settling } from "./settling.ts";
import { positionTag } from "./tag.ts";
import { Waiters } from "./waiters.ts";

const TOMBSTONES_FOR_MS = 3_600_000;
const TOMBSTONES_PER_SCOPE = 10_000;
/** How long closing waits for writes in flight: a follower that fell silent must not keep the process. */
const CLOSE_WAIT_MS = 5_000;

/** What was committed, told after it was applied, one after the other. */
export interface Told<Entry> {
  readonly key: string;
  readonly sequence: number;
  /** Where the record can be seen now. */
  readonly shown: { readonly scope: string; readonly entry: Entry } | undefined;
  /** The scopes in which it has become a tombstone. */
  readonly gone: readonly string[];
}

export interface CollectionOptions<Op, State, Entry, Outcome> {
  readonly name: string;
  readonly journal: Journal;
  /** The model's version: a new derivation is a new view, and its positions are foreign to the old one's. */
  readonly revision: string;
  readonly model: CollectionModel<Op, State, Entry, Outcome>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly tell: (told: Told<Entry>) => void;
  /** The order was replaced, and what follows from here is the new one. */
  readonly tellReset: () => void;
  readonly tellStatus: (fresh: boolean, reason: string | undefined) => void;
  /** Tombstones are kept this long, in milliseconds. @defaultValue 3_600_000 */
  readonly tombstonesForMs?: number;
  /** Tombstones kept per scope. @defaultValue 10_000 */
  readonly tombstonesPerScope?: number;
}

/** What a write came to. */
export interface Written<Outcome> {
  readonly outcome: Outcome;
  /** The sequence of the commit that holds the key's present value; 0 = it has none. */
  readonly sequence: number;
  /** Where a reader stands that has seen it; null when the key was never in a scope. */
  readonly position: string | null;
}

export class Collection<Op, State, Entry, Outcome> {
  readonly #options: CollectionOptions<Op, State, Entry, Outcome>;
  readonly #log: JournalLog;
  readonly #lanes: Lanes<Op, Outcome, Written<Outcome>>;
  readonly #records = new Map<string, CollectionRecord<State>>();
  readonly #riding: Riding<State>;
  readonly #settling: Settling;
  /** Keys whose newest record cannot be read here: nothing is written over it. */
  readonly #unreadable = new Set<string>();
  readonly #scopes: Scopes<Entry>;
  readonly #waiters = new Waiters();
  readonly #toTell: Told<Entry>[] = [];
  #telling = false;
  #follower: JournalFollower | undefined;
  #epoch = "";
  /** How often following began: what was begun before that looks at lists that are no more. */
  #lives = 0;
  #applied = 0;
  #loading = true;
  #pruning: Promise<void> | undefined;

  constructor(options: CollectionOptions<Op, State, Entry, Outcome>) {
    this.#options = options;
    this.#riding = new Riding(options.model.carry);
    this.#scopes = new Scopes((scope) =>
      positionTag(this.#epoch, this.#options.revision, this.#options.name, scope),
    );
    this.#log = options.journal.log(options.name);
    this.#settling = new Settling({
      settle: (key) => this.#lanes.settle(key),
      onFailed: (key, error) =>
        options.logger.warn(
          { collection: options.name, key, error },
          "a newer observation is not committed yet; it is tried again",
        ),
    });
    this.#lanes = new Lanes({
      epoch: () => this.#epoch,
      loaded: () => this.loaded,
      sequenceOf: (key) => this.#records.get(key)?.sequence ?? 0,
      holds: (key, body) => holdsBody(this.#records.get(key), body),
      forget: (key, sequence) => {
        const record = this.#records.get(key);
        if (record?.scope === null && record.sequence === sequence) this.#forget(key);
      },
      missing: async (key, sequence) => this.#log.missing?.(key, sequence),
      fold: (key, operations) => this.#fold(key, operations),
      append: (append) => this.#log.append(append),
      head: () => this.#log.head(),
      applied: (sequence) => this.applied(sequence),
      result: (key, outcome, sequence) => ({ outcome, sequence, position: this.#positionOf(key, sequence) }),
    });
  }

  async open(): Promise<void> {
    this.#follower = await this.#log.follow(this.#sink());
  }

  /** Waits for the writes in flight, 5 s at most, then stops to follow. */
  async close(): Promise<void> {
    this.#settling.close();
    const pruned = this.#pruning?.catch(() => undefined);
    await settledWithin(CLOSE_WAIT_MS, Promise.all([this.#lanes.idle(), pruned]));
    this.#follower?.stop();
    this.#follower = undefined;
    this.#waiters.close(new SnapwireError("unavailable", "the collection has been closed"));
  }

  /** False until the backlog is in: nothing may be told from a half-loaded view. */
  get loaded(): boolean {
    return !this.#loading;
  }

  /** The highest sequence known to be applied or void. */
  get head(): number {
    return this.#applied;
  }

  /** The highest sequence that any node knows. */
  authoritativeHead(): Promise<number> {
    return this.#log.head();
  }

  /** Resolves when this node has applied `sequence`. */
  async applied(sequence: number, signal?: AbortSignal): Promise<void> {
    if (this.#applied < sequence || this.#loading) await this.#waiters.wait(sequence, signal);
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** Keys with newer stamps that wait for a commit. */
  get riding(): number {
    return this.#riding.size;
  }

  write(key: string, operation: Op): Promise<Written<Outcome>> {
    return this.#lanes.write(key, operation);
  }

  record(key: string): CollectionRecord<State> | undefined {
    return this.#records.get(key);
  }

  records(): IterableIterator<[string, CollectionRecord<State>]> {
    return this.#records.entries();
  }

  view(scope: string): ScopeView<Entry> | undefined {
    return this.#scopes.get(scope);
  }

  views(): IterableIterator<ScopeView<Entry>> {
    return this.#scopes.all();
  }

  tagOf(scope: string): string {
    return this.#scopes.tagOf(scope);
  }

  /** The highest sequence of a pruned tombstone of the scope: a cursor below it cannot be served with deltas. */
  floorOf(scope: string): number {
    return this.#scopes.floorOf(scope);
  }

  /** Prunes the tombstones that are past the resume window: first the floor, durably, then the data. */
  prune(): Promise<void> {
    this.#pruning ??= this.#prune().finally(() => {
      this.#pruning = undefined;
    });
    return this.#pruning;
  }

  async #prune(): Promise<void> {
    const {
      tombstonesForMs = TOMBSTONES_FOR_MS,
      tombstonesPerScope = TOMBSTONES_PER_SCOPE,
      now,
    } = this.#options;
    const before = now() - tombstonesForMs;
    const life = this.#lives;
    // A floor of one order would shut out every cursor of the next: whatever has begun ends where another order begins.
    const replaced = (): boolean => this.#lives !== life;
    for (const view of [...this.#scopes.all()]) {
      const floor = Math.max(view.prunable(tombstonesPerScope, before), view.owedFloor);
      if (floor > 0) await this.#log.raiseFloor(view.scope, floor);
      if (replaced()) return;
    }
    const settled = [...this.#records].filter(
      ([, { scope, left, at }]) =>
        scope === null &&
        (left.length > 0
          ? left.every((departure) => departure.sequence <= this.floorOf(departure.scope))
          : at <= before),
    );
    await this.#log.dropRecords(settled.map(([key, { sequence }]) => ({ key, sequence })));
    if (replaced()) return;
    for (const [key, record] of settled) if (this.#records.get(key) === record) this.#forget(key);
    for (const view of [...this.#scopes.all()]) {
      if (!view.isEmpty || view.floor === 0) continue;
      await this.#log.raiseFloor(null, view.floor);
      if (replaced()) return;
      await this.#log.dropFloor(view.scope);
      if (replaced()) return;
    }
    this.#scopes.dropAbsent();
  }

  #forget(key: string): void {
    this.#records.delete(key);
    this.#riding.moved(key, undefined);
  }

  #fold(key: string, operations: readonly Op[]): Folded<Outcome> {
    if (this.#unreadable.has(key)) {
      throw new SnapwireError(
        "conflict",
        `${key} was last written in a shape that this version cannot read; update this node.`,
      );
    }
    const base = this.#records.get(key);
    const from = this.#riding.over(key, base);
    const { next, changed, outcomes } = this.#options.model.fold(key, from, operations, base);
    if (!next || !changed) {
      if (next && base && next !== from) this.#riding.put(key, base.sequence, next);
      return { commit: undefined, outcomes };
    }
    const at = this.#options.now();
    const left = departuresAfter(base, next, at, (scope) => this.floorOf(scope));
    return {
      commit: toBody({ scope: next.scope, hidden: next.hidden, state: next.state, left, at }),
      outcomes,
    };
  }

  #sink(): JournalSink {
    return {
      reset: (epoch) => this.#reset(epoch),
      record: (record) => this.#apply(record),
      floor: (scope, floor) => this.#scopes.raise(scope, floor, this.#applied),
      advance: (sequence) => this.#advance(sequence),
      status: (fresh, reason) => this.#options.tellStatus(fresh, reason),
    };
  }

  #reset(epoch: string): void {
    const replaced = this.#epoch !== "" && this.#epoch !== epoch;
    this.#epoch = epoch;
    this.#lives += 1;
    this.#records.clear();
    this.#unreadable.clear();
    this.#scopes.reset();
    this.#toTell.length = 0;
    this.#applied = 0;
    this.#loading = true;
    if (!replaced) return; // who waits for a sequence of this order still gets it, and what rides still rides
    this.#riding.clear();
    this.#waiters.rejectAll(new OrderReplaced("the order was replaced"));
    const { logger, name } = this.#options;
    logger.warn({ collection: name }, "the order was replaced: a new epoch begins");
  }

  #advance(sequence: number): void {
    if (sequence > this.#applied) this.#applied = sequence;
    if (this.#loading) {
      this.#loading = false;
      this.#scopes.load(this.#applied);
      const differing = this.#riding.rebase((key) => this.#records.get(key));
      this.#options.tellReset();
      for (const key of differing) void this.#settling.settle(key);
    }
    this.#waiters.reach(this.#applied);
  }

  #apply({ sequence, key, body }: JournalRecord): void {
    if (sequence <= this.#applied && !this.#loading) return;
    this.#applied = Math.max(sequence, this.#applied);
    const record = fromBody<State>(sequence, body);
    const seenIn = visibleScope(record);
    const entry = record && seenIn !== null ? this.#entryOf(key, record) : null;
    if (!record || entry === undefined) {
      this.#unreadable.add(key);
      this.#options.logger.error(
        { key, sequence },
        "a record of an unknown shape was skipped: a newer version wrote it?",
      );
      return;
    }
    const seenBefore = visibleScope(this.#records.get(key));
    this.#records.set(key, record);
    if (!this.#loading && this.#riding.moved(key, record)) void this.#settling.settle(key);
    this.#unreadable.delete(key);

    const gone: string[] = [];
    for (const departure of record.left) {
      // Live, an earlier departure was seen when it happened; if it was not (that record could not be read here), cursors
      // have passed it, and it is told now.
      const shownAt = this.#loading ? departure.sequence : sequence;
      if (this.#bury(departure.scope, key, departure, shownAt)) gone.push(departure.scope);
    }
    if (seenBefore !== null && seenBefore !== seenIn && this.#scopes.get(seenBefore)?.node(key)?.entry) {
      if (this.#bury(seenBefore, key, record, sequence)) gone.push(seenBefore);
    }
    let shown: Told<Entry>["shown"];
    if (seenIn !== null && entry !== null) {
      this.#scopes.of(seenIn).put(key, sequence, entry);
      shown = { scope: seenIn, entry };
    }
    if (!this.#loading && (shown || gone.length > 0)) this.#tell({ key, sequence, shown, gone });
  }

  /** The entry of a visible record; `undefined` when the model cannot make one of such a state. */
  #entryOf(key: string, { state, sequence, at }: CollectionRecord<State>): Entry | undefined {
    try {
      return this.#options.model.entryOf(key, state, sequence, at);
    } catch (error) {
      this.#options.logger.error({ key, sequence, error }, "no entry can be made of a record");
      return undefined;
    }
  }

  #bury(
    scope: string,
    key: string,
    { sequence, at }: { readonly sequence: number; readonly at: number },
    shownAt: number,
  ): boolean {
    const view = this.#scopes.of(scope);
    const buried = view.bury(key, sequence, at, shownAt);
    if (this.#loading) return buried;
    const { tombstonesPerScope = TOMBSTONES_PER_SCOPE, logger, name } = this.#options;
    if (view.tombstoneCount > tombstonesPerScope * 1.1) {
      this.prune().catch((error: unknown) =>
        logger.error({ collection: name, error }, "tombstones were not pruned"),
      );
    }
    return buried;
  }

  /** Telling is one queue: what is committed while something is told is told after it. */
  #tell(told: Told<Entry>): void {
    this.#toTell.push(told);
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let next = this.#toTell.shift(); next; next = this.#toTell.shift()) this.#options.tell(next);
    } finally {
      this.#telling = false;
    }
  }

  #positionOf(key: string, sequence: number): string | null {
    const record = this.#records.get(key);
    if (!record) return null;
    const scope = record.scope ?? record.left.at(-1)?.scope;
    return scope === undefined ? null : formatPosition(this.tagOf(scope), sequence);
  }
}
