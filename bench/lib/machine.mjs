/** What a number was measured on: processor, memory, system, versions; and how busy the machine was by itself. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, platform, release, totalmem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { pinned } from "./cores.mjs";

const require = createRequire(import.meta.url);

function versionOf(name) {
  let path = require.resolve(name);
  while (path.length > 1) {
    path = path.slice(0, path.lastIndexOf("/"));
    try {
      const own = JSON.parse(readFileSync(`${path}/package.json`, "utf8"));
      if (own.name === name) return own.version;
    } catch {
      // not the package's own folder yet
    }
  }
  return "unknown";
}

export function describeMachine() {
  const [{ model } = { model: "unknown" }, ...more] = cpus();
  return {
    processor: model.trim(),
    cores: more.length + 1,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    system: `${platform()} ${release().split(".").slice(0, 2).join(".")}`,
    pinned,
  };
}

export function describeVersions() {
  const own = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const peers = ["@trpc/server", "superjson", "ws", "socket.io", "graphql-ws", "graphql"];
  return {
    node: process.versions.node,
    snapwire: own.version,
    ...Object.fromEntries(peers.map((name) => [name, versionOf(name)])),
  };
}

function cpuTimes() {
  return cpus().reduce(
    ({ idle, all }, { times }) => ({
      idle: idle + times.idle,
      all: all + times.idle + times.user + times.sys + times.nice + times.irq,
    }),
    { idle: 0, all: 0 },
  );
}

/** The share of all cores that somebody else uses, looked at for a second. */
export async function busyShare() {
  const before = cpuTimes();
  await sleep(1_000);
  const after = cpuTimes();
  return 1 - (after.idle - before.idle) / (after.all - before.all);
}
