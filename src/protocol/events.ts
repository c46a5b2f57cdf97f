/** The store's events (Node's EventEmitter), told after the commit, with frozen payloads. */
export const SNAPSHOT_CHANGED = "snapshot_changed";
export const SNAPSHOT_REMOVED = "snapshot_removed";
