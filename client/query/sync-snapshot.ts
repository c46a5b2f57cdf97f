/** For a page that has its queries already: the list stays what it is, and live changes are written into it. */
import type { QueryClient, QueryKey } from "@tanstack/query-core";
import { liveProjectsOf, type ProjectsEntry, type ProjectsSource } from "../live-projects.ts";
import { CacheSync } from "./cache-sync.ts";
import { patchList, type SnapshotPatch } from "./patch.ts";
import { snapshotKey } from "./snapshot-key.ts";

export interface SyncSnapshotOptions<Source extends ProjectsSource, Data> {
  readonly client: Source;
  readonly projectId: string;
  /** The list that is kept. @defaultValue the key of {@link snapshotOptions} */
  readonly queryKey?: QueryKey | undefined;
  /**
   * What the list becomes, for lists of another shape than an array of entries. To return undefined, or the same data,
   * writes nothing. Must not change `data` in place.
   * @defaultValue {@link patchList}
   */
  readonly apply?:
    | ((data: Data | undefined, patch: SnapshotPatch<ProjectsEntry<Source>>) => Data | undefined)
    | undefined;
  /**
   * The query of a single entry, if there is one: it becomes the entry when that changes, and loses its data when the
   * entry is gone. Queries that nobody made are not made.
   */
  readonly entryKey?: ((workspaceId: string) => QueryKey) | undefined;
}

export interface SnapshotSync extends Disposable {
  /** Leaves the cache as it is. May be called again; needs no `this`. */
  stop(this: void): void;
}

/** Keeps a list of the cache as the project is, from now until it is stopped. */
export function syncSnapshot<Source extends ProjectsSource, Data = readonly ProjectsEntry<Source>[]>(
  queryClient: QueryClient,
  {
    client,
    projectId,
    queryKey = snapshotKey(projectId),
    apply,
    entryKey,
  }: SyncSnapshotOptions<Source, Data>,
): SnapshotSync {
  type Entry = ProjectsEntry<Source>;
  const sync = new CacheSync<Entry, Data>({
    project: liveProjectsOf(client).project(projectId),
    queryClient,
    queryKey,
    apply: (apply ?? patchList) as (data: Data | undefined, patch: SnapshotPatch<Entry>) => Data | undefined,
    entryKey,
  });
  sync.start();
  const stop = (): void => sync.stop();
  return { stop, [Symbol.dispose]: stop };
}
