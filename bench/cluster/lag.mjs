/** From a change at one node to the clients of the others, at a steady rate: what the journal adds. */
import { setTimeout as sleep } from "node:timers/promises";
import { KEYS, NODES } from "./fleet.mjs";

/** At each node. Few: what many cost is the fan-out's claim. */
export const LISTENERS = 10;
const WARM_UP_MS = 1_000;

/** @returns of each rate and round, microseconds: `{ perSecond, reached, here, elsewhere }` */
export async function measureLag(fleet, { rates, rounds, stretchMs }) {
  const { clients, writer, urls } = fleet;
  const rows = [];
  await clients.ask("open", { urls, clients: LISTENERS * NODES, keys: KEYS });
  for (let round = 0; round < rounds; round += 1) {
    for (const perSecond of rates) {
      writer.begin(perSecond, KEYS);
      await sleep(Math.min(WARM_UP_MS, stretchMs));
      await clients.ask("reset", { home: writer.at });
      const before = writer.acknowledged;
      const begun = performance.now();
      await sleep(stretchMs);
      const reached = (writer.acknowledged - before) / ((performance.now() - begun) / 1_000);
      const { lag } = await clients.ask("report");
      await fleet.verify();
      rows.push({ perSecond, reached, ...lag });
    }
  }
  await clients.ask("close");
  return rows;
}
