/**
 * reconnect: 1,000 clients lose their connection at once and come back at once.
 *
 * In:       200 workspaces; 10 of them change twice while everybody is away. Positions that are valid; that are foreign.
 * Out:      time until all have caught up, frames and bytes sent, server CPU.
 * Promise:  with valid positions nobody is sent a full frame, and nobody is sent more than the changed keys, each once.
 */
import { bytes, milliseconds, table } from "../lib/format.mjs";
import { inRounds } from "../lib/rounds.mjs";
import { openSession } from "../lib/session.mjs";
import { summarize } from "../lib/statistics.mjs";
import { SERVERS } from "../servers/catalogue.mjs";

export const name = "reconnect";
export const title = "Reconnect storm";

const OURS = ["snapwire", "snapwire-stock", "snapwire-sse"];
const KEYS = 200;
const CHANGED = 10;

export async function run(bench) {
  const connections = bench.subscribers ?? (bench.quick ? 50 : 1_000);
  const rounds = bench.rounds ?? 1;
  const runs = [];
  await inRounds(bench.servers(OURS), rounds, async (server, round) => {
    bench.log(`reconnect: round ${round + 1}, ${server}`);
    const session = await openSession(bench, server, { connections, keys: KEYS, connect: false });
    try {
      await session.server.ask("touch", { keys: KEYS, times: 1 });
      await session.connect();
      await session.verify();
      for (const positions of ["valid", "foreign"])
        runs.push({ server, positions, ...(await storm(session, positions)) });
    } finally {
      await session.close();
    }
  });
  const keys = [...new Set(runs.map(({ server, positions }) => `${server} ${positions}`))];
  return {
    connections,
    workspaces: KEYS,
    changed: CHANGED,
    rows: keys.map((key) => {
      const group = runs.filter(({ server, positions }) => `${server} ${positions}` === key);
      const of = (pick) => summarize(group.map(pick));
      return {
        server: group[0].server,
        positions: group[0].positions,
        subscribedUs: of((one) => one.subscribedUs),
        caughtUpUs: of((one) => one.doneUs),
        fulls: of((one) => one.fulls),
        deltas: of((one) => one.deliveries),
        bytes: of((one) => one.bytes),
        serverCpuUs: of((one) => one.cpuUs),
      };
    }),
  };
}

async function storm(session, positions) {
  await session.load.ask("drop");
  const { n } = await session.server.ask("touch", { keys: CHANGED, times: 2 });
  const before = await session.server.ask("cpu");
  const back = await session.load.ask(`resume ${positions} ${n}`);
  const report = await session.verify();
  const after = await session.server.ask("cpu");
  return { ...report, subscribedUs: back.subscribedUs, doneUs: back.doneUs, cpuUs: after.us - before.us };
}

export function report({ connections, workspaces, changed, rows }) {
  return [
    `**${connections.toLocaleString("en")} clients, ${workspaces} workspaces, ${changed} of them changed meanwhile**`,
    table(
      [
        "server",
        "positions",
        "all subscribed",
        "all caught up",
        "full frames",
        "deltas",
        "bytes sent",
        "server CPU",
      ],
      rows.map((row) => [
        SERVERS[row.server].title,
        row.positions,
        milliseconds(row.subscribedUs.median),
        milliseconds(row.caughtUpUs.median),
        row.fulls.median,
        row.deltas.median,
        bytes(row.bytes.median),
        milliseconds(row.serverCpuUs.median),
      ]),
    ),
  ].join("\n\n");
}
