/**
 * What is true, kept as plainly as can be: every commit of an order as it went into the journal, and from that what each
 * project looked like at any sequence. It knows no list, no tombstone, no departure: only who was visible where.
 */
import { positionTag } from "../../src/collection/tag.ts";
import type { Journal, JournalRecord } from "../../src/journal/journal.ts";
import { workspaceModel } from "../../src/workspace/index.ts";

/** What a workspace became in one project. */
export interface Change {
  readonly sequence: number;
  /** Null: it was not to be seen there any more. */
  readonly shown: { readonly version: number; readonly name: string } | null;
}

interface StoredBody {
  readonly scope: string | null;
  readonly hidden: boolean;
  readonly state: { readonly model: { readonly values: { readonly name: string } } | null };
}

/** One life of the order. */
export class OrderModel {
  readonly epoch: string;
  head = 0;
  /** Every record, oldest first. */
  readonly records: JournalRecord[] = [];
  /** The highest floor that was ever raised, by scope; null for absent scopes. */
  readonly floors = new Map<string | null, number>();
  readonly #changes = new Map<string, Map<string, Change[]>>();
  readonly #visibleIn = new Map<string, string | null>();

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** Follows a journal; the first model is the one of its present epoch. */
  static async following(journal: Journal, onEpoch: (order: OrderModel) => void): Promise<void> {
    let order: OrderModel | undefined;
    await journal.log("snapshots").follow({
      reset: (epoch) => {
        order = new OrderModel(epoch);
        onEpoch(order);
      },
      record: (record) => order?.commit(record),
      floor: (scope, floor) => order?.floors.set(scope, Math.max(floor, order.floors.get(scope) ?? 0)),
      advance: (sequence) => {
        if (order) order.head = Math.max(order.head, sequence);
      },
      status: () => undefined,
    });
  }

  tagOf(scope: string): string {
    return positionTag(this.epoch, workspaceModel.revision, "snapshots", scope);
  }

  commit(record: JournalRecord): void {
    const { sequence, key } = record;
    const { scope, hidden, state } = record.body as unknown as StoredBody;
    const before = this.#visibleIn.get(key) ?? null;
    const now = hidden ? null : scope;
    this.records.push(record);
    this.head = Math.max(this.head, sequence);
    this.#visibleIn.set(key, now);
    if (before !== null && before !== now) this.#change(before, key, { sequence, shown: null });
    if (now !== null)
      this.#change(now, key, {
        sequence,
        shown: { version: sequence, name: state.model?.values.name ?? "" },
      });
  }

  #change(scope: string, key: string, change: Change): void {
    const scoped = this.#changes.get(scope) ?? new Map<string, Change[]>();
    this.#changes.set(scope, scoped);
    const changes = scoped.get(key) ?? [];
    scoped.set(key, changes);
    changes.push(change);
  }

  /** Every change of a workspace in a project, oldest first. */
  changesOf(scope: string, key: string): readonly Change[] {
    return this.#changes.get(scope)?.get(key) ?? [];
  }

  /** The newest change of each workspace of the project, up to a sequence. */
  newest(scope: string, upTo: number): Map<string, Change> {
    const newest = new Map<string, Change>();
    for (const [key, changes] of this.#changes.get(scope) ?? []) {
      const change = changes.findLast(({ sequence }) => sequence <= upTo);
      if (change) newest.set(key, change);
    }
    return newest;
  }

  /** What is to be seen in the project at a sequence: name by workspace, with the version. */
  shownAt(scope: string, upTo: number): Map<string, { readonly version: number; readonly name: string }> {
    const shown = new Map<string, { readonly version: number; readonly name: string }>();
    for (const [key, change] of this.newest(scope, upTo)) if (change.shown) shown.set(key, change.shown);
    return shown;
  }

  /**
   * Whether a server at `head` may say that a cursor was trimmed: a removal above the cursor may be gone.
   * That is so below the project's own floor; and below the floor of absent projects, if all that the project has now
   * came after the cursor, or if one of its removals above the cursor lies below that floor (a start from the newest
   * records cannot tell it from one that was pruned).
   */
  mayBeTrimmed(scope: string, cursor: number, head: number): boolean {
    const own = this.floors.get(scope) ?? 0;
    if (cursor < own) return true;
    const absent = this.floors.get(null) ?? 0;
    if (cursor >= absent) return false;
    const listed = [...this.newest(scope, head).values()].filter(
      ({ sequence, shown }) => shown !== null || sequence > own,
    );
    return (
      listed.every(({ sequence }) => sequence > cursor) ||
      listed.some(({ sequence, shown }) => shown === null && sequence > cursor && sequence <= absent)
    );
  }
}
