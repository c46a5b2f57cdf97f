/** Under which key a project is in a query cache, unless the application says another one. */
export type SnapshotKey = readonly ["snapwire", "project", string];

export function snapshotKey(projectId: string): SnapshotKey {
  return ["snapwire", "project", projectId];
}
