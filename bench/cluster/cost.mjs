/** What a change costs by the number of nodes, without a single client; and what a larger state costs a node. */
import { setTimeout as sleep } from "node:timers/promises";
import { cpuUsOf, residentOf } from "../lib/process-costs.mjs";
import { KEYS, NODES } from "./fleet.mjs";

const WARM_UP_MS = 1_000;

const sum = (values) => values.reduce((all, one) => all + one, 0);

/** CPU while something goes on: of the node that is written to, of one that only follows, of all servers. */
async function cpuDuring({ cluster, nodes, writer }, work) {
  const running = nodes.filter(({ isRunning }) => isRunning);
  const read = () => ({
    nodes: running.map(({ pid }) => cpuUsOf(pid)),
    servers: sum(cluster.servers.map(({ pid }) => cpuUsOf(pid))),
    changes: writer.acknowledged,
    ms: performance.now(),
  });
  const before = read();
  await work();
  const after = read();
  const used = after.nodes.map((us, at) => us - before.nodes[at]);
  const writing = running.indexOf(nodes[writer.at]);
  const following = used.filter((_, at) => at !== writing);
  return {
    writingUs: used[writing],
    followingUs: following.length === 0 ? null : sum(following) / following.length,
    serversUs: after.servers - before.servers,
    changes: after.changes - before.changes,
    wallUs: (after.ms - before.ms) * 1_000,
  };
}

/** @returns of each number of nodes and round, per change; and the shares of a core while nothing changes */
export async function measureCost(fleet, { perSecond, rounds, stretchMs }) {
  const { nodes, writer } = fleet;
  await writer.settled();
  writer.moveTo(0);
  const rows = [];
  const idle = [];
  for (let round = 0; round < rounds; round += 1) {
    const { writingUs, followingUs, serversUs, wallUs } = await cpuDuring(fleet, () => sleep(stretchMs));
    idle.push({ node: (writingUs + 2 * followingUs) / NODES / wallUs, server: serversUs / NODES / wallUs });
  }
  for (let count = NODES; count > 0; count -= 1) {
    for (let round = 0; round < rounds; round += 1) {
      writer.begin(perSecond, KEYS);
      await sleep(Math.min(WARM_UP_MS, stretchMs));
      const used = await cpuDuring(fleet, () => sleep(stretchMs));
      await fleet.verify();
      rows.push({
        nodes: count,
        perSecond: used.changes / (used.wallUs / 1e6),
        writingUs: used.writingUs / used.changes,
        followingUs: used.followingUs === null ? null : used.followingUs / used.changes,
        serversUs: used.serversUs / used.changes,
      });
    }
    if (count > 1) await nodes[count - 1].end("SIGTERM");
  }
  return { rows, idle };
}

/** @returns of each number of entries and round: a cold start until it is ready, what the node and a server then hold */
export async function measureSize(fleet, { entries, rounds }) {
  const { cluster, nodes, writer } = fleet;
  const node = nodes[NODES - 1];
  const rows = [];
  for (const size of [KEYS, entries]) {
    await writer.fill(writer.newest.size, size);
    for (let round = 0; round < rounds; round += 1) {
      if (node.isRunning) await node.end("SIGTERM");
      const readyMs = await node.start();
      // At once: to compare, the node tells its whole state, and that leaves garbage.
      const nodeBytes = residentOf(node.pid);
      const serverBytes = sum(cluster.servers.map(({ pid }) => residentOf(pid))) / cluster.servers.length;
      await fleet.verify();
      rows.push({ entries: size, readyUs: readyMs * 1_000, nodeBytes, serverBytes });
    }
  }
  return rows;
}
