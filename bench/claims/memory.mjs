/**
 * memory: what one more subscriber costs the server's process, idle and stalled.
 *
 * In:       2,000 idle subscribers; then few, half of them stalled, while changes of 5 KB go on.
 * Out:      resident memory and heap (with buffers) per subscriber, after a full collection.
 * Promise:  the growth while stalled is looked at three times: flat is flat. Released, all end with the store's state.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { bytes, table } from "../lib/format.mjs";
import { inRounds } from "../lib/rounds.mjs";
import { openSession } from "../lib/session.mjs";
import { summarize } from "../lib/statistics.mjs";
import { saturated } from "../lib/stretch.mjs";
import { SERVERS } from "../servers/catalogue.mjs";

export const name = "memory";
export const title = "Memory";

const IDLE = ["snapwire", "snapwire-stock", "snapwire-sse", "trpc", "graphql-ws", "socket.io", "ws"];
const STALLED = ["snapwire", "snapwire-stock", "trpc", "socket.io", "ws"];
const WARM_UP_CONNECTIONS = 50;
const STALLED_CONNECTIONS = 24;
const STEPS = 3;

export async function run(bench) {
  const rounds = bench.rounds ?? 1;
  const idle = await inRounds(bench.servers(IDLE), rounds, (server, round) => {
    bench.log(`memory: idle, round ${round + 1}, ${server}`);
    return idleCost(bench, server, bench.subscribers ?? (bench.quick ? 200 : 2_000));
  });
  const stalled = await inRounds(bench.servers(STALLED), 1, (server) => {
    bench.log(`memory: stalled, ${server}`);
    return stalledCost(bench, server);
  });
  return {
    idle: [...idle].map(([server, runs]) => ({
      server,
      residentBytes: summarize(runs.map(({ resident }) => resident)),
      heapBytes: summarize(runs.map(({ heap }) => heap)),
    })),
    stalled: [...stalled].map(([server, [run]]) => ({ server, ...run })),
  };
}

const heapOf = ({ heapUsed, external }) => heapUsed + external;

async function idleCost(bench, server, connections) {
  // A small young generation: what is resident then follows what is held, not how much was allocated in between.
  const lean = { ...bench, nodeArgs: ["--max-semi-space-size=1"] };
  const session = await openSession(lean, server, { connections, keys: 8, connect: false });
  try {
    await session.warmUp(WARM_UP_CONNECTIONS);
    await emptied(session);
    const before = await session.server.ask("memory");
    await session.connect();
    const after = await session.server.ask("memory");
    await saturated(session, { perTurn: 1, turns: session.keys });
    await session.verify();
    return {
      resident: (after.rss - before.rss) / connections,
      heap: (heapOf(after) - heapOf(before)) / connections,
    };
  } finally {
    await session.close();
  }
}

/** All gone. A generator that waits for its next event is woken by one: some servers notice an end only then. */
async function emptied(session) {
  for (let look = 0; (await session.server.ask("counts")).subscribers > 0; look += 1) {
    if (look > 500) throw new Error(`${session.name} keeps subscribers that have gone`);
    await sleep(20);
    await session.server.ask("touch", { keys: 1, times: 1 });
  }
}

async function stalledCost(bench, server) {
  const turns = bench.quick ? 200 : 1_000;
  const connections = STALLED_CONNECTIONS;
  const session = await openSession(bench, server, { connections, keys: 128, stalled: 0.5, connect: false });
  try {
    await session.server.ask("touch", { keys: session.keys, times: 40, padded: true }); // the store is as large as it gets
    await session.connect();
    await session.load.ask("stall"); // before much was sent: the kernel's buffers are small
    const before = await session.server.ask("memory");
    const steps = [];
    for (let step = 0; step < STEPS; step += 1) {
      await saturated(session, { perTurn: 1, turns, padded: true });
      const after = await session.server.ask("memory");
      steps.push({
        offeredBytes: (step + 1) * turns * 5_200,
        heapBytes: (heapOf(after) - heapOf(before)) / (STALLED_CONNECTIONS / 2),
        residentBytes: (after.rss - before.rss) / (STALLED_CONNECTIONS / 2),
      });
    }
    await session.load.ask("release");
    await session.verify();
    return { steps };
  } finally {
    await session.close();
  }
}

export function report({ idle, stalled }) {
  return [
    "**One idle subscriber**",
    table(
      ["server", "resident", "heap and buffers"],
      idle.map(({ server, residentBytes, heapBytes }) => [
        SERVERS[server].title,
        bytes(residentBytes.median),
        bytes(heapBytes.median),
      ]),
    ),
    `**One of ${STALLED_CONNECTIONS / 2} stalled subscribers (heap and buffers), after so much was offered to it**`,
    table(
      ["server", ...(stalled[0]?.steps ?? []).map(({ offeredBytes }) => bytes(offeredBytes))],
      stalled.map(({ server, steps }) => [
        SERVERS[server].title,
        ...steps.map(({ heapBytes }) => bytes(heapBytes)),
      ]),
    ),
  ].join("\n\n");
}
