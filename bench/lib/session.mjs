/**
 * A session: one server, its subscribers, and the comparison at the end.
 *
 * In:       which server, how many subscribers.   Out: what server and load client counted, for the same stretch.
 * Promise:  `verify` passes only when every replica holds what the store holds, key by key.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SERVERS } from "../servers/catalogue.mjs";
import { startLoad } from "./load-process.mjs";
import { startServer } from "./server-process.mjs";

/** One folder for the sockets on which load clients say what was seen; gone with the process, however it ends. */
const folder = mkdtempSync(join(tmpdir(), "snapwire-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
let sessions = 0;

/** A replica that differs from the store: no number of such a run is worth printing. */
export class ReplicasDiffer extends Error {
  name = "ReplicasDiffer";
}

/** To each server before anybody connects. Code that still compiles shares the core that is measured. */
const WARM_UP_CHANGES = 5_000;
const ARRIVE_WITHIN_MS = 20_000;

/**
 * @param bench  `{ dist, client, entry, patch, ids, window? }`: what all sessions share
 * @param name   of the catalogue
 */
export async function openSession(
  bench,
  name,
  { connections, keys = 256, scopes = 1, stalled = 0, connect = true },
) {
  sessions += 1;
  const ackPath = join(folder, `seen-${sessions}`);
  const { client, options } = SERVERS[name];
  const server = await startServer(name, bench);
  let load;

  const close = async () => {
    await load?.close();
    await server.close();
  };

  try {
    const { entry, patch } = bench;
    const { port } = await server.ask("start", { entry, patch, keys, scopes, ackPath, options });
    await server.ask("warm", { changes: bench.quick ? 50 : WARM_UP_CHANGES });
    const shared = { port, keys, scopes, ids: bench.ids, ack: ackPath, ...client };
    load = startLoad(bench.client, { ...shared, connections, stalled });
    const session = {
      name,
      connections,
      keys,
      window: bench.window,
      server,
      load,
      close,
      verify,
      subscribersAre,
      connect: connectAll,
      warmUp: (few) => warmUp({ ...shared, connections: few }),
    };
    if (connect) await connectAll();
    return session;
  } catch (error) {
    await close();
    throw error;
  }

  /** A few others come and go, so that the server's code is loaded and compiled before anything is measured. */
  async function warmUp(options) {
    const others = startLoad(bench.client, options);
    await others.ask("connect");
    await server.ask("touch", { keys: 8, times: 8 });
    await others.close();
  }

  /** Opens all connections and waits until the server has as many subscribers. */
  async function connectAll() {
    const report = await load.ask("connect");
    if (report.failed > 0 || report.errors > 0) {
      throw new Error(`${name}: ${report.failed} of ${connections} connections failed: ${report.firstError}`);
    }
    await subscribersAre(connections);
    return report;
  }

  /** Waits until the server knows of exactly so many. */
  async function subscribersAre(wanted) {
    const deadline = Date.now() + ARRIVE_WITHIN_MS;
    for (;;) {
      const { subscribers } = await server.ask("counts");
      if (subscribers === wanted) return;
      if (Date.now() > deadline) throw new Error(`${name}: ${subscribers} subscribers instead of ${wanted}`);
      await sleep(20);
    }
  }

  /** Waits until all that was sent has arrived, then compares. @throws ReplicasDiffer */
  async function verify() {
    const deadline = Date.now() + ARRIVE_WITHIN_MS;
    const { digests: expected } = await server.ask("state");
    for (;;) {
      const report = await load.ask("report");
      const strange = report.digests.filter(({ scope, digest }) => digest !== expected[scope]);
      if (strange.length === 0) {
        if (report.regressions > 0)
          throw new ReplicasDiffer(`${name}: ${report.regressions} changes came late`);
        if (report.errors > 0)
          throw new ReplicasDiffer(`${name}: ${report.errors} errors: ${report.firstError}`);
        return report;
      }
      if (Date.now() > deadline) throw await difference(strange[0], expected, report);
      await sleep(20);
    }
  }

  async function difference({ scope, digest, count, example }, expected, report) {
    const [{ keys: seen }, stored] = await Promise.all([
      load.ask(`dump ${example}`),
      server.ask("entries", { scope }),
    ]);
    const differing = [...new Set([...Object.keys(seen), ...Object.keys(stored)])]
      .filter((key) => seen[key] !== stored[key])
      .slice(0, 5)
      .map((key) => `key ${key}: ${seen[key] ?? "absent"} instead of ${stored[key] ?? "absent"}`);
    return new ReplicasDiffer(
      `${name}: ${count} replicas of scope ${scope} hold ${digest} instead of ${expected[scope]}; ` +
        `number ${example}: ${differing.join(", ")}. ${report.firstError}`,
    );
  }
}
