/**
 * NATS servers of the benchmark's own: free ports, temporary folders, ended by their own pids.
 *
 * In:       the program `NATS_SERVER` names, or the `nats-server` of the PATH.
 * Out:      one server, or three that are one; what can befall each of them; who leads a stream.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { own } from "./children.mjs";

const STARTS_WITHIN_MS = 20_000;

/** What cannot be measured here, and what to install for it. */
export class NoNatsServer extends Error {
  name = "NoNatsServer";
  constructor(claim) {
    super(
      `"${claim}" needs nats-server, and there is none in the PATH: apt-get install nats-server, or name one with NATS_SERVER.`,
    );
  }
}

/** @returns the program, and its version; undefined where there is none */
export function findNatsServer() {
  const { NATS_SERVER: wanted } = process.env;
  if (wanted && !existsSync(wanted)) throw new Error(`NATS_SERVER names ${wanted}, which is not there`);
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin"];
  const candidates = [wanted, ...folders.map((folder) => join(folder, "nats-server"))];
  const program = candidates.find((path) => path && existsSync(path));
  if (program === undefined) return undefined;
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  const version = /v?(\d+\.\d+\.\d+\S*)/.exec(stdout ?? "")?.[1];
  return version === undefined ? undefined : { program, version };
}

/** Where the system takes the ports of outgoing connections from: one of those could be taken while a process is down. */
function firstEphemeralPort() {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/)[0]);
  } catch {
    return 32_768;
  }
}

const given = new Set();
const LOWEST_PORT = 10_240;

/** A port that stays ours while nobody listens on it. */
export async function freePort() {
  const range = Math.max(1_000, firstEphemeralPort() - LOWEST_PORT);
  for (;;) {
    const port = LOWEST_PORT + Math.floor(Math.random() * range);
    if (given.has(port)) continue;
    const free = await new Promise((resolve) => {
      const probe = createServer();
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (!free) continue;
    given.add(port);
    return port;
  }
}

/** @param words  further arguments of the program */
async function startServer(program, folder, words) {
  const [port, monitorPort] = [await freePort(), await freePort()];
  let child;
  let gone;
  const server = {
    port,
    url: `nats://127.0.0.1:${port}`,
    get pid() {
      return child.pid;
    },
    async start() {
      const ports = ["-a", "127.0.0.1", "-p", String(port), "-m", String(monitorPort)];
      child = own(spawn(program, [...ports, "-js", "-sd", folder, ...words], { stdio: "ignore" }));
      const started = child;
      gone = new Promise((resolve) => {
        started.once("exit", resolve);
        started.once("error", resolve);
      });
      const end = Date.now() + STARTS_WITHIN_MS;
      while ((await server.look("varz")) === undefined) {
        if (started.exitCode !== null || started.pid === undefined || Date.now() > end)
          throw new Error(`nats-server does not start (exit code ${started.exitCode})`);
        await sleep(25);
      }
    },
    /** What the server says of itself; undefined when it says nothing. */
    async look(path) {
      try {
        const answer = await fetch(`http://127.0.0.1:${monitorPort}/${path}`, {
          signal: AbortSignal.timeout(500),
        });
        return answer.ok ? await answer.json() : undefined;
      } catch {
        return undefined;
      }
    },
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
  };
  await server.start();
  return server;
}

export async function startNatsServer({ program }, folder) {
  const server = await startServer(program, folder, []);
  return { servers: [server], urls: [server.url], close: () => server.kill() };
}

/** Three servers that are one. */
export async function startNatsCluster({ program }, folder) {
  const routes = [await freePort(), await freePort(), await freePort()];
  const all = routes.map((port) => `nats://127.0.0.1:${port}`).join(",");
  const starting = await Promise.allSettled(
    routes.map((port, at) =>
      startServer(program, join(folder, `n${at}`), [
        ...["--name", `n${at}`, "--cluster_name", "snapwire-bench"],
        ...["--cluster", `nats://127.0.0.1:${port}`, "--routes", all],
      ]),
    ),
  );
  const servers = starting.flatMap(({ value }) => value ?? []);
  const close = async () => {
    await Promise.all(servers.map((server) => server.kill()));
  };
  const failed = starting.find(({ reason }) => reason);
  if (failed) {
    await close();
    throw failed.reason;
  }

  /** A stream as its leader reports it; undefined while it has none. */
  async function streamOf(name) {
    const reports = await Promise.all(servers.map((server) => server.look("jsz?accounts=true&streams=true")));
    const streams = reports.flatMap((report, at) =>
      (report?.account_details ?? [])
        .flatMap(({ stream_detail: details = [] }) => details)
        .filter((stream) => stream.name === name)
        .map((stream) => ({ ...stream, at })),
    );
    // The others only say whom they take for the leader.
    return streams.find(({ cluster, at }) => cluster?.leader === `n${at}`);
  }

  return {
    servers,
    urls: servers.map(({ url }) => url),
    close,
    async leaderOf(name) {
      for (const end = Date.now() + STARTS_WITHIN_MS; Date.now() < end; await sleep(50)) {
        const stream = await streamOf(name);
        if (stream) return servers[stream.at];
      }
      throw new Error(`the stream ${name} has no leader`);
    },
    /** Until both other copies of a stream have everything that the leader has. */
    async whole(name) {
      for (const end = Date.now() + STARTS_WITHIN_MS; Date.now() < end; await sleep(50)) {
        const stream = await streamOf(name);
        const copies = stream?.cluster.replicas ?? [];
        if (copies.length === 2 && copies.every(({ current, offline }) => current && !offline)) return;
      }
      throw new Error(`the copies of ${name} are not current`);
    },
  };
}
