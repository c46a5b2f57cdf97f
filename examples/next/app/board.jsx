"use client";

import { createSnapwireClient } from "snapwire/client";
import { SnapwireProvider, useProjectSnapshot } from "snapwire/react";

/** One for the page; none on the server, which shows everything as connecting. */
const client = typeof window === "undefined" ? undefined : createSnapwireClient({ url: "/" });

export function Board({ projectId }) {
  return (
    <SnapwireProvider client={client}>
      <Workspaces projectId={projectId} />
    </SnapwireProvider>
  );
}

function Workspaces({ projectId }) {
  const { status, entries } = useProjectSnapshot(projectId);
  return (
    <main>
      <output>{status}</output>
      <ul>
        {entries.map(({ workspaceId, name }) => (
          <li key={workspaceId}>{name}</li>
        ))}
      </ul>
    </main>
  );
}
