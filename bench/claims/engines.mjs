/**
 * engines: what a change costs, by where it is kept.
 *
 * In:       1 KB records over 10,000 keys, compare-and-set, each engine in a process of its own.
 * Out:      appends per second (one after the other; 64 at a time), lag from the append to a follower at a steady rate,
 *           time to be ready again over 10,000 keys, size on disk.
 * Promise:  the follower's newest records, and those found after the restart, are what was written.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { bytes, count, microseconds, milliseconds, table } from "../lib/format.mjs";
import { findNatsServer } from "../lib/nats.mjs";
import { ReplicasDiffer } from "../lib/session.mjs";

export const name = "engines";
export const title = "Engines";

const WORKER = fileURLToPath(new URL("./engines-worker.mjs", import.meta.url));
const nats = findNatsServer();
/** A further engine is a line here, and a case in the worker. */
const ENGINES = {
  memory: "memory",
  "embedded-process": "embedded, `--durability process`",
  "embedded-disk": "embedded, `--durability disk`",
  nats: "NATS JetStream, one server on this machine",
  "nats-cluster": "NATS JetStream, three servers on this machine, three copies",
};
/** The engines that can be measured here. */
const own = Object.keys(ENGINES).filter((engine) => nats !== undefined || !engine.startsWith("nats"));

export async function run(bench) {
  const rows = [];
  if (!nats) bench.log("engines: there is no nats-server, so those that need one are left out");
  for (const engine of bench.servers(own)) {
    bench.log(`engines: ${engine}`);
    rows.push({ engine, ...(await work(bench, engine)) });
  }
  return { rows, server: nats?.version };
}

async function work(bench, engine) {
  const child = spawn(process.execPath, [WORKER, engine, bench.quick ? "200" : "3000"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_ENV: "production", SNAPWIRE_DIST: bench.dist },
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`the process of ${engine} ended with ${code}`);
  const { same, ...row } = JSON.parse(output);
  if (!same) throw new ReplicasDiffer(`engines: a follower of ${engine} differs`);
  return row;
}

const lag = (us) => (us >= 10_000 ? milliseconds(us) : microseconds(us));

export function report({ rows, server }) {
  const engines = table(
    [
      "engine",
      "appends/s",
      "64 at a time",
      "lag at 500/s p50",
      "p99",
      "lag at 5,000/s p50",
      "p99",
      "ready over 10,000",
      "on disk",
    ],
    rows.map(({ engine, ...row }) => [
      ENGINES[engine] ?? engine,
      count(row.perSecond),
      count(row.perSecondOf64),
      lag(row.lagP50Us),
      lag(row.lagP99Us),
      lag(row.busyLagP50Us),
      lag(row.busyLagP99Us),
      row.readyUs === null ? "-" : milliseconds(row.readyUs),
      row.bytesOnDisk === null ? "-" : bytes(row.bytesOnDisk),
    ]),
  );
  return server === undefined ? engines : `${engines}\n\nnats-server ${server}.`;
}
