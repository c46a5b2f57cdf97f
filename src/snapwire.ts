/**
 * snapwire: wires the rooms and owns their lifetimes.
 *
 *     sources -> journal -> collection -> feed -> router -> server
 */
import { createAgents } from "./agents/agents.ts";
import { createClock } from "./clock.ts";
import { Pruner } from "./collection/pruner.ts";
import { createBroadcaster } from "./events/broadcaster.ts";
import { EventHub } from "./events/hub.ts";
import { createUlid } from "./events/ulid.ts";
import { Feed } from "./feed/feed.ts";
import { Github } from "./github/index.ts";
import type { Counters, Health, HealthCheck, SnapwireStats, Transport } from "./health.ts";
import { createMemoryJournal } from "./journal/memory.ts";
import { silentLogger } from "./log.ts";
import { SnapwireError } from "./protocol/errors.ts";
import { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED } from "./protocol/events.ts";
import type { SnapshotFrame } from "./protocol/frames.ts";
import type { WorkspaceEntry } from "./protocol/workspace.ts";
import { Revocations } from "./revocations.ts";
import { RunOutputs } from "./run-output/run-outputs.ts";
import type { Snapwire, SnapwireOptions, Workspaces } from "./service.ts";
import { Sessions } from "./sessions/sessions.ts";
import { snapshotWording } from "./snapshots/frames.ts";
import { ProjectList } from "./snapshots/projects.ts";
import { SnapshotStore } from "./snapshots/store.ts";
import { Collector } from "./sources/collector.ts";
import { FreshnessBoard } from "./sources/freshness.ts";
import { Reconciler } from "./sources/reconciler.ts";
import type { Source } from "./sources/source.ts";
import { Streams } from "./streams/streams.ts";
import { VERSION } from "./version.ts";
import type { EntryModel } from "./workspace/entry-model.ts";
import { workspaceModel } from "./workspace/index.ts";

export type { HostTruth, Snapwire, SnapwireOptions, Workspaces } from "./service.ts";

const JOURNAL = "journal";
const CLIENTS_SHOWN = 100;
/** Owns what callers publish; a source of that name would find it gone. */
const API = "api";

