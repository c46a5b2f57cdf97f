/** Keeps a query live for as long as somebody looks at it. One per query, however often it is fetched. */
import type { Query, QueryClient, QueryKey } from "@tanstack/query-core";
import type { LiveProject } from "../live-projects.ts";
import { isOver } from "../project-view.ts";
import type { ReplicaEntry } from "../replica-state.ts";
import { SnapshotError } from "../snapshot-error.ts";
import { CacheSync } from "./cache-sync.ts";
import { patchList } from "./patch.ts";

const followed = new WeakSet<object>();

export function isFollowed(query: object): boolean {
  return followed.has(query);
}

export interface Followed<Entry extends ReplicaEntry> {
  readonly project: LiveProject<Entry>;
  readonly queryClient: QueryClient;
  readonly queryKey: QueryKey;
  readonly entryKey: ((workspaceId: string) => QueryKey) | undefined;
}

/** From now until the query leaves the cache. Without a look at it, it costs nothing but a listener. */
export function follow<Entry extends ReplicaEntry>({
  project,
  queryClient,
  queryKey,
  entryKey,
}: Followed<Entry>): void {
  const sync = new CacheSync<Entry, readonly Entry[]>({
    project,
    queryClient,
    queryKey,
    apply: patchList,
    entryKey,
  });
  const { query } = sync;
  if (!query) throw new Error("snapshotOptions: a queryKeyHashFn must be a default of the QueryClient");
  if (followed.has(query)) return;
  followed.add(query);
  let stopWatching = (): void => {};
  const start = (): void => {
    if (sync.running) return;
    sync.start();
    stopWatching = project.subscribe(() => tellWhenOver(query, project));
  };
  const stop = (): void => {
    stopWatching();
    sync.stop();
  };
  const stopListening = queryClient.getQueryCache().subscribe((event) => {
    if (event.query !== query) return;
    if (event.type === "removed") {
      stop();
      stopListening();
    } else if (event.type === "observerAdded") start();
    else if (event.type === "observerRemoved" && query.getObserversCount() === 0) stop();
  });
  if (query.getObserversCount() > 0) start();
}

/** As a failed fetch would: the data stays, and the error says why it is not live any more. */
function tellWhenOver(query: Query, project: LiveProject<ReplicaEntry>): void {
  const { projectId, status, reason, detail } = project.getSnapshot();
  if (!isOver(status) || reason === undefined || query.state.fetchStatus !== "idle") return;
  const known = query.state.error;
  if (known instanceof SnapshotError && known.reason === reason) return;
  query.setState({
    status: "error",
    error: new SnapshotError(projectId, status, reason, detail),
    errorUpdatedAt: Date.now(),
    errorUpdateCount: query.state.errorUpdateCount + 1,
  });
}
