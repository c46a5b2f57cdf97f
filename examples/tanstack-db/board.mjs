/** A board as live queries over one collection: each column is recomputed only from what changed. */
import { createCollection, createLiveQueryCollection, eq } from "@tanstack/db";
import { snapshotCollection } from "snapwire/tanstack-db";

/** @param {import("snapwire/client").SnapwireClient} client */
export function createBoard(client, projectId) {
  const workspaces = createCollection(snapshotCollection({ client, projectId, startSync: true }));
  const column = (name) =>
    createLiveQueryCollection({
      startSync: true,
      query: (q) =>
        q
          .from({ entry: workspaces })
          .where(({ entry }) => eq(entry.kanbanColumn, name))
          .orderBy(({ entry }) => entry.name),
    });
  return { workspaces, working: column("WORKING"), waiting: column("WAITING"), done: column("DONE") };
}
