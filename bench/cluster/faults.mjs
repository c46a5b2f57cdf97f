/**
 * What can befall a cluster under many clients, while somebody writes.
 *
 * Out:      of each: how long nothing was acknowledged; how long until every client has seen a change that was asked for
 *           afterwards ("all fresh"); who had to move, how long each was without a subscription, and what it was sent.
 * Promise:  nodes and clients are compared with what was acknowledged after each.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { KEYS } from "./fleet.mjs";
import { STREAM } from "./nodes.mjs";
import { nowUs } from "./writer.mjs";

/** Those that change: few, so that some change twice while a client is away. */
export const HOT_KEYS = 10;
/** Long enough for another leader; whatever is then not as it was has waited for the frozen one. */
export const FROZEN_MS = 20_000;
const ACKNOWLEDGED_WITHIN_MS = 60_000;

/** @returns rows of rounds by name; each round is what `befall` returns */
export async function measureFaults(fleet, { subscribers, rounds, perSecond, steps, log }) {
  const { cluster, nodes, clients, writer, urls } = fleet;
  const { fulls } = await clients.ask("open", { urls, clients: subscribers, keys: KEYS });
  const firstFulls = fulls;
  const rows = { killed: [], leaderKilled: [], leaderFrozen: [], leaderThawed: [], stopped: [] };
  const calm = () => writer.begin(perSecond, HOT_KEYS);

  /** Everybody spread over the nodes, everything the same; then it happens. */
  const ready = async () => {
    await fleet.verify();
    await cluster.whole(STREAM);
    calm();
    await clients.ask("spread", { n: writer.last });
    await sleep(500);
  };

  for (let round = 0; round < rounds; round += 1) {
    log(`cluster: round ${round + 1} of ${rounds}: a node is killed`);
    await ready();
    const victim = nodes[(writer.at + 1 + (round % (nodes.length - 1))) % nodes.length];
    rows.killed.push(await befall(fleet, () => victim.end("SIGKILL")));
    rows.killed.at(-1).readyUs = (await victim.start()) * 1_000;

    log("cluster: the leader is killed");
    await ready();
    const leader = await cluster.leaderOf(STREAM);
    rows.leaderKilled.push(await befall(fleet, () => leader.kill()));
    await leader.start();

    log("cluster: the leader is frozen");
    await ready();
    const frozen = await cluster.leaderOf(STREAM);
    const thawed = sleep(FROZEN_MS).then(() => frozen.thaw());
    rows.leaderFrozen.push(await befall(fleet, () => frozen.freeze()));
    rows.leaderThawed.push(await befall(fleet, () => thawed));
  }

  await ready();
  for (const [at, node] of nodes.entries()) {
    if (at >= steps) break;
    log(`cluster: node ${at + 1} is stopped and started again`);
    let endedUs = 0;
    const row = await befall(fleet, async () => {
      const begun = performance.now();
      const code = await node.end("SIGTERM");
      if (code !== 0) throw new Error(`a node that was told to end did so with ${code}: ${node.said()}`);
      endedUs = (performance.now() - begun) * 1_000;
    });
    rows.stopped.push({ ...row, endedUs, readyUs: (await node.start()) * 1_000 });
  }
  await fleet.verify();
  await clients.ask("close");
  return { firstFulls, rows };
}

/** @returns what was seen from the beginning of `act` on; "all fresh" counts from its end */
async function befall({ clients, writer }, act) {
  await clients.ask("reset", { home: writer.at });
  const acknowledged = [];
  const ignore = writer.onAcknowledged((one) => acknowledged.push(one));
  const sinceUs = nowUs();
  await act();
  const afterUs = nowUs();
  const first = await firstAskedSince(acknowledged, afterUs);
  const { atUs } = await clients.ask("fresh", { n: first.n });
  ignore();
  const { lag: _, ...report } = await clients.ask("report");
  let pauseUs = 0;
  let lastUs = sinceUs;
  for (const { ackedUs } of acknowledged) {
    pauseUs = Math.max(pauseUs, ackedUs - lastUs);
    lastUs = ackedUs;
  }
  return { pauseUs, freshUs: atUs - afterUs, ...report };
}

async function firstAskedSince(acknowledged, us) {
  for (const end = Date.now() + ACKNOWLEDGED_WITHIN_MS; Date.now() < end; await sleep(2)) {
    const first = acknowledged.find(({ askedUs }) => askedUs >= us);
    if (first) return first;
  }
  throw new Error("nothing was acknowledged in a minute");
}
