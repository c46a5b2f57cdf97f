/**
 * sockets: 10,000 sockets in one process, each with a subscription, at a steady rate.
 *
 * Out:      how fast they are taken in, memory per socket, lag and CPU while changes go to all of them.
 */
import { bytes, count, microseconds, milliseconds, percent, table } from "../lib/format.mjs";
import { openSession } from "../lib/session.mjs";
import { saturated, steady } from "../lib/stretch.mjs";
import { SERVERS } from "../servers/catalogue.mjs";

export const name = "sockets";
export const title = "Many sockets in one process";

export async function run(bench) {
  const connections = bench.subscribers ?? (bench.quick ? 500 : 10_000);
  const [server] = bench.servers(["snapwire"]);
  const session = await openSession(bench, server, { connections, connect: false });
  try {
    const before = await session.server.ask("memory");
    bench.log(`sockets: opening ${connections}`);
    const { subscribedUs } = await session.connect();
    const after = await session.server.ask("memory");
    await saturated(session, { perTurn: 1, ms: 500 });
    bench.log("sockets: 2 changes a second to all");
    const slow = await steady(session, { ms: bench.quick ? 500 : 10_000, perSecond: 2 });
    bench.log("sockets: as fast as they are taken");
    const fast = await saturated(session, { perTurn: 1, ms: bench.quick ? 300 : 5_000 });
    await session.verify();
    const busy = await session.server.ask("memory");
    await session.load.ask("drop");
    await session.subscribersAre(0); // all have gone, and the server knows
    return {
      server,
      connections,
      openedPerSecond: connections / (subscribedUs / 1e6),
      residentBytes: busy.rss,
      residentPerSocket: (after.rss - before.rss) / connections,
      steady: slow,
      saturated: fast,
    };
  } finally {
    await session.close();
  }
}

export function report(result) {
  return table(
    [
      "server",
      "sockets",
      "opened/s",
      "resident",
      "per socket",
      "at 2/s: lag p99",
      "CPU of a core",
      "saturated: deliveries/s",
      "CPU each",
    ],
    [
      [
        SERVERS[result.server].title,
        result.connections.toLocaleString("en"),
        count(result.openedPerSecond),
        bytes(result.residentBytes),
        bytes(result.residentPerSocket),
        milliseconds(result.steady.lagUs.p99),
        percent(result.steady.serverBusy),
        count(result.saturated.deliveriesPerSecond),
        microseconds(result.saturated.cpuUsPerDelivery),
      ],
    ],
  );
}
