/**
 * fanout: one change to many subscribers.
 *
 * In:       levels of subscribers, with 1 and with 16 changes a turn, changes offered as fast as they are taken.
 * Out:      deliveries per second, server CPU per delivery, lag while saturated, bytes per change.
 * Promise:  a delivery is one change that one subscriber has received and counted; what a server conflates is no
 *           delivery. Each session ends with each replica compared with the store.
 */
import { bar, bytes, count, microseconds, milliseconds, percent, table } from "../lib/format.mjs";
import { inRounds } from "../lib/rounds.mjs";
import { openSession } from "../lib/session.mjs";
import { summarize } from "../lib/statistics.mjs";
import { saturated } from "../lib/stretch.mjs";
import { ALL_SERVERS, SERVERS } from "../servers/catalogue.mjs";

export const name = "fanout";
export const title = "Fan-out, saturated";

const LEVELS = [
  { subscribers: 100, rounds: 2 },
  { subscribers: 1_000, rounds: 3 },
  { subscribers: 5_000, rounds: 1 },
];
const PER_TURN = [1, 16];
/** Until the servers' code is compiled: what still compiles shares the core that is measured. */
const WARM_UP_MS = 1_000;
const MEASURE_MS = 1_200;

export async function run(bench) {
  const levels = bench.quick ? [{ subscribers: 50, rounds: 1 }] : LEVELS;
  const wanted = bench.subscribers;
  const runs = [];
  for (const { subscribers, rounds } of wanted
    ? [{ subscribers: wanted, rounds: bench.rounds ?? 3 }]
    : levels) {
    const servers = bench
      .servers(ALL_SERVERS)
      .filter((server) => !SERVERS[server].slow || subscribers <= 1_000);
    await inRounds(servers, bench.rounds ?? rounds, async (server, round) => {
      if (SERVERS[server].slow && round > 0) return;
      bench.log(`fanout: ${subscribers} subscribers, round ${round + 1}, ${server}`);
      const session = await openSession(bench, server, { connections: subscribers });
      try {
        for (const perTurn of PER_TURN) {
          if (server === "ws-corked" && perTurn === 1) continue; // the same as `ws`
          if (perTurn > 1 && subscribers > (SERVERS[server].burstsUpTo ?? Number.POSITIVE_INFINITY)) continue;
          await saturated(session, { perTurn, ms: bench.quick ? 50 : WARM_UP_MS });
          const stretch = await saturated(session, { perTurn, ms: bench.quick ? 150 : MEASURE_MS });
          await session.verify();
          runs.push({ server, subscribers, perTurn, round, ...stretch });
        }
      } finally {
        await session.close();
      }
    });
  }
  return { rows: summarizeRuns(runs) };
}

function summarizeRuns(runs) {
  const groups = Map.groupBy
    ? Map.groupBy(runs, keyOf)
    : runs.reduce((map, one) => map.set(keyOf(one), [...(map.get(keyOf(one)) ?? []), one]), new Map());
  return [...groups.values()].map((group) => {
    const [{ server, subscribers, perTurn }] = group;
    const of = (pick) => summarize(group.map(pick));
    return {
      server,
      subscribers,
      perTurn,
      deliveriesPerSecond: of((one) => one.deliveriesPerSecond),
      cpuUsPerDelivery: of((one) => one.cpuUsPerDelivery),
      lagP50Us: of((one) => one.lagUs.p50),
      lagP99Us: of((one) => one.lagUs.p99),
      bytesPerDelivery: of((one) => one.bytesPerDelivery),
      conflatedShare: of((one) => one.conflated / (one.conflated + one.deliveries)),
      clientBusy: of((one) => one.clientBusy),
      serverBusy: of((one) => one.serverBusy),
      ...(group[0].encodesPerChange === undefined
        ? {}
        : { encodesPerChange: of((one) => one.encodesPerChange) }),
    };
  });
}

const keyOf = ({ server, subscribers, perTurn }) => `${server} ${subscribers} ${perTurn}`;

export function rowOf(result, server, subscribers, perTurn) {
  return result?.rows.find(
    (row) => row.server === server && row.subscribers === subscribers && row.perTurn === perTurn,
  );
}

export function report(result) {
  const levels = [...new Set(result.rows.map(({ subscribers }) => subscribers))];
  return levels
    .flatMap((subscribers) =>
      PER_TURN.map((perTurn) => {
        const rows = result.rows
          .filter((row) => row.subscribers === subscribers && row.perTurn === perTurn)
          .sort((a, b) => b.deliveriesPerSecond.median - a.deliveriesPerSecond.median);
        if (rows.length === 0) return [];
        const heading = `**${subscribers.toLocaleString("en")} subscribers, ${perTurn === 1 ? "1 change" : `${perTurn} changes`} a turn**`;
        return [`${heading}\n\n${ladder(rows)}`];
      }),
    )
    .flat()
    .join("\n\n");
}

function ladder(rows) {
  const best = Math.max(...rows.map(({ deliveriesPerSecond }) => deliveriesPerSecond.median));
  return table(
    [
      "server",
      "deliveries/s",
      "spread",
      "CPU each",
      "lag p50",
      "lag p99",
      "bytes each",
      "conflated",
      "client busy",
      "log scale",
    ],
    rows.map((row) => [
      SERVERS[row.server].title,
      count(row.deliveriesPerSecond.median),
      row.deliveriesPerSecond.rounds > 1 ? percent(row.deliveriesPerSecond.spread) : "1 round",
      microseconds(row.cpuUsPerDelivery.median),
      milliseconds(row.lagP50Us.median),
      milliseconds(row.lagP99Us.median),
      bytes(row.bytesPerDelivery.median),
      percent(row.conflatedShare.median),
      percent(row.clientBusy.median),
      bar(row.deliveriesPerSecond.median, 1_000, best, 20).padEnd(20),
    ]),
  );
}
