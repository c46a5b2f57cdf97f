/**
 * A query that is live: `useQuery(snapshotOptions({ client, projectId }))`. The first fetch waits for the view of the
 * project; from then on changes are written into the cache for as long as somebody looks at the query.
 */
import type { QueryClient, QueryKey } from "@tanstack/query-core";
import {
  type LiveProject,
  liveProjectsOf,
  type ProjectsEntry,
  type ProjectsSource,
} from "../live-projects.ts";
import { isOver, isSettled } from "../project-view.ts";
import type { ReplicaEntry } from "../replica-state.ts";
import { SnapshotError } from "../snapshot-error.ts";
import { firstView } from "./first-view.ts";
import { follow, isFollowed } from "./follow.ts";
import { type SnapshotKey, snapshotKey } from "./snapshot-key.ts";

export interface SnapshotQueryOptions<Source extends ProjectsSource> {
  readonly client: Source;
  readonly projectId: string;
  /** @defaultValue `["snapwire", "project", projectId]` */
  readonly queryKey?: QueryKey | undefined;
  /** The query of a single entry, as in {@link syncSnapshot}. */
  readonly entryKey?: ((workspaceId: string) => QueryKey) | undefined;
  /** Asked instead while nothing is heard: the request of the poll that was there before. */
  readonly fallback?:
    | ((context: { readonly signal: AbortSignal }) => Promise<readonly ProjectsEntry<Source>[]>)
    | undefined;
  /** How often it is asked, in milliseconds. A live project answers by itself, without a request. @defaultValue 60_000 */
  readonly fallbackEveryMs?: number | undefined;
}

interface SnapshotQueryContext {
  /** Since 5.69. */
  readonly client?: QueryClient;
  readonly queryKey: QueryKey;
  readonly signal: AbortSignal;
}

const FALLBACK_EVERY_MS = 60_000;
/** How long the first view may take before the fallback is asked, in milliseconds. */
const PATIENCE_MS = 2_000;
const RETRIES = 3;

/** Options for `useQuery` and everything else that takes query options. */
export function snapshotOptions<Source extends ProjectsSource>(options: SnapshotQueryOptions<Source>) {
  const { client, projectId, queryKey, entryKey, fallback, fallbackEveryMs = FALLBACK_EVERY_MS } = options;
  return {
    queryKey: (queryKey ?? snapshotKey(projectId)) as SnapshotKey,
    queryFn: async (context: SnapshotQueryContext): Promise<readonly ProjectsEntry<Source>[]> => {
      const project = liveProjectsOf(client).project(projectId);
      if (!context.client)
        throw new Error(
          "snapshotOptions needs TanStack Query 5.69 or newer: use syncSnapshot with older ones",
        );
      follow({ project, queryClient: context.client, queryKey: context.queryKey, entryKey });
      return fetchEntries(project, context.signal, fallback);
    },
    /** A query that came from elsewhere (a server's markup, a saved cache) is fetched once, and live after that. */
    staleTime: (query: object) => (isFollowed(query) ? Number.POSITIVE_INFINITY : 0),
    refetchInterval: fallback ? fallbackEveryMs : (false as const),
    /** What did not change is the same object already. */
    structuralSharing: false as const,
    retry: (failures: number, error: Error) => !(error instanceof SnapshotError) && failures < RETRIES,
  };
}

async function fetchEntries<Entry extends ReplicaEntry>(
  project: LiveProject<Entry>,
  signal: AbortSignal,
  fallback: ((context: { readonly signal: AbortSignal }) => Promise<readonly Entry[]>) | undefined,
): Promise<readonly Entry[]> {
  const { position, status } = project.getSnapshot();
  if (isOver(status)) project.retry(); // to fetch again is to try again
  const known = position !== undefined;
  const patienceMs = fallback && (known ? 0 : PATIENCE_MS);
  const view = await firstView(project, signal, patienceMs);
  if (view.status === "denied" || view.status === "ended")
    throw new SnapshotError(project.projectId, view.status, view.reason, view.detail);
  if (isSettled(view.status) || !fallback) return view.entries;
  const answer = await fallback({ signal });
  const now = project.getSnapshot(); // it may have come to life meanwhile, and then it knows better
  return isSettled(now.status) ? now.entries : answer;
}
