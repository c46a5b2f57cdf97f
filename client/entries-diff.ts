/**
 * What lies between two views of one project, told by identity: an unchanged entry is the same object, so nothing is
 * compared in depth.
 */
import type { ReplicaEntry } from "./replica-state.ts";

export interface EntriesDiff<Entry extends ReplicaEntry> {
  readonly added: readonly Entry[];
  readonly updated: readonly Entry[];
  /** Ids. */
  readonly removed: readonly string[];
}

export function diffEntries<Entry extends ReplicaEntry>(
  before: readonly Entry[],
  after: readonly Entry[],
): EntriesDiff<Entry> {
  const diff = { added: [] as Entry[], updated: [] as Entry[], removed: [] as string[] };
  if (before === after) return diff;
  const gone = new Map(before.map((entry) => [entry.workspaceId, entry]));
  for (const entry of after) {
    const known = gone.get(entry.workspaceId);
    gone.delete(entry.workspaceId);
    if (known === undefined) diff.added.push(entry);
    else if (known !== entry) diff.updated.push(entry);
  }
  diff.removed.push(...gone.keys());
  return diff;
}

export function sizeOf({ added, updated, removed }: EntriesDiff<ReplicaEntry>): number {
  return added.length + updated.length + removed.length;
}
