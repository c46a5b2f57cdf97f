/**
 * Everything that the board shows, in one place: which projects there are, each as it is watched, and what changed while
 * this page looked on. React reads it by `useSyncExternalStore`; nothing in here knows React.
 */
import type { WorkspaceEntry } from "../../../src/protocol/workspace.ts";
import type { SnapwireClient } from "../../connection.ts";
import { readFailure } from "../../failure.ts";
import { createLiveProjects, type LiveProjects } from "../../live-projects.ts";
import { pageFrames } from "../../page-frame.ts";
import type { SnapshotsClient } from "../../snapshots-client.ts";
import type { ObservedChange } from "../model/changes.ts";
import { type ProjectState, ProjectWatch } from "./project-watch.ts";

export interface BoardState {
  /** `connecting`: which projects there are is not known yet. */
  readonly phase: "connecting" | "denied" | "ready";
  /** By name. */
  readonly projects: readonly ProjectState[];
  /** Projects beyond the bound, which are not watched. */
  readonly unwatched: readonly string[];
  /** Newest first. */
  readonly trail: readonly ObservedChange[];
}

export interface BoardStore {
  getState(this: void): BoardState;
  subscribe(this: void, listener: () => void): () => void;
  readonly connection: SnapwireClient["connection"];
  /** Tries everything again now. */
  retry(): void;
  close(): void;
}

export interface BoardStoreOptions {
  readonly client: SnapwireClient;
  /** What projects are watched through, where it is not the client's own. */
  readonly snapshots?: SnapshotsClient;
  readonly now?: () => number;
}

/** Each is one subscription; the server allows 128 on a socket. */
const WATCHED_MAX = 64;
const TRAIL_MAX = 500;
/** After an error of the list of projects, in milliseconds. */
const LIST_AGAIN_MS = 2_000;

export function createBoardStore(options: BoardStoreOptions): BoardStore {
  return new Store(options);
}

class Store implements BoardStore {
  readonly connection: SnapwireClient["connection"];
  readonly #client: SnapwireClient;
  readonly #now: () => number;
  readonly #projects: LiveProjects<WorkspaceEntry>;
  readonly #watches = new Map<string, ProjectWatch>();
  readonly #listeners = new Set<() => void>();
  readonly #schedule = pageFrames();
  readonly #stopRenewed: () => void;
  #listed: readonly string[] | undefined;
  #denied = false;
  #list: { unsubscribe(): void } | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  #telling = false;
  #closed = false;
  #trail: readonly ObservedChange[] = [];
  #state: BoardState = { phase: "connecting", projects: [], unwatched: [], trail: [] };

  constructor({ client, snapshots, now = Date.now }: BoardStoreOptions) {
    this.#client = client;
    this.connection = client.connection;
    this.#now = now;
    this.#projects = createLiveProjects(
      snapshots ? { snapshots, connection: client.connection } : client,
    ) as unknown as LiveProjects<WorkspaceEntry>;
    this.#stopRenewed = client.connection.onRenewed(() => this.#watchList());
    this.#watchList();
  }

  readonly getState = (): BoardState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  retry(): void {
    this.connection.reconnect();
    for (const watch of this.#watches.values()) watch.retry();
    if (this.#denied) this.#watchList();
  }

  close(): void {
    this.#closed = true;
    this.#stopRenewed();
    this.#list?.unsubscribe();
    clearTimeout(this.#again);
    for (const watch of this.#watches.values()) watch.close();
    this.#projects.close();
  }

  #watchList(): void {
    clearTimeout(this.#again);
    this.#list?.unsubscribe();
    if (this.#closed) return;
    const list = this.#client.trpc.snapshots.onProjects.subscribe(undefined, {
      onData: ({ data }) => {
        if (this.#list !== list) return;
        this.#denied = false;
        this.#listed = data.projects;
        this.#align();
      },
      onError: (error) => {
        if (this.#list !== list) return;
        const failure = readFailure(error);
        this.#denied = failure === "unauthorized" || failure === "forbidden";
        if (!this.#denied) this.#listAgain();
        this.#changed();
      },
      onStopped: () => {
        if (this.#list === list) this.#listAgain();
      },
    });
    this.#list = list;
  }

  #listAgain(): void {
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.#watchList(), LIST_AGAIN_MS);
  }

  /** Watches what is listed. One that is no longer listed stays until its own subscription says that it is over. */
  #align(): void {
    for (const projectId of this.#listed ?? []) {
      if (this.#watches.has(projectId) || this.#watches.size >= WATCHED_MAX) continue;
      const watch = new ProjectWatch({
        project: this.#projects.project(projectId),
        now: this.#now,
        onChange: () => this.#changed(),
        onObserved: (changes) => {
          this.#trail = [...changes, ...this.#trail].slice(0, TRAIL_MAX);
        },
      });
      this.#watches.set(projectId, watch);
    }
    for (const [projectId, watch] of this.#watches) {
      if (this.#listed?.includes(projectId)) continue;
      const { status, entries } = watch.state.view;
      if (status !== "ended" && entries.length > 0) continue;
      watch.close();
      this.#watches.delete(projectId);
    }
    this.#changed();
  }

  /** Once per frame, however many projects changed. */
  #changed(): void {
    if (this.#telling || this.#closed) return;
    this.#telling = true;
    this.#schedule(() => {
      this.#telling = false;
      if (this.#closed) return;
      const projects = [...this.#watches.values()].map(({ state }) => state).sort(byProjectId);
      this.#state = {
        phase: this.#denied ? "denied" : this.#listed === undefined ? "connecting" : "ready",
        projects,
        unwatched: (this.#listed ?? []).filter((projectId) => !this.#watches.has(projectId)),
        trail: this.#trail,
      };
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function byProjectId(a: ProjectState, b: ProjectState): number {
  return a.projectId < b.projectId ? -1 : 1;
}
