/** A page with TanStack Query whose list is live: no interval, no invalidation. */
import { type QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import type { SnapwireClient } from "snapwire/client";
import { snapshotOptions } from "snapwire/query";
import { SnapwireProvider, useProjectSnapshot } from "snapwire/react";

export interface AppProps {
  readonly client: SnapwireClient;
  readonly queryClient: QueryClient;
  readonly projectId: string;
}

export function App({ client, queryClient, projectId }: AppProps) {
  return (
    <QueryClientProvider client={queryClient}>
      <SnapwireProvider client={client}>
        <Freshness projectId={projectId} />
        <Workspaces client={client} projectId={projectId} />
      </SnapwireProvider>
    </QueryClientProvider>
  );
}

function Workspaces({ client, projectId }: Omit<AppProps, "queryClient">) {
  const { data, error } = useQuery(
    snapshotOptions({
      client,
      projectId,
      // Asked only while nothing is heard. Over HTTP in an application of yours: it may work when sockets do not.
      fallback: async () => (await client.trpc.snapshots.byProject.query({ projectId })).entries,
    }),
  );
  if (error) return <p>{error.message}</p>;
  if (!data) return <p>Loading</p>;
  return (
    <ul>
      {data.map(({ workspaceId, name, statusReason }) => (
        <li key={workspaceId}>
          {name}: {statusReason.label}
        </li>
      ))}
    </ul>
  );
}

/** The same subscription: the hook and the query share it. */
function Freshness({ projectId }: Pick<AppProps, "projectId">) {
  return <output>{useProjectSnapshot(projectId, ({ status }) => status)}</output>;
}
