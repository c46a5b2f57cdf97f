/**
 * A fleet: three servers that are one, three nodes over them, somebody who writes, and the clients' process.
 *
 * Promise:  `verify` passes only when every node and every client holds what was acknowledged last, key by key.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startNatsCluster } from "../lib/nats.mjs";
import { ReplicasDiffer } from "../lib/session.mjs";
import { startClients } from "./clients.mjs";
import { createNode, prepareRepository } from "./nodes.mjs";
import { Writer, workspaceOf } from "./writer.mjs";

export const NODES = 3;
/** Workspaces that clients see; the larger state has its own part. */
export const KEYS = 200;
const EQUAL_WITHIN_MS = 30_000;

/** @param nats  the program of the servers */
export async function startFleet(bench, nats) {
  const room = mkdtempSync(join(tmpdir(), "snapwire-bench-cluster-"));
  const closing = [() => rmSync(room, { recursive: true, force: true, maxRetries: 5 })];
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  try {
    const cluster = await startNatsCluster(nats, room);
    closing.push(cluster.close);
    const repository = join(room, "repository");
    prepareRepository(repository);
    const nodes = [];
    for (let at = 0; at < NODES; at += 1) {
      const node = await createNode({ dist: bench.dist, folder: repository, servers: cluster.urls });
      closing.push(() => node.isRunning && node.end("SIGKILL"));
      await node.start();
      nodes.push(node);
    }
    const clients = await startClients();
    closing.push(clients.close);
    const urls = nodes.map(({ url }) => url);
    const writer = new Writer(urls, bench.patch);
    closing.push(() => writer.close());
    await writer.fill(0, KEYS);
    return { cluster, nodes, urls, clients, writer, close, verify: () => verify({ nodes, clients, writer }) };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Nothing is written any more; then everybody is asked. @throws ReplicasDiffer */
async function verify({ nodes, clients, writer }) {
  await writer.pause();
  const running = nodes.filter(({ isRunning }) => isRunning);
  const states = await Promise.all(running.map((node) => settledState(node, writer)));
  const [store] = states.map((entries) => entries.map(([id, version]) => [id, version]));
  for (const state of states) {
    const versions = new Map(state);
    const strange = store.find(([id, version]) => versions.get(id) !== version);
    if (state.length !== store.length || strange)
      throw new ReplicasDiffer(`cluster: two nodes differ, ${strange?.[0] ?? "in how many there are"}`);
  }
  const { clients: number, regressions } = await clients.ask("report");
  if (regressions > 0) throw new ReplicasDiffer(`cluster: ${regressions} changes came late`);
  if (number === 0) return;
  const { differing, example } = await clients.ask("compare", { entries: store, seconds: 30 });
  if (differing > 0)
    throw new ReplicasDiffer(`cluster: ${differing} of ${number} replicas differ; of one, ${example}`);
}

/** @returns `[workspaceId, version]` of a node, when it holds the last acknowledged change of every key */
async function settledState(node, writer) {
  for (const end = Date.now() + EQUAL_WITHIN_MS; ; await sleep(20)) {
    const entries = await node.state();
    const names = new Map(entries.map(([id, , name]) => [id, name]));
    const missing = [...writer.newest].find(([key, name]) => names.get(workspaceOf(key)) !== name);
    if (!missing) return entries;
    if (Date.now() > end)
      throw new ReplicasDiffer(
        `cluster: the acknowledged change ${missing[1]} is not at a node, which says ${names.get(workspaceOf(missing[0]))}`,
      );
  }
}
