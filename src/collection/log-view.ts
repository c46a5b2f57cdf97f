/**
 * What one set of targets shows of a log: the union of some lists, one copy of each entry, and the floor below which
 * something of it may be gone. While it is watched it sees every entry come and go, so its floor is exact: what is
 * trimmed beside it, or was trimmed after everybody had seen it, is no gap.
 */
import type { FloorName, LogFloor, LogFloors } from "./log-floors.ts";
import type { LogList } from "./log-list.ts";
import { type LogNode, type LogQuery, type LogTarget, listOf } from "./log-node.ts";

/** What a view looks at. */
interface Contents<Entry> {
  readonly tag: string;
  readonly floors: LogFloors;
  list(name: string): LogList<Entry> | undefined;
  oldestOf(scope: string | null): number | undefined;
}

export class LogView<Entry> {
  readonly name: string;
  readonly query: LogQuery;
  readonly #log: Contents<Entry>;
  /** Counts the entries that came. */
  changes = 0;
  latest = 0;
  floor = 0;
  sure = 0;

  constructor(name: string, query: LogQuery, log: Contents<Entry>) {
    this.name = name;
    this.query = query;
    this.#log = log;
    this.load();
  }

  get tag(): string {
    return this.#log.tag;
  }

  /** Begins over what the log holds now. */
  load(): void {
    this.changes += 1;
    this.latest = this.#newestBelow(Number.POSITIVE_INFINITY)?.sequence ?? 0;
    const { floor, sure } = this.#floors();
    this.floor = floor;
    this.sure = sure;
  }

  /** An entry has come that one of the lists holds. @returns whether the view shows it */
  came(node: LogNode<Entry>): boolean {
    if (node.sequence <= this.latest || !this.matches(node)) return false;
    this.latest = node.sequence;
    this.changes += 1;
    return true;
  }

  /** An entry that was here has been trimmed. @returns whether the view showed it */
  lost(node: LogNode<Entry>): boolean {
    if (!this.matches(node)) return false;
    this.changes += 1;
    this.floor = Math.max(this.floor, node.sequence);
    this.sure = Math.max(this.sure, node.sequence);
    return true;
  }

  /** A floor rose over entries that were perhaps never here. */
  missed({ scope, type }: FloorName, floor: number): void {
    const { types, targets } = this.query;
    if (types && !types.has(type)) return;
    for (const target of targets) {
      const isSure = target.of === "all" || (target.of === "scope" && target.scope === scope);
      const isPossible = target.of === "topic" && (target.scope === undefined || target.scope === scope);
      if (isSure) this.sure = Math.max(this.sure, floor);
      if (isSure || isPossible) this.floor = Math.max(this.floor, floor);
    }
  }

  /** The log began again in the same order. @param absentRose - The floor of absent scopes says less than theirs did. */
  again(absentRose: boolean): void {
    const { floor, sure, latest } = this;
    this.load();
    this.latest = Math.max(this.latest, latest);
    this.floor = absentRose ? Math.max(this.floor, floor) : floor;
    this.sure = sure;
  }

  matches(node: LogNode<Entry>): boolean {
    const { types, targets } = this.query;
    if (types && !types.has(node.type)) return false;
    return targets.some((target) => {
      if (target.of === "topic") return node.topics.includes(target.topic) && isOf(target, node);
      return target.of === "all" || node.scope === target.scope;
    });
  }

  after(sequence: number): LogNode<Entry> | undefined {
    let oldest: LogNode<Entry> | undefined;
    for (const target of this.query.targets) {
      const node = this.#log.list(listOf(target))?.after(sequence, this.#fits(target));
      if (node && (!oldest || node.sequence < oldest.sequence)) oldest = node;
    }
    return oldest;
  }

  countAfter(sequence: number): number {
    let count = 0;
    for (let node = this.after(sequence); node; node = this.after(node.sequence)) count += 1;
    return count;
  }

  /** The newest so many, oldest first. */
  newest(limit: number): readonly LogNode<Entry>[] {
    const nodes: LogNode<Entry>[] = [];
    let below = Number.POSITIVE_INFINITY;
    while (nodes.length < limit) {
      const node = this.#newestBelow(below);
      if (!node) break;
      nodes.push(node);
      below = node.sequence;
    }
    return nodes.reverse();
  }

  #newestBelow(sequence: number): LogNode<Entry> | undefined {
    let newest: LogNode<Entry> | undefined;
    for (const target of this.query.targets) {
      const node = this.#log.list(listOf(target))?.before(sequence, this.#fits(target));
      if (node && (!newest || node.sequence > newest.sequence)) newest = node;
    }
    return newest;
  }

  #fits(target: LogTarget): (node: LogNode<Entry>) => boolean {
    const { types } = this.query;
    return (node) => (!types || types.has(node.type)) && isOf(target, node);
  }

  #floors(): LogFloor {
    const { floors } = this.#log;
    const { types } = this.query;
    let floor = 0;
    let sure = 0;
    for (const target of this.query.targets) {
      const scope = target.of === "all" ? undefined : target.scope;
      const found =
        scope === undefined ? floors.ofAll(types) : floors.ofScope(scope, this.#log.oldestOf(scope), types);
      floor = Math.max(floor, found.floor);
      if (target.of !== "topic") sure = Math.max(sure, found.sure);
    }
    return { floor, sure };
  }
}

function isOf(target: LogTarget, node: LogNode<unknown>): boolean {
  return target.of !== "topic" || target.scope === undefined || node.scope === target.scope;
}
