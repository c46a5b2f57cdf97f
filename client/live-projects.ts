/**
 * The projects that an application watches over one client: one subscription per project, however many parts of the
 * application look at it. Hooks, query caches and collections stand on this; it knows none of them.
 */
import type { ClientConnection } from "./connection-state.ts";
import { warnOnConsole } from "./listeners.ts";
import { type LiveSource, readSource, type SourceEntry } from "./live-source.ts";
import { LiveStanding, type LiveStatus } from "./live-status.ts";
import { pageFrames, type Schedule } from "./page-frame.ts";
import { idleView, type ProjectView } from "./project-view.ts";
import { createProjectReplica, type ProjectReplica, type ProjectReplicaOptions } from "./replica.ts";
import type { ReplicaEntry } from "./replica-state.ts";
import { SharedProject } from "./shared-project.ts";
import type { SnapshotsClient } from "./snapshots-client.ts";

export interface LiveProjectsOptions
  extends Pick<ProjectReplicaOptions, "retry" | "onWarning" | "now" | "surroundings"> {
  /** How long a project stays subscribed after the last watcher left, in milliseconds. @defaultValue 3_000 */
  readonly releaseAfterMs?: number | undefined;
  /** When watchers are told of changes. @defaultValue once per animation frame, once a second in a hidden page */
  readonly schedule?: Schedule | undefined;
}

/** A project to look at. It costs nothing until it is subscribed to. */
export interface LiveProject<Entry extends ReplicaEntry> {
  readonly projectId: string;
  /** The same object until something changes, and the same for all who look; needs no `this`. */
  getSnapshot(this: void): ProjectView<Entry>;
  /**
   * Watches: the first watcher opens the subscription. Calls after changes, at most once per frame; needs no `this`.
   * @returns The way to leave; the last one closes the subscription, after a while.
   */
  subscribe(this: void, listener: () => void): () => void;
  /** When anything was last heard, in milliseconds since 1970; undefined: never, or nobody watches. */
  readonly lastProofOfLife: number | undefined;
  /** Tries again now: after `denied` or `ended`, or instead of waiting. */
  retry(): void;
}

export interface LiveProjects<Entry extends ReplicaEntry> extends Disposable {
  project(projectId: string): LiveProject<Entry>;
  /** How many subscriptions are open. */
  readonly size: number;
  /** What is known of the line to the server. The same object until something changes; needs no `this`. */
  getStatus(this: void): LiveStatus;
  /** Calls when {@link getStatus} changes; needs no `this`. Returns the way to stop listening. */
  onStatus(this: void, listener: () => void): () => void;
  readonly connection: ClientConnection | undefined;
  /** Closes all subscriptions now. May be called again, and watched again. */
  close(): void;
}

const RELEASE_AFTER_MS = 3_000;
/** Views of projects that nobody watches are kept so that they stay the same object; more than so many are forgotten. */
const IDLE_VIEWS_MAX = 256;

class Registry<Entry extends ReplicaEntry> implements LiveProjects<Entry> {
  readonly connection: ClientConnection | undefined;
  readonly #replicaOf: (projectId: string) => ProjectReplica<Entry>;
  readonly #schedule: Schedule;
  readonly #now: () => number;
  readonly #releaseAfterMs: number;
  readonly #warn: (message: string, cause?: unknown) => void;
  readonly #open = new Map<string, SharedProject<Entry>>();
  readonly #idle = new Map<string, ProjectView<Entry>>();
  readonly #standing: LiveStanding;

  constructor(
    replicaOf: (projectId: string) => ProjectReplica<Entry>,
    connection: ClientConnection | undefined,
    options: LiveProjectsOptions,
  ) {
    this.#replicaOf = replicaOf;
    this.connection = connection;
    this.#schedule = options.schedule ?? pageFrames();
    this.#now = options.now ?? Date.now;
    this.#releaseAfterMs = options.releaseAfterMs ?? RELEASE_AFTER_MS;
    this.#warn = options.onWarning ?? warnOnConsole;
    this.#standing = new LiveStanding(connection, () => this.#statuses(), this.#warn);
  }

