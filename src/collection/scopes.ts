/**
 * The scopes of a collection: a list for each that has something to show or to remember, and their floors. A scope that
 * has nothing of either is absent, and all absent scopes share one floor.
 */
import { ScopeView } from "./scope-view.ts";

export class Scopes<Entry> {
  readonly #tag: (scope: string) => string;
  readonly #views = new Map<string, ScopeView<Entry>>();
  /** While the backlog comes: the floors that scopes have of their own, and the one of absent scopes (null). */
  readonly #toldFloors = new Map<string | null, number>();
  #absentFloor = 0;
  #loading = true;

  /** @param tag - The tag of a scope's positions in the present order. */
  constructor(tag: (scope: string) => string) {
    this.#tag = tag;
  }

  /** Forgets everything: a backlog follows. */
  reset(): void {
    this.#views.clear();
    this.#toldFloors.clear();
    this.#absentFloor = 0;
    this.#loading = true;
  }

  /** The backlog is in: its departures and floors, which came in any order, become lists. */
  load(head: number): void {
    this.#loading = false;
    this.#absentFloor = Math.min(this.#toldFloors.get(null) ?? 0, head);
    for (const [scope, floor] of this.#toldFloors)
      if (scope !== null && floor > this.#absentFloor) this.of(scope);
    for (const view of this.#views.values())
      view.load(Math.min(this.#toldFloors.get(view.scope) ?? 0, head), this.#absentFloor);
    this.#toldFloors.clear();
    this.dropAbsent();
  }

  get(scope: string): ScopeView<Entry> | undefined {
    return this.#views.get(scope);
  }

  all(): IterableIterator<ScopeView<Entry>> {
    return this.#views.values();
  }

  /** The list of a scope that is absent no more. */
  of(scope: string): ScopeView<Entry> {
    const known = this.#views.get(scope);
    if (known) return known;
    const view = new ScopeView<Entry>(scope, this.#tag(scope), this.#loading ? 0 : this.#absentFloor);
    this.#views.set(scope, view);
    return view;
  }

  tagOf(scope: string): string {
    return this.#views.get(scope)?.tag ?? this.#tag(scope);
  }

  floorOf(scope: string): number {
    return this.#views.get(scope)?.floor ?? this.#absentFloor;
  }

  /**
   * A floor rose; null: the one of absent scopes. One above the head was meant for the order before this one: nobody
   * could ever stand at it.
   */
  raise(scope: string | null, floor: number, head: number): void {
    if (this.#loading) {
      this.#toldFloors.set(scope, Math.max(floor, this.#toldFloors.get(scope) ?? 0));
      return;
    }
    if (scope === null) {
      this.#absentFloor = Math.max(this.#absentFloor, Math.min(floor, head));
      this.dropAbsent();
    } else this.of(scope).prune(Math.min(floor, head));
  }

  /** Drops the lists that are empty and whose floor is no more than the one of absent scopes. */
  dropAbsent(): void {
    for (const view of [...this.#views.values()])
      if (view.isEmpty && view.floor <= this.#absentFloor) this.#views.delete(view.scope);
  }
}
