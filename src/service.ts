/** What a service takes, and what it gives to those who hold it. How it is wired: snapwire.ts. */
import type { Agents } from "./agents/agents.ts";
import type { AgentsOptions } from "./agents/options.ts";
import type { Broadcaster } from "./events/broadcaster.ts";
import type { EventHub } from "./events/hub.ts";
import type { EventsOptions } from "./events/options.ts";
import type { Feed } from "./feed/feed.ts";
import type { Github } from "./github/index.ts";
import type { ClientReport, Counters, Health, SnapwireStats, Transport } from "./health.ts";
import type { Journal } from "./journal/journal.ts";
import type { Logger } from "./log.ts";
import type { SnapshotFrame } from "./protocol/frames.ts";
import type { WorkspaceEntry } from "./protocol/workspace.ts";
import type { Revocable } from "./revocations.ts";
import type { RunOutputs } from "./run-output/run-outputs.ts";
import type { SessionRetention } from "./sessions/retention.ts";
import type { Sessions } from "./sessions/sessions.ts";
import type { ProjectList } from "./snapshots/projects.ts";
import type { SnapshotStore } from "./snapshots/store.ts";
import type { Collector } from "./sources/collector.ts";
import type { Source } from "./sources/source.ts";
import type { StreamRetention, Streams } from "./streams/streams.ts";

/** A host that keeps its own truth: what `invalidate` and reconciliation read. Both or none. */
export interface HostTruth {
  /** Which workspaces exist now. */
  readonly list?: Source["list"];
  /** Their rows; an id without a row is gone. */
  readonly read?: Source["read"];
}

export interface SnapwireOptions extends HostTruth {
  /** Bounds and times of what is sent to devices. */
  readonly agents?: AgentsOptions;
  /** A host's own event types, and how many events are kept for how long. */
  readonly events?: EventsOptions;
  /** Which repositories on GitHub belong to which projects: `owner/name` in lower case to project id. */
  readonly github?: { readonly repositories: () => ReadonlyMap<string, string> };
  /** The order and its durability. @defaultValue memory: nothing survives the process */
  readonly journal?: Journal;
  /** Who observes workspaces, besides `list` and `read`. */
  readonly sources?: readonly Source[];
  /** @defaultValue says nothing */
  readonly logger?: Logger;
  /** The system clock, in milliseconds since 1970. @defaultValue Date.now */
  readonly now?: () => number;
  /** From the end of one reconciliation pass to the start of the next, in milliseconds. @defaultValue 60_000 */
  readonly reconcileEveryMs?: number;
  /** How long a client may be away and still resume over removals, in milliseconds. @defaultValue 3_600_000 */
  readonly tombstonesForMs?: number;
  /** How many removals per project are kept for resuming clients. @defaultValue 10_000 */
  readonly tombstonesPerScope?: number;
  /** How long a new subscriber waits for the first pass, in milliseconds. @defaultValue 5_000 */
  readonly firstPassWaitMs?: number;
  /** How long a position that this node has not reached is waited for, in milliseconds. @defaultValue 10_000 */
  readonly behindWaitMs?: number;
  /** The workspace in whose folder a path is, for those who run something there. @defaultValue nobody knows */
  readonly workspaceAt?: (path: string) => string | undefined;
  /** How long and how many sessions are kept. */
  readonly sessions?: SessionRetention;
  /** How many streams and artifacts are kept. */
  readonly streams?: StreamRetention;
}

export interface Snapwire<Entry = WorkspaceEntry> extends AsyncDisposable {
  /** Devices: who is online, what is sent to them, and what becomes of it. */
  readonly agents: Agents;
  /** What happened: published once, told to everybody whom it concerns. */
  readonly events: EventHub;
  /** The same, by the methods of a server of sessions and agents. */
  readonly broadcaster: Broadcaster;
  /** Opens the journal and begins to observe. Idempotent; resolves when writes and subscriptions are served. */
  start(): Promise<void>;
  /** Ends timers and sources, rejects later writes, waits for work in flight, ends every subscription. Idempotent. */
  stop(): Promise<void>;
  /** The entries, their events, and how to change them. */
  readonly workspaces: Workspaces<Entry>;
  /** Where sources of a host's own report what they saw. */
  readonly collector: Pick<Collector, "report" | "remove" | "submit">;
  /** Runs of coding agents; what they do flows into the entries of their workspaces. */
  readonly sessions: Pick<
    Sessions,
    "update" | "get" | "ofWorkspace" | "projectOf" | "positionOf" | "size" | "waiting" | "feed"
  >;
  /** The last words of run scripts, in memory. */
  readonly runOutputs: RunOutputs;
  /** The workspace in whose folder a path is. */
  workspaceAt(path: string): string | undefined;
  /** What GitHub says of pull requests and checks; there when the option is. */
  readonly github: Github | undefined;
  /** Which repositories belong to which projects now. */
  repositories(): ReadonlyMap<string, string>;
  /** Lines of work of a project, and their artifacts; each change says an event. */
  readonly streams: Omit<Streams, "open" | "close">;
  readonly feed: Feed<Entry, SnapshotFrame<Entry>>;
  readonly projects: ProjectList;
  /** Ends all subscriptions of a project for good (`project-gone`). Its workspaces are removed by whoever owns them. */
  endProject(projectId: string): void;
  /**
   * Ends what a subject may do before its tokens end: its live subscriptions within a second (`revoked`), and every
   * later call with a token that was issued until now. Remembered for 24 h, on this node.
   */
  revoke(identity: { readonly subject: string }): void;
  isRevoked(identity: Revocable): boolean;
  /** @returns how to hear no more. */
  onRevoke(listener: () => void): () => void;
  /** Started and not stopped: what is known can be read and watched. */
  serving(): boolean;
  /** Serving, and the journal can be written. */
  ready(): boolean;
  /** Whether the first pass of the project's sources is done: "not seeded yet" is not "empty". */
  complete(projectId: string): boolean;
  health(): Health;
  stats(): SnapwireStats;
  /** The open, authenticated sockets of this node, the oldest first. @param limit - @defaultValue 100 */
  clients(limit?: number): readonly ClientReport[];
  /** Adds what a server knows of its connections to health and stats. @returns how to take it away */
  addTransport(transport: Transport): () => void;
  /** Adds what somebody counts, by outcome, to stats and metrics. @param name - snake_case @returns how to take it away */
  addCounters(name: string, read: () => Counters): () => void;
}

/** The store as hosts see it; an EventEmitter of SNAPSHOT_CHANGED and SNAPSHOT_REMOVED. */
export type Workspaces<Entry> = Pick<
  SnapshotStore<never, never, Entry>,
  | "upsert"
  | "remove"
  | "getByProjectId"
  | "getByWorkspaceId"
  | "projectOf"
  | "on"
  | "once"
  | "off"
  | "addListener"
  | "removeListener"
  | "listenerCount"
  | "collection"
> & {
  /** Says that a workspace changed where the host keeps it: it is read again through `read`. */
  invalidate(workspaceId: string): void;
};
