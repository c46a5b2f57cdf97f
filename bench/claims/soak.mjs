/**
 * soak: a long run with churn. Clients subscribe, stop, drop, stall and resume at random (with valid, foreign and no
 * positions), in four projects, while entries change, vanish and come back.
 *
 * Out:      the server's heap and resident memory every few seconds, and a verdict: flat after warm-up, or not.
 * Promise:  twice a minute, and at the end, churn and writes pause, everybody comes back, and every replica is compared
 *           with the store; the memory of these calm moments is what the verdict looks at. When all have gone, no
 *           subscription is left.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bytes, count, table } from "../lib/format.mjs";
import { openSession } from "../lib/session.mjs";
import { median, slope } from "../lib/statistics.mjs";
import { SERVERS } from "../servers/catalogue.mjs";

export const name = "soak";
export const title = "Soak with churn";

const SCOPES = 4;
const KEYS = 256;
const WARM_UP_SHARE = 0.25;
/** Flat: the trend over the rest explains no more than this share of the heap, or this much, whichever is larger. */
const FLAT_SHARE = 0.05;
const FLAT_BYTES = 2 * 1024 ** 2;

export async function run(bench) {
  const minutes = bench.minutes ?? 10;
  const connections = bench.subscribers ?? 200;
  const seed = bench.seed ?? 1;
  const [server] = bench.servers(["snapwire"]);
  const totalMs = minutes * 60_000;
  const checkEveryMs = Math.min(30_000, totalMs / 8);
  const sampleEveryMs = Math.min(5_000, totalMs / 40);
  const session = await openSession(bench, server, { connections, keys: KEYS, scopes: SCOPES, stalled: 0 });
  const samples = [];
  const look = async (calm) => {
    const { rss, heapUsed, external } = await session.server.ask("memory");
    samples.push({ seconds: elapsed() / 1_000, heapBytes: heapUsed + external, residentBytes: rss, calm });
    bench.log(
      `soak: ${samples.at(-1).seconds.toFixed(0)} s, heap ${bytes(heapUsed + external)}, resident ${bytes(rss)}` +
        `${calm ? `; all ${connections} replicas equal the store` : ""}`,
    );
  };
  const happened = {
    changes: 0,
    deliveries: 0,
    drops: 0,
    stops: 0,
    stalls: 0,
    resumes: 0,
    fulls: 0,
    removed: 0,
  };
  let checks = 0;
  let startedAt = 0;
  const elapsed = () => performance.now() - startedAt;
  try {
    await session.server.ask("touch", { keys: KEYS, times: 1 });
    await session.verify();
    startedAt = performance.now();
    while (elapsed() < totalMs) {
      await session.load.ask("reset");
      await session.server.ask("roam", { perSecond: bench.rate ?? 200, removals: 0.05 });
      await session.load.ask(`churn ${connections / 2} ${seed + checks}`);
      const until = Math.min(totalMs, elapsed() + checkEveryMs);
      while (elapsed() < until) {
        await sleep(sampleEveryMs);
        await look(false);
      }
      const { n } = await session.server.ask("rest");
      await session.load.ask("calm");
      const report = await session.verify();
      checks += 1;
      happened.changes = n;
      for (const what of Object.keys(happened)) happened[what] += what === "changes" ? 0 : report[what];
      await session.subscribersAre(connections);
      await look(true);
    }
    await session.load.ask("drop");
    await session.subscribersAre(0);
    return {
      server,
      minutes,
      connections,
      seed,
      checks,
      happened,
      ...verdict(samples),
      samples,
    };
  } finally {
    await session.close();
  }
}

/** The trend of the calm moments after warm-up, by least squares, over the whole of the rest. */
function verdict(samples) {
  const calm = samples.filter((sample) => sample.calm);
  const rest = calm.slice(Math.floor(calm.length * WARM_UP_SHARE));
  const seconds = rest.at(-1).seconds - rest[0].seconds;
  const growth = (pick) => slope(rest.map((sample) => [sample.seconds, pick(sample)])) * seconds;
  const heapMedian = median(rest.map(({ heapBytes }) => heapBytes));
  const heapGrowthBytes = growth(({ heapBytes }) => heapBytes);
  const residentGrowthBytes = growth(({ residentBytes }) => residentBytes);
  const flat = heapGrowthBytes <= Math.max(FLAT_BYTES, heapMedian * FLAT_SHARE);
  return { flat, heapMedianBytes: heapMedian, heapGrowthBytes, residentGrowthBytes };
}

export function report(result) {
  const calm = result.samples.filter((sample) => sample.calm);
  const step = Math.max(1, Math.floor(calm.length / 10));
  const series = calm.filter((_, at) => at % step === 0 || at === calm.length - 1);
  const { happened } = result;
  return [
    `${SERVERS[result.server].title}, ${result.minutes} minutes, ${result.connections} clients, seed ${result.seed}: ` +
      `**memory is ${result.flat ? "flat" : "NOT flat"} after warm-up** (heap ${bytes(result.heapMedianBytes)}, trend ` +
      `${bytes(result.heapGrowthBytes)}; resident trend ${bytes(result.residentGrowthBytes)}); ` +
      `${result.checks} comparisons, all replicas equal; no subscription left at the end.`,
    `${count(happened.changes)} changes, ${count(happened.deliveries)} deliveries, ${count(happened.drops)} drops, ` +
      `${count(happened.stops)} stops, ${count(happened.stalls)} stalls, ${count(happened.resumes)} times back, ` +
      `${count(happened.fulls)} full frames, ${count(happened.removed)} removals delivered.`,
    table(
      ["calm at second", ...series.map(({ seconds }) => seconds.toFixed(0))],
      [
        ["heap", ...series.map(({ heapBytes }) => bytes(heapBytes))],
        ["resident", ...series.map(({ residentBytes }) => bytes(residentBytes))],
      ],
    ),
  ].join("\n\n");
}
