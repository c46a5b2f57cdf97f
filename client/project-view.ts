/** What a page shows of a project: the replica's snapshot as one case per status, and since when it is so. */
import type { ReplicaEntry } from "./replica-state.ts";
import type { ProjectSnapshot } from "./snapshot.ts";
import type { ReplicaStatus } from "./status.ts";

interface ProjectViewBase<Entry extends ReplicaEntry> extends ProjectSnapshot<Entry> {
  /** When the status became what it is, in milliseconds since 1970. */
  readonly since: number;
  /** What the last interruption missed, until the next one; undefined: there was none. */
  readonly caughtUp: CaughtUp | undefined;
}

/** The end of an interruption. */
export interface CaughtUp {
  /** In milliseconds since 1970. */
  readonly at: number;
  /** How many entries are other ones than before it: changed, new or gone. */
  readonly changes: number;
  /** How long it was, in milliseconds. */
  readonly awayMs: number;
}

/** One case per status. Whatever the case, `entries` is the last view: to dim it is right, to drop it is not. */
export type ProjectView<Entry extends ReplicaEntry> = ProjectViewBase<Entry> &
  (
    | {
        /** Nothing was loaded yet: not the same as a project without entries. */
        readonly status: "connecting";
        readonly position: undefined;
      }
    | {
        readonly status: "live" | "catching-up";
        readonly position: string;
        readonly reason: undefined;
      }
    | { readonly status: "stale"; readonly position: string; readonly reason: "source-away" }
    | { readonly status: "reconnecting"; readonly position: string }
    | { readonly status: "offline" }
    | { readonly status: "denied"; readonly reason: "unauthorized" | "forbidden" }
    | {
        readonly status: "ended";
        readonly reason: "revoked" | "project-gone" | "moved" | "closed" | "client-closed";
      }
  );

/** The statuses in which the server is heard, and the view is not on its way to be another one. */
export function isSettled(status: ReplicaStatus): status is "live" | "stale" {
  return status === "live" || status === "stale";
}

/** The statuses that no further attempt follows. */
export function isOver(status: ReplicaStatus): status is "denied" | "ended" {
  return status === "denied" || status === "ended";
}

export function projectView<Entry extends ReplicaEntry>(
  snapshot: ProjectSnapshot<Entry>,
  { since, caughtUp }: Pick<ProjectViewBase<Entry>, "since" | "caughtUp">,
): ProjectView<Entry> {
  const { projectId, entries, position, complete, status, reason, detail } = snapshot;
  return Object.freeze({
    projectId,
    entries,
    get byId() {
      return snapshot.byId;
    },
    position,
    complete,
    status,
    reason,
    detail,
    since,
    caughtUp,
  }) as ProjectView<Entry>; // which reason and position go with which status is the replica's promise
}

const NO_ENTRIES: readonly never[] = Object.freeze([]);
const NO_IDS: ReadonlyMap<string, never> = new Map<string, never>();

/** Before anybody watches, and on a server that only renders. */
export function idleView<Entry extends ReplicaEntry>(projectId: string): ProjectView<Entry> {
  return projectView<Entry>(
    {
      projectId,
      entries: NO_ENTRIES,
      byId: NO_IDS,
      position: undefined,
      complete: false,
      status: "connecting",
      reason: undefined,
      detail: undefined,
    },
    { since: 0, caughtUp: undefined },
  );
}

/** Whether a view says no more than the one before anybody watched. */
export function saysNothing({ status, position, reason }: ProjectSnapshot<ReplicaEntry>): boolean {
  return status === "connecting" && position === undefined && reason === undefined;
}
