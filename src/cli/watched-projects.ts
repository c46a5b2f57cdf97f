/**
 * The projects that are watched: one that was named, or all that may be seen, as they come and go. One replica each;
 * their frames are tapped on the way in, so that who prints frames and who shows a table stand on the same thing.
 */
import { messageOf, readFailure } from "../../client/failure.ts";
import { createProjectReplica, type ProjectReplica, type SnapwireClient } from "../../client/index.ts";
import type { SnapshotFrame } from "../protocol/frames.ts";
import type { WorkspaceEntry } from "../protocol/workspace.ts";
import type { SnapwireRouter } from "../router/index.ts";

interface WatchedProject {
  readonly projectId: string;
  readonly replica: ProjectReplica<WorkspaceEntry>;
  /** Since when its source of truth is away, as the server says; RFC 3339. */
  readonly staleSince: string | undefined;
}

export interface WatchEvents {
  /** A frame as it was delivered, with its position. */
  onFrame(projectId: string, position: string, frame: SnapshotFrame): void;
  /** Anything that is shown may be another one now. */
  onChange(): void;
  /** The list of projects cannot be had: there is no right to it. */
  onDenied(message: string, reason: "unauthorized" | "forbidden"): void;
  /** What is wrong but harms nothing. */
  onWarning(message: string): void;
}

export interface WatchedProjects {
  /** In the order of their ids. */
  readonly all: readonly WatchedProject[];
  /** The server has said which projects there are; always so for one that was named. */
  readonly listed: boolean;
  close(): Promise<void>;
}

/** Between two attempts to get the list of projects, when the server ended it, in milliseconds. */
const LIST_AGAIN_MS = 1_000;

export function watchProjects(
  client: SnapwireClient<SnapwireRouter>,
  project: string | undefined,
  events: WatchEvents,
): WatchedProjects {
  const watched = new Map<string, WatchedProject & { staleSince: string | undefined }>();
  let listed = project !== undefined;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let list: { unsubscribe(): void } | undefined;

  const add = (projectId: string): void => {
    const one: { staleSince: string | undefined } = { staleSince: undefined };
    const tap = (delivered: unknown): void => {
      const { id, data } = delivered as { id: string; data: SnapshotFrame };
      if (data.type === "snapshot_status") one.staleSince = data.fresh ? undefined : data.since;
      events.onFrame(projectId, id, data);
    };
    const replica = createProjectReplica(tapped(client.trpc.snapshots, tap), {
      projectId,
      connection: client.connection,
      onWarning: events.onWarning,
    }) as ProjectReplica<WorkspaceEntry>;
    watched.set(projectId, Object.assign(one, { projectId, replica }));
    replica.subscribe(events.onChange);
  };

  const follow = (projects: readonly string[]): void => {
    listed = true;
    for (const [projectId, { replica }] of watched) {
      if (projects.includes(projectId)) continue;
      watched.delete(projectId);
      void replica.close();
    }
    for (const projectId of projects) if (!watched.has(projectId)) add(projectId);
    events.onChange();
  };

  const openList = (): void => {
    if (closed) return;
    const again = (): void => {
      list = undefined;
      timer = setTimeout(openList, LIST_AGAIN_MS);
    };
    list = client.trpc.snapshots.onProjects.subscribe(undefined, {
      onData: ({ data }) => follow(data.projects),
      onError: (error) => {
        const failure = readFailure(error);
        if (failure === "unauthorized" || failure === "forbidden") events.onDenied(messageOf(error), failure);
        else if (failure !== "client-closed") again();
      },
      onStopped: again,
    });
  };

  if (project === undefined) openList();
  else add(project);

  return {
    get all() {
      return [...watched.values()].sort((a, b) => (a.projectId < b.projectId ? -1 : 1));
    },
    get listed() {
      return listed;
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      list?.unsubscribe();
      await Promise.all([...watched.values()].map(({ replica }) => replica.close()));
    },
  };
}

type Snapshots = SnapwireClient<SnapwireRouter>["trpc"]["snapshots"];
type OnProject = Parameters<typeof createProjectReplica>[0]["onProject"];

/** The same subscription, with somebody who looks on. */
function tapped(snapshots: Snapshots, tap: (delivered: unknown) => void): { onProject: OnProject } {
  const { onProject } = snapshots as unknown as { onProject: OnProject };
  return {
    onProject: {
      subscribe: (input, callbacks) =>
        onProject.subscribe(input, {
          ...callbacks,
          onData: (delivered) => {
            callbacks.onData(delivered);
            tap(delivered);
          },
        }),
    },
  };
}
