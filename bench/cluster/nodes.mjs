/** The published command, as nodes over one cluster of servers: each can be killed, stopped and started again. */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { own } from "../lib/children.mjs";
import { freePort } from "../lib/nats.mjs";

export const STREAM = "SNAPWIRE_STATE";
export const PROJECT = "bench";
const READY_WITHIN_MS = 60_000;

/** A repository without commits, so that git finds next to nothing and the nodes have nothing else to do. */
export function prepareRepository(folder) {
  mkdirSync(folder, { recursive: true });
  const { status } = spawnSync("git", ["init", "-q", folder], { stdio: "ignore" });
  if (status !== 0) throw new Error("git init failed");
}

/** @param servers  urls of the NATS servers */
export async function createNode({ dist, folder, servers }) {
  const command = fileURLToPath(new URL("cli/snapwire.mjs", dist));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const hosts = servers.map((server) => new URL(server).host).join(",");
  const journal = `nats://${hosts}?replicas=3&name=bench`;
  let child;
  let gone;
  let said = "";
  const node = {
    url,
    get pid() {
      return child.pid;
    },
    get isRunning() {
      return child !== undefined && child.exitCode === null && child.signalCode === null;
    },
    /** @returns milliseconds until it was ready */
    async start() {
      const words = ["serve", "--port", String(port), "--no-open", "--repo", folder, "--log-level", "warn"];
      const begun = performance.now();
      child = own(
        spawn(process.execPath, [command, ...words, "--journal", journal], {
          stdio: ["ignore", "ignore", "pipe"],
          env: { PATH: process.env.PATH, HOME: folder, NODE_ENV: "production" },
        }),
      );
      child.stderr.on("data", (chunk) => {
        said = (said + chunk).slice(-4_000);
      });
      gone = new Promise((resolve) => child.once("exit", (code, signal) => resolve(signal ?? code)));
      while (!(await isReady(url))) {
        if (!node.isRunning || performance.now() - begun > READY_WITHIN_MS)
          throw new Error(`a node does not become ready: ${said}`);
        await sleep(5);
      }
      return performance.now() - begun;
    },
    /** @returns what it ended with: a code, or the name of a signal */
    async end(signal) {
      if (node.isRunning) child.kill(signal);
      return await gone;
    },
    said: () => said,
    /** @returns `[workspaceId, version, name]` of every workspace that it tells of */
    async state() {
      const input = encodeURIComponent(JSON.stringify({ json: { projectId: PROJECT } }));
      const answer = await fetch(`${url}/trpc/snapshots.byProject?input=${input}`);
      if (!answer.ok) throw new Error(`a node answered ${answer.status}`);
      const { entries } = (await answer.json()).result.data.json;
      return entries.map(({ workspaceId, version, name }) => [workspaceId, version, name]);
    },
  };
  return node;
}

async function isReady(url) {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
