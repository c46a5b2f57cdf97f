/**
 * An ordered log: what happened, each entry once and never changed. It stands on the same order as a collection; what is
 * different is that every entry counts. Nothing gives way to a newer one, the oldest are trimmed, and a cursor below the
 * floor may have missed something.
 *
 * Need: a log must forget, and nobody may take what was forgotten for silence. Obvious answer: one floor for the log.
 * It fails where scopes differ: a busy project would shut out the cursors of a quiet one. So floors stand per scope and
 * type, durably before anything is deleted; entries leave the memory of every node when the floor says so.
 */
import type {
  Journal,
  JournalFollower,
  JournalLog,
  JournalRecord,
  JournalSink,
  Json,
} from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { OrderReplaced } from "./lane.ts";
import { LogAppends, type Logged } from "./log-appends.ts";
import { type KnownFloors, LogContents } from "./log-contents.ts";
import { floorName, readFloorName } from "./log-floors.ts";
import type { LogItem, LogNode, LogQuery } from "./log-node.ts";
import { type LogLimits, trimmable } from "./log-trimming.ts";
import type { LogView } from "./log-view.ts";
import { settledWithin } from "./settled-within.ts";
import { positionTag } from "./tag.ts";
import { Waiters } from "./waiters.ts";

/** Floors of scopes that hold nothing are forgotten above this. */
const MAX_FLOORS = 10_000;
/** A log grows so far above its limits before it is trimmed at once; a timer trims the rest. */
const SLACK = 1.1;
const DROP_AT_ONCE = 1_000;
/** How long closing waits for writes in flight: a follower that fell silent must not keep the process. */
const CLOSE_WAIT_MS = 5_000;

export interface LogOptions<Entry> {
  readonly name: string;
  readonly journal: Journal;
  /** The version of what entries look like: another one is another view, and its positions are foreign. */
  readonly revision: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly limits: LogLimits;
  /** How many floors have a name, before those of empty scopes are folded into one. @defaultValue 10_000 */
  readonly maxFloors?: number;
  /** `undefined` for a body of an unknown shape, which is skipped and reported. */
  readonly itemOf: (key: string, body: Json) => LogItem<Entry> | undefined;
  /** What a view is a view of: read from its name. */
  readonly queryOf: (view: string) => LogQuery;
  /** Told after the entry was applied, one after the other, with the names of the watched views that show it. */
  readonly tell: (node: LogNode<Entry>, views: readonly string[]) => void;
  /** Views have something to say that is no entry: their floors rose, or the order was replaced. */
  readonly tellFloors: (views: readonly string[]) => void;
  readonly tellStatus: (fresh: boolean, reason: string | undefined) => void;
}

interface Told<Entry> {
  readonly node: LogNode<Entry>;
  readonly views: readonly string[];
}

export class OrderedLog<Entry> {
  readonly #options: LogOptions<Entry>;
  readonly #journal: JournalLog;
  readonly #appends: LogAppends<Entry>;
  readonly #contents: LogContents<Entry>;
  /** Floors above what has been applied here: they count when it has. */
  readonly #floorsAhead = new Map<string, number>();
  /** Records at or below their floor that are still in the journal. */
  #owed: { readonly key: string; readonly sequence: number }[] = [];
  readonly #waiters = new Waiters();
  readonly #toTell: Told<Entry>[] = [];
  #telling = false;
  #follower: JournalFollower | undefined;
  #epoch = "";
  #lives = 0;
  #applied = 0;
  #loading = true;
  #floorsBefore: KnownFloors | undefined;
  #trimming: Promise<void> | undefined;