  get size(): number {
    return this.#open.size;
  }

  project(projectId: string): LiveProject<Entry> {
    /** What was watched from here: who still looks when it was closed sees its end, not nothing. */
    let watched: SharedProject<Entry> | undefined;
    const shared = (): SharedProject<Entry> | undefined => this.#open.get(projectId) ?? watched;
    return {
      projectId,
      getSnapshot: () => shared()?.view ?? this.#idleView(projectId),
      subscribe: (listener) => {
        const project = this.#openProject(projectId);
        watched = project;
        const leave = project.watch(listener, this.#releaseAfterMs);
        return () => {
          leave();
          if (watched === project && project.watchers === 0) watched = undefined;
        };
      },
      get lastProofOfLife() {
        return shared()?.replica.lastProofOfLife;
      },
      retry: () => shared()?.retry(),
    };
  }

  readonly getStatus = (): LiveStatus => this.#standing.status;

  readonly onStatus = (listener: () => void): (() => void) => this.#standing.subscribe(listener);

  close(): void {
    for (const shared of [...this.#open.values()]) shared.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #openProject(projectId: string): SharedProject<Entry> {
    const known = this.#open.get(projectId);
    if (known) return known;
    const replica = this.#replicaOf(projectId);
    const stopTelling = replica.subscribe(() => this.#standing.look());
    const shared = new SharedProject<Entry>({
      replica,
      idle: this.#idleView(projectId),
      schedule: this.#schedule,
      now: this.#now,
      warn: this.#warn,
      onReleased: () => {
        stopTelling();
        this.#open.delete(projectId);
        this.#standing.look();
      },
    });
    this.#open.set(projectId, shared);
    this.#standing.look();
    return shared;
  }

  *#statuses() {
    for (const { replica } of this.#open.values()) yield replica;
  }

  #idleView(projectId: string): ProjectView<Entry> {
    const known = this.#idle.get(projectId);
    if (known) return known;
    const view = idleView<Entry>(projectId);
    this.#idle.set(projectId, view);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > IDLE_VIEWS_MAX && oldest !== undefined) this.#idle.delete(oldest);
    return view;
  }
}

/** Live projects of one's own, apart from those that {@link liveProjectsOf} shares. */
export function createLiveProjects<Source extends LiveSource>(
  source: Source,
  options: LiveProjectsOptions = {},
): LiveProjects<SourceEntry<Source>> {
  const { snapshots, connection } = readSource(source);
  const { retry, onWarning, now, surroundings } = options;
  return new Registry<SourceEntry<Source>>(
    (projectId) =>
      createProjectReplica(snapshots, {
        projectId,
        connection,
        retry,
        onWarning,
        now,
        surroundings,
      }) as unknown as ProjectReplica<SourceEntry<Source>>, // the source's type says what its entries are
    connection,
    options,
  );
}

/** A client, or live projects of one's own. */
export type ProjectsSource = LiveSource | LiveProjects<ReplicaEntry>;

/** The entries that a source gives. */
export type ProjectsEntry<Source> =
  Source extends LiveProjects<infer Entry extends ReplicaEntry> ? Entry : SourceEntry<Source>;

const shared = new WeakMap<SnapshotsClient, LiveProjects<ReplicaEntry>>();

/**
 * The live projects of a client: the same ones for everybody who asks with the same client, so that hooks, query caches
 * and collections of one page share their subscriptions. Live projects are their own.
 */
export function liveProjectsOf<Source extends ProjectsSource>(
  source: Source,
): LiveProjects<ProjectsEntry<Source>>;
export function liveProjectsOf(source: ProjectsSource): LiveProjects<ReplicaEntry> {
  if (source instanceof Registry) return source;
  const client = source as LiveSource;
  const { snapshots } = readSource(client);
  const known = shared.get(snapshots);
  if (known) return known;
  const projects = createLiveProjects(client);
  shared.set(snapshots, projects);
  return projects;
}
