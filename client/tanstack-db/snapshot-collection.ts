/**
 * A live project as a collection of TanStack DB: `createCollection(snapshotCollection({ client, projectId }))`.
 *
 * The first view of a run replaces whatever the collection holds (rows that were kept on a disk, say) in one
 * transaction. After that only differences are written, also when the server sends the whole project again: no row is
 * taken away to be put back.
 */
import type { CollectionConfig, SyncConfig } from "@tanstack/db";
import { diffEntries, sizeOf } from "../entries-diff.ts";
import {
  type LiveProject,
  liveProjectsOf,
  type ProjectsEntry,
  type ProjectsSource,
} from "../live-projects.ts";
import type { ProjectView } from "../project-view.ts";
import type { ReplicaEntry } from "../replica-state.ts";
import { SnapshotError } from "../snapshot-error.ts";

export interface SnapshotCollectionOptions<Source extends ProjectsSource> {
  readonly client: Source;
  readonly projectId: string;
  /** @defaultValue `snapwire:` and the project id */
  readonly id?: string | undefined;
  /** How long the collection stays when nobody looks at it, in milliseconds. @defaultValue TanStack DB's own */
  readonly gcTime?: number | undefined;
  /** @defaultValue false: it is subscribed to when somebody looks */
  readonly startSync?: boolean | undefined;
}

/** In `collection.utils`: how fresh the rows are. */
export type SnapshotCollectionUtils<Entry extends ReplicaEntry> = {
  /** The same object until something changes. */
  readonly getView: () => ProjectView<Entry>;
  /** Calls when {@link getView} changes, at most once per frame. Watches the project. Returns the way to leave. */
  readonly onView: (listener: () => void) => () => void;
  /** Tries again now: after `denied` or `ended`, or instead of waiting. */
  readonly retry: () => void;
};

/** The options of a read-only collection; to write, call the API, or add `onUpdate` and its like beside them. */
export function snapshotCollection<Source extends ProjectsSource>({
  client,
  projectId,
  id = `snapwire:${projectId}`,
  gcTime,
  startSync,
}: SnapshotCollectionOptions<Source>): CollectionConfig<
  ProjectsEntry<Source>,
  string,
  never,
  SnapshotCollectionUtils<ProjectsEntry<Source>>
> & { readonly utils: SnapshotCollectionUtils<ProjectsEntry<Source>>; readonly schema?: never } {
  const project = liveProjectsOf(client).project(projectId);
  return {
    id,
    getKey: ({ workspaceId }) => workspaceId,
    sync: { rowUpdateMode: "full", sync: (run) => syncRun(project, run) },
    utils: {
      getView: project.getSnapshot,
      onView: project.subscribe,
      retry: () => project.retry(),
    },
    ...(gcTime === undefined ? {} : { gcTime }),
    ...(startSync === undefined ? {} : { startSync }),
  };
}

type SyncRun<Entry extends ReplicaEntry> = Parameters<SyncConfig<Entry, string>["sync"]>[0];

/** From the first look at the collection until nobody looks any more. @returns The way to end it. */
function syncRun<Entry extends ReplicaEntry>(project: LiveProject<Entry>, run: SyncRun<Entry>): () => void {
  /** The rows of the collection; undefined: it may hold anything. */
  let rows: readonly Entry[] | undefined;
  const look = (): void => {
    const view = project.getSnapshot();
    if (view.position !== undefined) {
      if (rows !== view.entries) write(run, rows, view.entries);
      if (rows === undefined) run.markReady();
      rows = view.entries;
    } else if (view.status === "denied" || view.status === "ended")
      run.markError(new SnapshotError(project.projectId, view.status, view.reason, view.detail));
  };
  const leave = project.subscribe(look);
  look();
  return leave;
}

function write<Entry extends ReplicaEntry>(
  { begin, write: writeRow, commit, truncate }: SyncRun<Entry>,
  before: readonly Entry[] | undefined,
  after: readonly Entry[],
): void {
  const diff = diffEntries(before ?? [], after);
  if (before && sizeOf(diff) === 0) return; // only their order is another one
  begin();
  if (!before) truncate({ markReady: false });
  for (const key of diff.removed) writeRow({ type: "delete", key });
  for (const value of diff.updated) writeRow({ type: "update", value });
  for (const value of diff.added) writeRow({ type: "insert", value });
  void commit(); // accepted at once; when it is seen is the collection's matter
}
