/** What a log holds in memory: its entries in lists, its floors, and the views that somebody watches. */
import { type FloorName, floorName, LogFloors, readFloorName } from "./log-floors.ts";
import { LogList } from "./log-list.ts";
import { ALL_LIST, type LogNode, type LogQuery, listOf, listsOf, scopeList } from "./log-node.ts";
import { LogView } from "./log-view.ts";

/** The floors as they were before the log began again. */
export interface KnownFloors {
  readonly own: ReadonlyMap<string, number>;
  readonly absent: number;
}

export class LogContents<Entry> {
  /** Of every position. */
  tag = "";
  readonly floors = new LogFloors();
  readonly #queryOf: (view: string) => LogQuery;
  readonly #nodes = new Map<string, LogNode<Entry>>();
  readonly #lists = new Map<string, LogList<Entry>>();
  readonly #views = new Map<string, LogView<Entry>>();
  /** The watched views by the lists that they look at. */
  readonly #viewsOf = new Map<string, Set<LogView<Entry>>>();
  #bytes = 0;

  constructor(queryOf: (view: string) => LogQuery) {
    this.#queryOf = queryOf;
  }

  get size(): number {
    return this.#nodes.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get lists(): number {
    return this.#lists.size;
  }

  get views(): number {
    return this.#views.size;
  }

  get all(): LogList<Entry> {
    return this.list(ALL_LIST) ?? new LogList<Entry>();
  }

  get(key: string): LogNode<Entry> | undefined {
    return this.#nodes.get(key);
  }

  list(name: string): LogList<Entry> | undefined {
    return this.#lists.get(name);
  }

  scopeLists(): readonly LogList<Entry>[] {
    const scopes = new Set<string>();
    for (const { scope } of this.#nodes.values()) scopes.add(scopeList(scope));
    return [...scopes].flatMap((name) => this.#lists.get(name) ?? []);
  }

  holds(scope: string | null): boolean {
    return this.#lists.has(scopeList(scope));
  }

  countOf(scope: string | null): number {
    return this.#lists.get(scopeList(scope))?.count ?? 0;
  }

  oldestOf(scope: string | null): number | undefined {
    return this.#lists.get(scopeList(scope))?.oldest()?.sequence;
  }

  /** The view as it is watched, or one for this look. */
  view(name: string): LogView<Entry> {
    return this.#views.get(name) ?? new LogView(name, this.#queryOf(name), this);
  }

  watch(name: string): void {
    const view = this.view(name);
    this.#views.set(name, view);
    for (const target of view.query.targets) {
      const views = this.#viewsOf.get(listOf(target)) ?? new Set();
      views.add(view);
      this.#viewsOf.set(listOf(target), views);
    }
  }

  unwatch(name: string): void {
    const view = this.#views.get(name);
    if (!view) return;
    this.#views.delete(name);
    for (const target of view.query.targets) {
      const views = this.#viewsOf.get(listOf(target));
      views?.delete(view);
      if (views?.size === 0) this.#viewsOf.delete(listOf(target));
    }
  }

  /** Forgets everything but who watches: a backlog follows. */
  clear(tag: string): void {
    this.tag = tag;
    this.#nodes.clear();
    this.#lists.clear();
    this.floors.clear();
    this.#bytes = 0;
  }

  /** The backlog is in. @param before - The floors that the views have seen already; absent in another order. */
  load(before: KnownFloors | undefined): void {
    for (const view of this.#views.values()) {
      if (before) view.again(this.floors.absent > before.absent);
      else view.load();
    }
    if (!before) return;
    for (const [name, floor] of this.known().own) {
      const read = readFloorName(name);
      if (read && floor > (before.own.get(name) ?? 0)) this.missed(read, floor);
    }
  }

  known(): KnownFloors {
    const own = new Map<string, number>();
    for (const scope of this.floors.scopes())
      for (const [type, floor] of this.floors.typesOf(scope)) own.set(floorName({ scope, type }), floor);
    return { own, absent: this.floors.absent };
  }

  viewNames(): readonly string[] {
    return [...this.#views.keys()];
  }

  add(node: LogNode<Entry>): void {
    this.#nodes.set(node.key, node);
    this.#bytes += node.bytes;
    for (const name of listsOf(node)) {
      const list = this.#lists.get(name) ?? new LogList<Entry>();
      list.push(node);
      this.#lists.set(name, list);
    }
  }

  /** Shows a new entry in the views. @returns the names of those that show it */
  show(node: LogNode<Entry>): readonly string[] {
    return [...this.#watching(node)].filter((view) => view.came(node)).map(({ name }) => name);
  }

  /** Takes out what a floor covers; answers what it was, oldest first. */
  drop({ scope, type }: FloorName, floor: number): readonly LogNode<Entry>[] {
    const list = this.#lists.get(scopeList(scope));
    const dropped = (list?.upTo(floor) ?? []).filter((node) => node.type === type);
    for (const node of dropped) {
      node.gone = true;
      node.told = undefined;
      if (this.#nodes.get(node.key) === node) this.#nodes.delete(node.key);
      this.#bytes -= node.bytes;
      for (const name of listsOf(node)) {
        const of = this.#lists.get(name);
        of?.lost();
        if (of?.count === 0) this.#lists.delete(name);
      }
    }
    return dropped;
  }

  /** Raises the floors of the views that showed these. @returns their names */
  lost(dropped: readonly LogNode<Entry>[]): readonly string[] {
    const changed = new Set<string>();
    for (const node of dropped)
      for (const view of this.#watching(node)) if (view.lost(node)) changed.add(view.name);
    return [...changed];
  }

  /** A floor rose over entries that were perhaps never here. */
  missed(name: FloorName, floor: number): void {
    for (const view of this.#views.values()) view.missed(name, floor);
  }

  #watching(node: LogNode<Entry>): ReadonlySet<LogView<Entry>> {
    const views = new Set<LogView<Entry>>();
    for (const name of listsOf(node)) for (const view of this.#viewsOf.get(name) ?? []) views.add(view);
    return views;
  }
}
