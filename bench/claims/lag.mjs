/**
 * lag: how old a change is when it arrives, at a steady rate that no server is busy with, and what stalled clients do
 * to healthy ones.
 *
 * In:       1,000 subscribers, 10 changes a second; none stalled, or 10 % of them, full to the brim beforehand.
 * Out:      lag of the healthy ones, server CPU per delivery; for ours, the bytes that wait for a stalled one.
 * Promise:  the stalled ones read nothing while it is measured; released, they end with the store's state like all.
 */
import { bytes, count, microseconds, milliseconds, percent, table } from "../lib/format.mjs";
import { inRounds } from "../lib/rounds.mjs";
import { openSession } from "../lib/session.mjs";
import { summarize } from "../lib/statistics.mjs";
import { saturated, steady } from "../lib/stretch.mjs";
import { SERVERS } from "../servers/catalogue.mjs";

export const name = "lag";
export const title = "Lag at a steady rate";

const STEADY = ["snapwire", "snapwire-stock", "trpc", "graphql-ws", "socket.io", "ws", "net"];
const STALLED = ["snapwire", "snapwire-stock", "socket.io", "ws"];
const PER_SECOND = 10;
/** Until the servers' code is compiled. */
const WARM_UP_MS = 1_000;
/** Changes of 5 KB, more than a stalled client's kernel buffers and high-water mark hold. */
const FILL_TURNS = 100;

export async function run(bench) {
  const connections = bench.subscribers ?? (bench.quick ? 50 : 1_000);
  const ms = bench.quick ? 500 : 4_000;
  const rounds = bench.rounds ?? (bench.quick ? 1 : 2);
  const perSecond = bench.rate ?? PER_SECOND;
  const runs = [];
  for (const stalled of [0, 0.1]) {
    await inRounds(bench.servers(stalled ? STALLED : STEADY), rounds, async (server, round) => {
      bench.log(`lag: ${percent(stalled)} stalled, round ${round + 1}, ${server}`);
      const session = await openSession(bench, server, { connections, keys: 128, stalled, connect: false });
      try {
        await session.connect();
        if (stalled) {
          await session.load.ask("stall"); // before anything was sent: the kernel's buffers are still small
          await saturated(session, { perTurn: 1, turns: FILL_TURNS, padded: true });
        }
        await saturated(session, { perTurn: 1, ms: bench.quick ? 100 : WARM_UP_MS });
        const stretch = await steady(session, { ms, perSecond });
        const { stats } = await session.server.ask("counts");
        await session.load.ask("release");
        await session.verify();
        const clients = Math.floor(connections * stalled);
        runs.push({
          server,
          stalled,
          ...stretch,
          ...(stalled && stats?.sockets ? { waitingPerStalled: stats.bufferedBytes / clients } : {}),
        });
      } finally {
        await session.close();
      }
    });
  }
  return { connections, perSecond, rows: summarizeRuns(runs) };
}

function summarizeRuns(runs) {
  const keys = [...new Set(runs.map(({ server, stalled }) => `${server} ${stalled}`))];
  return keys.map((key) => {
    const group = runs.filter(({ server, stalled }) => `${server} ${stalled}` === key);
    const of = (pick) => summarize(group.map(pick));
    return {
      server: group[0].server,
      stalledShare: group[0].stalled,
      lagP50Us: of((one) => one.lagUs.p50),
      lagP99Us: of((one) => one.lagUs.p99),
      lagMaxUs: of((one) => one.lagUs.max),
      cpuUsPerDelivery: of((one) => one.cpuUsPerDelivery),
      deliveriesPerSecond: of((one) => one.deliveriesPerSecond),
      ...(group[0].waitingPerStalled === undefined
        ? {}
        : { waitingPerStalledBytes: of((one) => one.waitingPerStalled) }),
    };
  });
}

export const rowOf = (result, server, stalledShare) =>
  result?.rows.find((row) => row.server === server && row.stalledShare === stalledShare);

export function report({ connections, perSecond, rows }) {
  return [
    `**${connections.toLocaleString("en")} subscribers, ${perSecond} changes a second**`,
    table(
      [
        "server",
        "stalled",
        "lag p50",
        "lag p99",
        "spread of p99",
        "worst",
        "CPU each",
        "deliveries/s",
        "waiting per stalled client",
      ],
      rows.map((row) => [
        SERVERS[row.server].title,
        percent(row.stalledShare),
        milliseconds(row.lagP50Us.median),
        milliseconds(row.lagP99Us.median),
        percent(row.lagP99Us.spread),
        milliseconds(row.lagMaxUs.median),
        microseconds(row.cpuUsPerDelivery.median),
        count(row.deliveriesPerSecond.median),
        row.waitingPerStalledBytes ? bytes(row.waitingPerStalledBytes.median) : "",
      ]),
    ),
  ].join("\n\n");
}
