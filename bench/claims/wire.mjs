/**
 * wire: bytes per change, as they leave the server: framing, envelope, and the same entry for everybody.
 *
 * Out:      bytes per change, with 1 and with 16 changes a turn; encodes per change where the server counts them.
 */
import { table } from "../lib/format.mjs";
import { openSession } from "../lib/session.mjs";
import { saturated } from "../lib/stretch.mjs";
import { ALL_SERVERS, SERVERS } from "../servers/catalogue.mjs";

export const name = "wire";
export const title = "On the wire";

const SUBSCRIBERS = 50;

export async function run(bench) {
  const rows = [];
  for (const server of bench.servers(ALL_SERVERS.filter((name) => name !== "ws-corked"))) {
    bench.log(`wire: ${server}`);
    const session = await openSession(bench, server, { connections: SUBSCRIBERS, keys: 128, connect: false });
    try {
      await session.server.ask("touch", { keys: session.keys, times: 1 }); // what follows changes entries, not makes them
      await session.connect();
      const one = await saturated(session, { perTurn: 1, turns: 100 });
      const many = await saturated(session, { perTurn: 16, turns: 10 });
      await session.verify();
      rows.push({
        server,
        bytesPerChange: one.bytesPerDelivery,
        bytesPerChangeInBurst: many.bytesPerDelivery,
        ...(one.encodesPerChange === undefined ? {} : { encodesPerChange: one.encodesPerChange }),
      });
    } finally {
      await session.close();
    }
  }
  return { entryBytes: JSON.stringify(bench.entry).length, subscribers: SUBSCRIBERS, rows };
}

export function report({ entryBytes, subscribers, rows }) {
  return [
    `The entry itself is ${entryBytes} bytes of JSON; ${subscribers} subscribers.`,
    table(
      ["server", "bytes per change", "of 16 in a turn", "encodes per change"],
      rows.map((row) => [
        SERVERS[row.server].title,
        row.bytesPerChange.toFixed(0),
        row.bytesPerChangeInBurst.toFixed(0),
        row.encodesPerChange === undefined ? "" : row.encodesPerChange.toFixed(2),
      ]),
    ),
  ].join("\n\n");
}
