/**
 * Keeps one list of a query cache, and the single entries beside it, as a live project is. It never refetches: a change
 * is a patch. Whatever else writes the list (a poll that answers late) is put right in the same turn, before anybody
 * renders it.
 */
import type { Query, QueryCacheNotifyEvent, QueryClient, QueryKey } from "@tanstack/query-core";
import { diffEntries } from "../entries-diff.ts";
import type { LiveProject } from "../live-projects.ts";
import { isSettled } from "../project-view.ts";
import type { ReplicaEntry } from "../replica-state.ts";
import type { SnapshotPatch } from "./patch.ts";

export interface CacheSyncOptions<Entry extends ReplicaEntry, Data> {
  readonly project: LiveProject<Entry>;
  readonly queryClient: QueryClient;
  readonly queryKey: QueryKey;
  readonly apply: (data: Data | undefined, patch: SnapshotPatch<Entry>) => Data | undefined;
  readonly entryKey: ((workspaceId: string) => QueryKey) | undefined;
}

export class CacheSync<Entry extends ReplicaEntry, Data> {
  readonly #options: CacheSyncOptions<Entry, Data>;
  readonly #queryHash: string;
  /** The entries that were written last; undefined: what the cache holds is not known to be right. */
  #written: readonly Entry[] | undefined;
  /** The ids that were ever written and are not known to be gone: a removal during an absence is found by them. */
  #ids: ReadonlySet<string> = new Set();
  #stop: (() => void) | undefined;

  constructor(options: CacheSyncOptions<Entry, Data>) {
    this.#options = options;
    this.#queryHash = options.queryClient.defaultQueryOptions({ queryKey: options.queryKey }).queryHash;
  }

  get running(): boolean {
    return this.#stop !== undefined;
  }

  get query(): Query | undefined {
    return this.#options.queryClient.getQueryCache().get(this.#queryHash);
  }

  start(): void {
    if (this.#stop) return;
    const { project, queryClient } = this.#options;
    const leave = project.subscribe(() => this.look());
    const stopListening = queryClient.getQueryCache().subscribe((event) => this.#onCacheEvent(event));
    this.#stop = () => {
      leave();
      stopListening();
    };
    this.look();
  }

  /** The list stays as it is; it is put right when this starts again. */
  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#written = undefined;
  }

  /** Writes what changed since the last look. */
  look(): void {
    const { status, entries } = this.#options.project.getSnapshot();
    // Nothing is heard, or the view is on its way through the past: a poll may know more at the moment.
    if (!isSettled(status)) this.#written = undefined;
    else if (this.#written !== entries) this.#write(entries, this.#written);
  }

  #write(entries: readonly Entry[], before: readonly Entry[] | undefined): void {
    this.#written = entries;
    const ids = new Set(entries.map(({ workspaceId }) => workspaceId));
    const removed = [...this.#ids].filter((id) => !ids.has(id));
    this.#ids = ids;
    const { added, updated } = diffEntries(before ?? [], entries);
    const { project, queryClient, queryKey, apply } = this.#options;
    const patch: SnapshotPatch<Entry> = {
      projectId: project.projectId,
      whole: before === undefined,
      entries,
      changed: before === undefined ? entries : [...updated, ...added],
      removed,
    };
    queryClient.setQueryData<Data>(queryKey, (data) => {
      const next = apply(data, patch);
      const known = next === data && this.query?.state.status !== "error";
      return known ? undefined : next; // undefined writes nothing
    });
    this.#writeSingles(patch);
  }

  /** Of the single entries only those that somebody asked for are in the cache. */
  #writeSingles({ changed, removed }: SnapshotPatch<Entry>): void {
    const { entryKey, queryClient } = this.#options;
    if (!entryKey) return;
    for (const entry of changed) {
      const query = single(queryClient, entryKey(entry.workspaceId));
      if (query && query.state.data !== entry) queryClient.setQueryData(query.queryKey, entry);
    }
    for (const workspaceId of removed) forget(queryClient, single(queryClient, entryKey(workspaceId)));
  }

  #onCacheEvent(event: QueryCacheNotifyEvent): void {
    if (event.query.queryHash !== this.#queryHash) return;
    if (event.type === "updated" && event.action.type === "success" && event.action.manual !== true) {
      this.#written = undefined;
      this.look();
    } else if (event.type === "removed") this.#written = undefined;
  }
}

function single(queryClient: QueryClient, queryKey: QueryKey): Query | undefined {
  const { queryHash } = queryClient.defaultQueryOptions({ queryKey });
  return queryClient.getQueryCache().get(queryHash);
}

/**
 * To write `undefined` would write nothing, and to remove a query that is on the screen would leave it there: so it goes
 * back to where it has no data, for all who show it.
 */
function forget(queryClient: QueryClient, query: Query | undefined): void {
  if (!query) return;
  query.reset();
  if (query.getObserversCount() === 0) queryClient.getQueryCache().remove(query);
}