export function createSnapwire<State, Patch, Entry extends { readonly workspaceId: string }>(
  options: SnapwireOptions & { readonly model: EntryModel<State, Patch, Entry> },
): Snapwire<Entry>;
export function createSnapwire(options?: SnapwireOptions): Snapwire<WorkspaceEntry>;
export function createSnapwire<State, Patch, Entry>(
  options: SnapwireOptions & { readonly model?: EntryModel<State, Patch, Entry> } = {},
): Snapwire<Entry> {
  const model = options.model ?? (workspaceModel as unknown as EntryModel<State, Patch, Entry>);
  const logger = options.logger ?? silentLogger;
  const clock = createClock(options.now);
  const journal = options.journal ?? createMemoryJournal();
  const revocations = new Revocations(clock.wall);
  const transports = new Set<Transport>();
  const counters = new Map<string, () => Counters>();
  let phase: "new" | "starting" | "running" | "stopped" = "new";
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  let startedAt = 0;
  let journalFresh: HealthCheck = { ok: true };

  const freshness = new FreshnessBoard({ now: clock.wall, onChange: () => feed.wakeAll() });
  const store = new SnapshotStore<State, Patch, Entry>({
    journal,
    model,
    clock,
    logger,
    ...(options.tombstonesForMs === undefined ? {} : { tombstonesForMs: options.tombstonesForMs }),
    ...(options.tombstonesPerScope === undefined ? {} : { tombstonesPerScope: options.tombstonesPerScope }),
    onReset: () => {
      projects.refresh();
      feed.wakeAll();
      pruner.touch();
    },
    onJournalStatus: (fresh, reason) => {
      journalFresh = fresh ? { ok: true } : { ok: false, detail: reason ?? "unavailable" };
      freshness.setAll(JOURNAL, fresh, reason);
    },
  });
  const collector = new Collector({ store, clock, logger });
  const agents = createAgents({ ...options.agents, journal, logger, now: clock.wall });
  const events = new EventHub({
    ...options.events,
    journal,
    logger,
    now: clock.wall,
    projectOf: ({ workspaceId, sessionId }) =>
      (workspaceId === undefined ? undefined : store.projectOf(workspaceId)) ??
      (sessionId === undefined ? undefined : sessions.projectOf(sessionId)),
    behindWaitMs: options.behindWaitMs,
  });
  const newEventId = createUlid({ now: clock.wall });
  const sessions: Sessions = new Sessions({
    ...options.sessions,
    journal,
    clock,
    logger,
    projectOf: (workspaceId) => store.projectOf(workspaceId),
    // The entries of a host's own model have no place for what sessions say.
    report: options.model ? undefined : (report) => collector.report(report),
    publish: (event) => events.publish(event),
    newId: newEventId,
    behindWaitMs: options.behindWaitMs,
  });
  const streams = new Streams({
    retention: options.streams,
    journal,
    clock,
    logger,
    publish: (event) => events.publish(event),
    newId: newEventId,
    behindWaitMs: options.behindWaitMs,
  });
  const github =
    options.github && !options.model
      ? new Github({
          journal,
          logger,
          now: clock.wall,
          repositories: options.github.repositories,
          entriesOf: (projectId) => store.getByProjectId(projectId) as unknown as readonly WorkspaceEntry[],
          report: (report) => collector.report(report),
        })
      : undefined;
  const reconcilers = sourcesOf(options).map(
    (source) =>
      new Reconciler({
        source,
        store,
        collector,
        freshness,
        clock,
        logger,
        ...(options.reconcileEveryMs === undefined ? {} : { everyMs: options.reconcileEveryMs }),
        onChange: () => {
          projects.refresh();
          feed.wakeAll();
        },
      }),
  );
  const complete = (): boolean => reconcilers.every(({ firstPassDone }) => firstPassDone);
  const feed: Feed<Entry, SnapshotFrame<Entry>> = new Feed({
    collection: store.collection,
    wording: snapshotWording<Entry>(),
    complete,
    freshness: (projectId) => freshness.of(projectId),
    ...(options.firstPassWaitMs === undefined ? {} : { firstPassWaitMs: options.firstPassWaitMs }),
    ...(options.behindWaitMs === undefined ? {} : { behindWaitMs: options.behindWaitMs }),
  });
  const projects = new ProjectList(() => [
    ...reconcilers.flatMap((reconciler) => reconciler.projects),
    ...store.projects(),
  ]);
  const runOutputs = new RunOutputs();
  const sumOfViews = (count: (view: { entryCount: number; tombstoneCount: number }) => number): number =>
    [...store.collection.views()].reduce((sum, view) => sum + count(view), 0);
  const tombstones = (): number => sumOfViews((view) => view.tombstoneCount);
  const pruner = new Pruner({
    count: tombstones,
    prune: () => store.collection.prune(),
    onError: (error) => logger.error({ error }, "tombstones were not pruned"),
  });

  store.on(SNAPSHOT_CHANGED, ({ workspaceId, projectId, entry }) => {
    if (!projects.has(projectId)) projects.refresh();
    feed.wake(projectId);
    collector.introduced(workspaceId);
    sessions.workspaceChanged(workspaceId, projectId);
    github?.look(entry as unknown as WorkspaceEntry);
  });
  store.on(SNAPSHOT_REMOVED, ({ workspaceId, projectId }) => {
    if (store.collection.view(projectId)?.entryCount === 0) projects.refresh();
    pruner.touch();
    feed.wake(projectId);
    sessions.workspaceLeft(workspaceId);
    github?.forget(workspaceId);
    if (store.projectOf(workspaceId) === undefined) runOutputs.forget(workspaceId);
  });

  function invalidate(workspaceId: string): void {
    const owner = store.ownerOf(workspaceId);
    const owners = reconcilers.filter((reconciler) => reconciler.name === owner);
    for (const reconciler of owners.length > 0 ? owners : reconcilers) reconciler.invalidate(workspaceId);
  }

  async function start(): Promise<void> {
    if (phase === "stopped")
      throw new SnapwireError("unavailable", "The service has been stopped; create a new one.");
    phase = "starting";
    await journal.open();
    await store.open();
    await events.open();
    await agents.open();
    await sessions.open();
    await streams.open();
    await github?.open();
    startedAt = performance.now();
    phase = "running";
    for (const reconciler of reconcilers) await reconciler.start();
  }

  async function stop(): Promise<void> {
    await starting?.catch(() => undefined);
    phase = "stopped";
    await Promise.all(reconcilers.map((reconciler) => reconciler.stop()));
    await sessions.close();
    await streams.close();
    await github?.close();
    await collector.stop();
    pruner.stop();
    feed.close();
    runOutputs.close();
    projects.close();
    await agents.close();
    await events.close();
    await store.close();
    await journal.close();
  }

  function stats(): SnapwireStats {
    const { deliveries, conflated, resumes, fulls } = feed.counters;
    const sum = { sockets: 0, bufferedBytes: 0, stalledSockets: 0, encodes: 0, writes: 0, sentBytes: 0 };
    for (const transport of transports) {
      const known = transport.stats();
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += known[key];
    }
    return {
      ...sum,
      agents: agents.stats(),
      events: events.stats(),
      sessions: sessions.stats(),
      streams: streams.stats(),
      subscriptions: feed.size,
      deliveries,
      conflated,
      resumes,
      fulls: { ...fulls },
      projects: projects.all.length,
      workspaces: sumOfViews((view) => view.entryCount),
      tombstones: tombstones(),
      counters: Object.fromEntries([...counters].map(([name, read]) => [name, { ...read() }])),
    };
  }

  function health(): Health {
    const stale = freshness.staleProjects;
    const checks: Record<string, HealthCheck> = {
      service: phase === "running" ? { ok: true } : { ok: false, detail: phase },
      journal: journalFresh,
      sources: stale.length === 0 ? { ok: true } : { ok: false, detail: `${stale.length} stale` },
      firstPass: complete()
        ? { ok: true }
        : { ok: false, detail: "the first pass of the sources still runs" },
    };
    const degraded = Object.values(checks).some(({ ok }) => !ok);
    return {
      status: phase !== "running" ? "unhealthy" : degraded ? "degraded" : "ok",
      ws_clients: stats().sockets,
      uptime: startedAt === 0 ? 0 : Math.floor((performance.now() - startedAt) / 1000),
      version: VERSION,
      checks,
    };
  }

  const live: Snapwire<Entry> = {
    start: () => {
      starting ??= start();
      return starting;
    },
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
    workspaces: Object.assign(store, { invalidate }) as unknown as Workspaces<Entry>,
    collector,
    agents,
    events,
    broadcaster: createBroadcaster(events, logger),
    sessions,
    streams,
    github,
    repositories: () => options.github?.repositories() ?? new Map(),
    runOutputs,
    workspaceAt: (path) => options.workspaceAt?.(path),
    feed,
    projects,
    endProject: (projectId) => {
      feed.end(projectId, "project-gone");
      streams.end(projectId, "project-gone");
    },
    revoke: (identity) => revocations.revoke(identity),
    isRevoked: (identity) => revocations.covers(identity),
    onRevoke: (listener) => revocations.onRevoke(listener),
    serving: () => phase === "running",
    complete,
    ready: () => phase === "running" && journalFresh.ok,
    health,
    stats,
    clients: (limit = CLIENTS_SHOWN) =>
      [...transports].flatMap((transport) => transport.clients(limit)).slice(0, limit),
    addTransport: (transport) => {
      transports.add(transport);
      return () => void transports.delete(transport);
    },
    addCounters: (name, read) => {
      counters.set(name, read);
      return () => {
        if (counters.get(name) === read) counters.delete(name);
      };
    },
    [Symbol.asyncDispose]: () => live.stop(),
  };
  return live;
}

function sourcesOf({ sources = [], list, read }: SnapwireOptions): readonly Source[] {
  const names = new Set<string>([API]);
  const all = list && read ? [...sources, { name: "host", list, read }] : sources;
  if ((list === undefined) !== (read === undefined)) {
    throw new SnapwireError(
      "invalid-input",
      "list and read go together: one says which workspaces exist, the other what they are.",
    );
  }
  for (const { name } of all) {
    if (names.has(name))
      throw new SnapwireError(
        "invalid-input",
        `Two sources are called ${name} (api: the callers of upsert). Give each its own name.`,
      );
    names.add(name);
  }
  return all;
}
