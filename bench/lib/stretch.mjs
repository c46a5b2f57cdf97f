/** One measured stretch of a session: the clients' counters and the server's, from the same change to the same change. */
import { ReplicasDiffer } from "./session.mjs";

/**
 * Turns that may be on their way, not yet seen by every healthy subscriber; the same for every server. Most never fill
 * it: they hand a change to everybody before the loop takes the next.
 */
const windowOf = (perTurn) => (perTurn === 1 ? 8 : 4);

/**
 * Offers changes as fast as they are taken, for `ms` or for `turns`.
 * @returns deliveries per second, server CPU per delivery, lag, bytes; verified
 */
export async function saturated(session, { perTurn, ...howLong }) {
  await session.load.ask("reset");
  const before = await session.server.ask("counts");
  const run = await session.server.ask(
    "saturate",
    { perTurn, window: session.window ?? windowOf(perTurn), ...howLong },
    180,
  );
  return measured(session, run, before);
}

/** Offers `perSecond` changes a second by the clock. */
export async function steady(session, { ms, perSecond }) {
  await session.load.ask("reset");
  const before = await session.server.ask("counts");
  const run = await session.server.ask("steady", { ms, perSecond }, 180);
  return measured(session, run, before);
}

async function measured(session, run, before) {
  const report = await session.load.ask("report");
  const { stats } = await session.server.ask("counts");
  const offered = run.changes * (session.connections - report.stalled);
  if (report.stalled === 0 && report.deliveries + report.duplicates > offered)
    throw new ReplicasDiffer(
      `${session.name}: ${report.deliveries} deliveries of ${offered} that were offered`,
    );
  const encodes =
    stats?.encodes === undefined ? undefined : (stats.encodes - before.stats.encodes) / run.changes;
  return {
    changes: run.changes,
    deliveries: report.deliveries,
    conflated: Math.max(0, offered - report.deliveries),
    deliveriesPerSecond: report.deliveries / (run.wallUs / 1e6),
    changesPerSecond: run.changes / (run.wallUs / 1e6),
    cpuUsPerDelivery: run.cpuUs / report.deliveries,
    serverBusy: run.cpuUs / run.wallUs,
    clientBusy: report.cpuUs / report.wallUs,
    lagUs: report.lagUs,
    bytesPerDelivery: report.bytes / report.deliveries,
    framesPerRead: report.messages / report.reads,
    ...(encodes === undefined ? {} : { encodesPerChange: encodes }),
  };
}
