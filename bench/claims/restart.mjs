/**
 * restart: the server is killed (`kill -9`) under 1,000 clients and started again on the same data.
 *
 * In:       the published command on the embedded engine, 200 workspaces; 10 of them change twice once it is back, before
 *           anybody has come back.
 * Out:      time until the server is ready again, until all clients have caught up, frames and bytes that they got.
 * Promise:  nobody is sent a full frame, nobody more than the changed keys, and every replica is the store's.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytes, milliseconds, table } from "../lib/format.mjs";
import { ReplicasDiffer } from "../lib/session.mjs";

export const name = "restart";
export const title = "Restart on the same data";

const KEYS = 200;
const CHANGED = 10;
const DEADLINE_MS = 60_000;

export async function run(bench) {
  const clients = bench.subscribers ?? (bench.quick ? 50 : 1_000);
  const { WebSocket } = await import("ws");
  const room = mkdtempSync(join(tmpdir(), "snapwire-bench-restart-"));
  const command = fileURLToPath(new URL("cli/snapwire.mjs", bench.dist));
  let child;
  const serve = async (port) => {
    const args = [command, "serve", "--port", String(port), "--no-open"];
    args.push("--data", join(room, "data"), "--repo", room);
    child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] });
    let said = "";
    child.stdout.on("data", (chunk) => (said += chunk));
    await until(() => /http:\/\/127\.0\.0\.1:(\d+)\/trpc/.exec(said), "the server listens");
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)[0];
    for (;;) {
      const ready = await fetch(`${url}/readyz`).catch(() => undefined);
      if (ready?.ok) return url;
      await pause(5);
    }
  };
  const upsert = async (url, workspaceId, patch) => {
    const body = JSON.stringify({ json: { workspaceId, projectId: "bench", ...patch } });
    const answer = await fetch(`${url}/trpc/snapshots.upsert`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    if (!answer.ok) throw new Error(`an upsert was answered ${answer.status}`);
  };
  try {
    await git(room);
    let url = await serve(0);
    const port = new URL(url).port;
    for (let key = 0; key < KEYS; key += 1) await upsert(url, `bench/${key}`, { name: "first" });

    const replicas = Array.from({ length: clients }, () => new Replica(WebSocket));
    for (const replica of replicas) replica.connect(url);
    await until(() => replicas.every(({ entries }) => entries.size === KEYS), "everybody has the full frame");

    bench.log("restart: kill -9");
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    for (const replica of replicas) replica.forgetCounts();
    const killed = performance.now();
    url = await serve(port);
    const readyMs = performance.now() - killed;
    for (const name of ["second", "third"])
      for (let key = 0; key < CHANGED; key += 1) await upsert(url, `bench/${key}`, { name });
    const back = performance.now();
    for (const replica of replicas) replica.connect(url);
    const isFresh = ({ entries }) => {
      for (let key = 0; key < CHANGED; key += 1)
        if (entries.get(`bench/${key}`)?.name !== "third") return false;
      return true;
    };
    await until(() => replicas.every(isFresh), "everybody has caught up");
    const caughtUpMs = performance.now() - back;

    const answer = await fetch(
      `${url}/trpc/snapshots.byProject?input=${encodeURIComponent(JSON.stringify({ json: { projectId: "bench" } }))}`,
    );
    const { entries } = (await answer.json()).result.data.json;
    const versions = new Map(entries.map(({ workspaceId, version }) => [workspaceId, version]));
    for (const replica of replicas)
      if (!replica.equals(versions)) throw new ReplicasDiffer("restart: a replica differs from the store");
    const sum = (pick) => replicas.reduce((all, replica) => all + pick(replica), 0);
    const row = {
      clients,
      readyMs,
      caughtUpMs,
      fulls: sum(({ fulls }) => fulls),
      deltas: sum(({ deltas }) => deltas) / clients / CHANGED,
      bytes: sum(({ received }) => received),
    };
    for (const replica of replicas) replica.close();
    return row;
  } finally {
    child?.kill("SIGKILL");
    rmSync(room, { recursive: true, force: true });
  }
}

export function report({ clients, readyMs, caughtUpMs, fulls, deltas, bytes: sent }) {
  return [
    `**${clients.toLocaleString("en")} clients, ${KEYS} workspaces, ${CHANGED} of them changed twice before anybody was back**`,
    table(
      [
        "ready after `kill -9`",
        "all caught up",
        "full frames",
        "deltas per client and changed key",
        "bytes sent",
      ],
      [
        [
          milliseconds(readyMs * 1_000),
          milliseconds(caughtUpMs * 1_000),
          fulls,
          deltas.toFixed(2),
          bytes(sent),
        ],
      ],
    ),
  ].join("\n\n");
}

/** A client on the stock wire that keeps its position and applies what comes. */
class Replica {
  #WebSocket;
  #ws;
  #position;
  entries = new Map();
  fulls = 0;
  deltas = 0;
  received = 0;

  constructor(WebSocket) {
    this.#WebSocket = WebSocket;
  }

  connect(url) {
    this.#ws?.terminate();
    const ws = new this.#WebSocket(`${url.replace("http", "ws")}/trpc`);
    this.#ws = ws;
    ws.on("error", () => undefined);
    ws.on("open", () => {
      const params = { path: "snapshots.onProject", input: { json: { projectId: "bench" } } };
      if (this.#position) params.lastEventId = this.#position;
      ws.send(JSON.stringify({ id: 1, method: "subscription", params }));
    });
    ws.on("message", (raw) => {
      this.received += raw.length;
      const { result } = JSON.parse(String(raw));
      if (result?.type !== "data") return;
      this.#position = result.id;
      this.#apply(result.data.json.data);
    });
  }

  #apply(frame) {
    if (frame.type === "snapshot_full") {
      this.fulls += 1;
      this.entries = new Map(frame.entries.map((entry) => [entry.workspaceId, entry]));
    } else if (frame.type === "snapshot_changed") {
      this.deltas += 1;
      this.entries.set(frame.workspaceId, frame.entry);
    } else if (frame.type === "snapshot_removed") this.entries.delete(frame.workspaceId);
  }

  forgetCounts() {
    this.fulls = 0;
    this.deltas = 0;
    this.received = 0;
  }

  equals(versions) {
    if (versions.size !== this.entries.size) return false;
    for (const [id, version] of versions) if (this.entries.get(id)?.version !== version) return false;
    return true;
  }

  close() {
    this.#ws?.terminate();
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(fact, what) {
  const end = Date.now() + DEADLINE_MS;
  while (!fact()) {
    if (Date.now() > end) throw new Error(`not within a minute: ${what}`);
    await pause(5);
  }
}

function git(folder) {
  return new Promise((resolve, reject) => {
    const child = spawn("git", ["init", "-q", folder], { stdio: "ignore" });
    child.once("exit", (code) => (code === 0 ? resolve() : reject(new Error("git init failed"))));
  });
}
