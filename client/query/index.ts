/**
 * client/query: live projects in the cache of TanStack Query 5.
 *
 * In:       live projects (client/live-projects.ts).   Out: writes into a QueryClient.
 * Promise:  a change is a patch and never a refetch; rows that did not change stay the same objects; what is gone is gone
 *           from the list and from its own query; after an interruption the list is right again, whatever wrote it.
 * Not here: hooks (TanStack Query has them), when the page renders.
 *
 * Nothing of TanStack Query is loaded from here: the application's own QueryClient comes in.
 */

export { SnapshotError } from "../snapshot-error.ts";
export { patchList, type SnapshotPatch } from "./patch.ts";
export { type SnapshotKey, snapshotKey } from "./snapshot-key.ts";
export { type SnapshotQueryOptions, snapshotOptions } from "./snapshot-options.ts";
export {
  type SnapshotSync,
  type SyncSnapshotOptions,
  syncSnapshot,
} from "./sync-snapshot.ts";
