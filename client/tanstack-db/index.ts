/**
 * client/tanstack-db: live projects as collections of TanStack DB.
 *
 * In:       live projects (client/live-projects.ts).   Out: options for `createCollection`.
 * Promise:  the rows are the entries of the view, never empty in between; a row that did not change is not written; a
 *           collection that nobody looks at holds no subscription.
 * Not here: queries over collections (TanStack DB has them), writing.
 *
 * Nothing of TanStack DB is loaded from here: only its types are named.
 */
export { SnapshotError } from "../snapshot-error.ts";
export {
  type SnapshotCollectionOptions,
  type SnapshotCollectionUtils,
  snapshotCollection,
} from "./snapshot-collection.ts";
