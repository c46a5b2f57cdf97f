/**
 * store: what an upsert costs, by the size of the project, and what a full frame costs the second time.
 *
 * In:       100 and 10,000 workspaces in one project; patches that change derived state.
 * Out:      upserts per second (one by one; 16 at once), heap per entry over its JSON, server CPU of full frames.
 * Promise:  a replica that only heard the store's events holds the store's entries at the end.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onCore } from "../lib/cores.mjs";
import { bytes, count, microseconds, milliseconds, table } from "../lib/format.mjs";
import { openSession, ReplicasDiffer } from "../lib/session.mjs";
import { SERVERS } from "../servers/catalogue.mjs";

export const name = "store";
export const title = "The store";

const WORKER = fileURLToPath(new URL("./store-worker.mjs", import.meta.url));

export async function run(bench) {
  const rows = [];
  for (const entries of bench.quick ? [100, 1_000] : [100, 10_000]) {
    bench.log(`store: ${entries} entries`);
    rows.push(await work(bench, entries, bench.quick ? 1_000 : 30_000));
  }
  const fulls = [];
  for (const server of bench.servers(["snapwire", "snapwire-stock"])) {
    bench.log(`store: full frames, ${server}`);
    fulls.push(await fullFrames(bench, server, bench.quick ? 1_000 : 10_000));
  }
  return { rows, fulls };
}

async function work(bench, entries, upserts) {
  const words = ["--expose-gc", WORKER, String(entries), String(upserts)];
  const [command, ...args] = onCore("server", process.execPath, ...words);
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_ENV: "production", SNAPWIRE_DIST: bench.dist },
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`the store's process ended with ${code}`);
  const { same, ...row } = JSON.parse(output);
  if (!same) throw new ReplicasDiffer(`store: the replica of ${entries} entries differs`);
  return row;
}

/** One subscriber after the other: each is sent the whole project. */
async function fullFrames(bench, server, keys) {
  const session = await openSession(bench, server, { connections: 1, keys, connect: false });
  try {
    const { n } = await session.server.ask("touch", { keys, times: 1 });
    const costs = [];
    for (let subscriber = 0; subscriber < 3; subscriber += 1) {
      await session.load.ask("drop");
      const before = await session.server.ask("cpu");
      const { doneUs } = await session.load.ask(`resume none ${n}`);
      const after = await session.server.ask("cpu");
      const { bytes: size } = await session.verify();
      costs.push({ wallUs: doneUs, cpuUs: after.us - before.us, bytes: size });
    }
    return { server, entries: keys, first: costs[0], second: costs[1], third: costs[2] };
  } finally {
    await session.close();
  }
}

export function report({ rows, fulls }) {
  return [
    table(
      ["entries", "upserts/s", "16 at once", "p50", "p99", "heap per entry", "of it JSON"],
      rows.map((row) => [
        row.entries.toLocaleString("en"),
        count(row.perSecond),
        count(row.perSecondInBursts),
        microseconds(row.p50Us),
        microseconds(row.p99Us),
        bytes(row.heapPerEntry),
        bytes(row.jsonPerEntry),
      ]),
    ),
    `**Full frames of ${fulls[0]?.entries.toLocaleString("en")} entries: server CPU**`,
    table(
      ["server", "bytes", "first subscriber", "second", "third"],
      fulls.map(({ server, first, second, third }) => [
        SERVERS[server].title,
        bytes(first.bytes),
        milliseconds(first.cpuUs),
        milliseconds(second.cpuUs),
        milliseconds(third.cpuUs),
      ]),
    ),
  ].join("\n\n");
}
