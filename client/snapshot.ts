/** What a replica shows at one moment. Frozen, and the same object until something changes. */
import type { ReplicaEntry, ReplicaState } from "./replica-state.ts";
import type { ReplicaReason, ReplicaStatus } from "./status.ts";

export interface ProjectSnapshot<Entry extends ReplicaEntry> {
  readonly projectId: string;
  /** In the order in which their ids were first seen. An unchanged entry is the same object as before. */
  readonly entries: readonly Entry[];
  /** By workspace id. Made when it is first asked for. */
  readonly byId: ReadonlyMap<string, Entry>;
  /** Up to which change the entries are complete; undefined: nothing was loaded yet. */
  readonly position: string | undefined;
  /** False while the first pass of the project's sources runs: what is there is true, but more may come. */
  readonly complete: boolean;
  readonly status: ReplicaStatus;
  readonly reason: ReplicaReason | undefined;
  /** For a person. */
  readonly detail: string | undefined;
}

/** The entries of one revision. Kept while only the standing changes, so that lists do not render for a status. */
export interface EntriesView<Entry extends ReplicaEntry> {
  readonly revision: number;
  readonly entries: readonly Entry[];
  byId(): ReadonlyMap<string, Entry>;
}

export function viewOf<Entry extends ReplicaEntry>(state: ReplicaState<Entry>): EntriesView<Entry> {
  const entries = Object.freeze([...state.entries.values()]);
  let map: ReadonlyMap<string, Entry> | undefined;
  return {
    revision: state.revision,
    entries,
    byId: () => {
      map ??= new Map(entries.map((entry) => [entry.workspaceId, entry]));
      return map;
    },
  };
}

/** All that can change about a snapshot; `revision` stands for the entries. */
export interface Told
  extends Pick<ProjectSnapshot<ReplicaEntry>, "position" | "complete" | "status" | "reason" | "detail"> {
  readonly revision: number;
}

export function sameStanding(a: Omit<Told, "revision"> | undefined, b: Told): boolean {
  return (
    a !== undefined &&
    a.position === b.position &&
    a.complete === b.complete &&
    a.status === b.status &&
    a.reason === b.reason &&
    a.detail === b.detail
  );
}

export function snapshotOf<Entry extends ReplicaEntry>(
  projectId: string,
  view: EntriesView<Entry>,
  { position, complete, status, reason, detail }: Told,
): ProjectSnapshot<Entry> {
  return Object.freeze({
    projectId,
    entries: view.entries,
    get byId() {
      return view.byId();
    },
    position,
    complete,
    status,
    reason,
    detail,
  });
}
