/** What a change of the view means for a list in a cache. Every row that did not change stays the same object. */
import type { ReplicaEntry } from "../replica-state.ts";
import { same } from "../same.ts";

export interface SnapshotPatch<Entry extends ReplicaEntry> {
  readonly projectId: string;
  /**
   * True: the cache may hold anything (the first write, the end of an interruption, the answer of a poll), and is to
   * become `entries`. False: only `changed` and `removed` are news, and what else is in the cache is left alone.
   */
  readonly whole: boolean;
  /** The whole view, as it is after the change. */
  readonly entries: readonly Entry[];
  /** New ones and other ones than before; all of them when `whole`. */
  readonly changed: readonly Entry[];
  /** Ids of entries that are gone. */
  readonly removed: readonly string[];
}

/**
 * The list after a patch; the same list when nothing in it changed. New entries come last.
 * @param list What the cache holds; undefined: nothing.
 */
export function patchList<Entry extends ReplicaEntry>(
  list: readonly Entry[] | undefined,
  patch: SnapshotPatch<Entry>,
): readonly Entry[] {
  if (!list) return patch.entries;
  const next = patch.whole ? patch.entries : patched(list, patch);
  return keepSame(list, next);
}

function patched<Entry extends ReplicaEntry>(
  list: readonly Entry[],
  { changed, removed }: SnapshotPatch<Entry>,
): readonly Entry[] {
  const news = new Map(changed.map((entry) => [entry.workspaceId, entry]));
  const gone = new Set(removed);
  const next: Entry[] = [];
  for (const row of list) {
    if (gone.has(row.workspaceId)) continue;
    next.push(news.get(row.workspaceId) ?? row);
    news.delete(row.workspaceId);
  }
  next.push(...news.values());
  return next;
}

/** Of two lists with the same content the one that is there; of two rows likewise. */
function keepSame<Entry extends ReplicaEntry>(
  before: readonly Entry[],
  after: readonly Entry[],
): readonly Entry[] {
  const known = new Map(before.map((row) => [row.workspaceId, row]));
  const kept = after.map((row) => {
    const old = known.get(row.workspaceId);
    return old !== undefined && same(old, row) ? old : row;
  });
  return kept.length === before.length && kept.every((row, index) => row === before[index]) ? before : kept;
}
