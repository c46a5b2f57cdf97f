/** The entry that everybody sends: made by Snapwire's own model, so that the peers' frames have the same size. */
const PATCH = {
  name: "Resume after a dropped connection",
  status: "READY",
  createdAt: "2026-03-02T09:15:00Z",
  hasHadSessions: true,
  prUrl: "https://example.org/acme/board/pull/1204",
  prNumber: 1204,
  prState: "OPEN",
  prCiStatus: "PENDING",
  isWorking: true,
  ratchetEnabled: true,
  runScriptStatus: "RUNNING",
  gitStats: { total: 12, additions: 340, deletions: 96, hasUncommitted: true },
};

/** @returns the patch that makes an entry, and the entry */
export async function prepareEntry(dist) {
  const { createSnapwire } = await import(new URL("src/index.js", dist).href);
  const live = createSnapwire();
  await live.start();
  await live.workspaces.upsert("w-1", { ...PATCH, projectId: "bench-0", branchName: "-" });
  const entry = structuredClone(live.workspaces.getByWorkspaceId("w-1"));
  await live.stop();
  return { entry, patch: PATCH };
}