  constructor(options: LogOptions<Entry>) {
    this.#options = options;
    this.#contents = new LogContents(options.queryOf);
    this.#journal = options.journal.log(options.name);
    this.#appends = new LogAppends<Entry>({
      journal: this.#journal,
      epoch: () => this.#epoch,
      loaded: () => this.loaded,
      nodeOf: (key) => this.#contents.get(key),
      itemOf: options.itemOf,
      applied: (sequence) => this.applied(sequence),
    });
  }

  async open(): Promise<void> {
    this.#follower = await this.#journal.follow(this.#sink());
  }

  /** Waits for the writes in flight, 5 s at most, then stops to follow. */
  async close(): Promise<void> {
    const trimmed = this.#trimming?.catch(() => undefined);
    await settledWithin(CLOSE_WAIT_MS, Promise.all([this.#appends.idle(), trimmed]));
    this.#follower?.stop();
    this.#follower = undefined;
    this.#waiters.close(new SnapwireError("unavailable", "the log has been closed"));
  }

  get loaded(): boolean {
    return !this.#loading;
  }

  /** The highest sequence known to be applied or void. */
  get head(): number {
    return this.#applied;
  }

  /** How many entries are retained. */
  get size(): number {
    return this.#contents.size;
  }

  /** About what they take. */
  get bytes(): number {
    return this.#contents.bytes;
  }

  /** Views that somebody watches. */
  get views(): number {
    return this.#contents.views;
  }

  /** Lists that hold something. */
  get lists(): number {
    return this.#contents.lists;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /** One order, one tag: a position holds for every view. */
  tagOf(_view?: string): string {
    return this.#contents.tag;
  }

  floorOf(view: string): number {
    return this.view(view).floor;
  }

  authoritativeHead(): Promise<number> {
    return this.#journal.head();
  }

  /** Resolves when this node has applied `sequence`. */
  async applied(sequence: number, signal?: AbortSignal): Promise<void> {
    if (this.#applied < sequence || this.#loading) await this.#waiters.wait(sequence, signal);
  }

  /** Stores an entry once per key; answers when it has been applied here. */
  append(key: string, body: Json): Promise<Logged> {
    return this.#appends.append(key, body);
  }

  get(key: string): LogNode<Entry> | undefined {
    return this.#contents.get(key);
  }

  /** The view as it is watched, or one for this look. */
  view(name: string): LogView<Entry> {
    return this.#contents.view(name);
  }

  watched(name: string): void {
    this.#contents.watch(name);
  }

  unwatched(name: string): void {
    this.#contents.unwatch(name);
  }

  /** Trims what is too much: first the floors, durably, then the data. */
  trim(): Promise<void> {
    this.#trimming ??= this.#trim().finally(() => {
      this.#trimming = undefined;
    });
    return this.#trimming;
  }

  async #trim(): Promise<void> {
    const { limits, now } = this.#options;
    const life = this.#lives;
    const replaced = (): boolean => this.#lives !== life;
    const { all, bytes } = this.#contents;
    const trimmed = trimmable(all, this.#contents.scopeLists(), bytes, limits, now() - limits.forMs);
    const floors = new Map<string, number>();
    for (const node of trimmed) floors.set(floorName(node), node.sequence);
    for (const [name, floor] of floors) {
      await this.#journal.raiseFloor(name, floor);
      if (replaced()) return;
    }
    for (const { key, sequence } of trimmed) this.#owed.push({ key, sequence });
    while (this.#owed.length > 0) {
      const records = this.#owed.slice(0, DROP_AT_ONCE);
      await this.#journal.dropRecords(records);
      if (replaced()) return;
      this.#owed.splice(0, records.length);
    }
    await this.#foldFloors(replaced);
  }

  /** Forgets the floors of scopes that hold nothing, when there are too many. */
  async #foldFloors(replaced: () => boolean): Promise<void> {
    const { floors } = this.#contents;
    if (floors.size <= (this.#options.maxFloors ?? MAX_FLOORS)) return;
    const empty = floors.scopes().filter((scope) => !this.#contents.holds(scope));
    let absent = 0;
    for (const scope of empty) absent = Math.max(absent, ...floors.typesOf(scope).values());
    if (absent > 0) await this.#journal.raiseFloor(null, absent);
    for (const scope of empty) {
      for (const type of [...floors.typesOf(scope).keys()]) {
        if (replaced()) return;
        await this.#journal.dropFloor(floorName({ scope, type }));
      }
      if (replaced()) return;
      if (floors.absent >= Math.max(0, ...floors.typesOf(scope).values())) floors.forget(scope);
    }
  }

  #sink(): JournalSink {
    return {
      reset: (epoch) => this.#reset(epoch),
      record: (record) => this.#apply(record),
      floor: (name, floor) => this.#floor(name, floor),
      advance: (sequence) => this.#advance(sequence),
      status: (fresh, reason) => this.#options.tellStatus(fresh, reason),
    };
  }

  #reset(epoch: string): void {
    const { logger, name, revision } = this.#options;
    const replaced = this.#epoch !== "" && this.#epoch !== epoch;
    if (replaced) this.#floorsBefore = undefined;
    else if (!this.#loading) this.#floorsBefore = this.#contents.known();
    this.#epoch = epoch;
    this.#lives += 1;
    this.#contents.clear(positionTag(epoch, revision, name, ""));
    this.#floorsAhead.clear();
    this.#owed = [];
    this.#toTell.length = 0;
    this.#applied = 0;
    this.#loading = true;
    if (!replaced) return; // who waits for a sequence of this order still gets it
    this.#appends.forget();
    this.#waiters.rejectAll(new OrderReplaced("the order was replaced"));
    logger.warn({ log: name }, "the order was replaced: a new epoch begins");
  }

  #advance(sequence: number): void {
    if (sequence > this.#applied) this.#applied = sequence;
    if (this.#loading) this.#load();
    else this.#reachFloors();
    this.#waiters.reach(this.#applied);
  }

  /** The backlog is in. A floor above its head was meant for another order. */
  #load(): void {
    const { floors } = this.#contents;
    this.#loading = false;
    floors.absent = Math.min(floors.absent, this.#applied);
    for (const [name, told] of this.#floorsAhead) {
      const read = readFloorName(name);
      if (!read) continue;
      const floor = Math.min(told, this.#applied);
      floors.raise(read, floor);
      for (const { key, sequence } of this.#contents.drop(read, floor)) this.#owed.push({ key, sequence });
    }
    this.#floorsAhead.clear();
    this.#contents.load(this.#floorsBefore);
    this.#floorsBefore = undefined;
    this.#options.tellFloors(this.#contents.viewNames());
  }

  #floor(name: string | null, floor: number): void {
    const { floors } = this.#contents;
    if (name === null) {
      floors.absent = Math.max(floors.absent, this.#loading ? floor : Math.min(floor, this.#applied));
      return;
    }
    const read = readFloorName(name);
    if (!read) {
      this.#options.logger.error({ floor: name }, "a floor of an unknown name was skipped");
      return;
    }
    if (this.#loading || floor > this.#applied) {
      this.#floorsAhead.set(name, Math.max(floor, this.#floorsAhead.get(name) ?? 0));
      return;
    }
    if (!floors.raise(read, floor)) return;
    const changed = this.#contents.lost(this.#contents.drop(read, floor));
    if (changed.length > 0) this.#options.tellFloors(changed);
  }

  /** Floors that were told before this node had come so far: some of what they cover may never have been here. */
  #reachFloors(): void {
    if (this.#floorsAhead.size === 0) return;
    for (const [name, floor] of [...this.#floorsAhead]) {
      const read = readFloorName(name);
      if (!read || floor > this.#applied) continue;
      this.#floorsAhead.delete(name);
      if (!this.#contents.floors.raise(read, floor)) continue;
      this.#contents.drop(read, floor);
      this.#contents.missed(read, floor);
      this.#options.tellFloors(this.#contents.viewNames());
    }
  }

  #apply({ sequence, key, body }: JournalRecord): void {
    if (sequence <= this.#applied && !this.#loading) return;
    this.#applied = Math.max(sequence, this.#applied);
    const item = this.#itemOf(key, sequence, body);
    if (item) {
      const node: LogNode<Entry> = { ...item, key, sequence, told: undefined, gone: false };
      this.#contents.add(node);
      if (!this.#loading) this.#tell({ node, views: this.#contents.show(node) });
      if (!this.#loading) this.#trimSoon(node);
    }
    if (!this.#loading) this.#reachFloors();
  }

  #itemOf(key: string, sequence: number, body: Json): LogItem<Entry> | undefined {
    const { logger, itemOf } = this.#options;
    let cause: unknown;
    try {
      const item = itemOf(key, body);
      if (item) return item;
    } catch (error) {
      cause = error;
    }
    logger.error(
      { key, sequence, error: cause },
      "a record of an unknown shape was skipped: a newer version wrote it?",
    );
    return undefined;
  }

  #trimSoon({ scope }: LogNode<Entry>): void {
    const { limits, logger, name } = this.#options;
    if (
      this.#contents.countOf(scope) <= limits.perScope * SLACK &&
      this.size <= limits.inAll * SLACK &&
      this.bytes <= limits.bytesInAll * SLACK
    )
      return;
    this.trim().catch((error: unknown) => logger.error({ log: name, error }, "the log was not trimmed"));
  }

  /** Telling is one queue: what is committed while something is told is told after it. */
  #tell(told: Told<Entry>): void {
    this.#toTell.push(told);
    if (this.#telling) return;
    this.#telling = true;
    try {
      for (let next = this.#toTell.shift(); next; next = this.#toTell.shift())
        this.#options.tell(next.node, next.views);
    } finally {
      this.#telling = false;
    }
  }
}
