/**
 * The client as it is shipped, outside of the test runner: in a process of its own that has to end by itself (whatever
 * socket, timer or listener were left would keep it), and as a bundler makes it for a page.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { changed, entry, full } from "./helpers/client-frames.ts";
import { serveTest } from "./helpers/client-server.ts";

const client = fileURLToPath(new URL("../client/index.ts", import.meta.url));
const modules = fileURLToPath(new URL("../node_modules", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "snapwire-client-"));
  symlinkSync(modules, join(folder, "node_modules"), "junction");
  const bundle = await rolldown({ input: client, platform: "node", logLevel: "warn" });
  await bundle.write({ file: join(folder, "client.mjs"), format: "esm" });
  await bundle.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program against the client, and resolves to what it printed once it has ended by itself. */
async function program(source: string): Promise<string> {
  const file = join(folder, `program-${Math.random().toString(36).slice(2)}.mjs`);
  writeFileSync(
    file,
    `import { createSnapwireClient, createProjectReplica } from "./client.mjs";\n${source}`,
  );
  const child: ChildProcess = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  child.stdout?.on("data", (chunk) => {
    printed += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    printed += chunk;
  });
  const stuck = setTimeout(() => {
    printed += "\nthe process did not end by itself";
    child.kill("SIGKILL");
  }, 15_000);
  await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(stuck);
  return printed.trim();
}

test("a Node process finds its WebSocket, watches, and ends by itself after close()", async () => {
  await using server = await serveTest();
  void server.nth(2).then(() => {
    for (const subscription of server.subscriptions)
      subscription.deliver(full(5, [entry("a", 5)]), changed(7, "b"));
  });
  const printed = await program(`
    const client = createSnapwireClient({ url: "${server.url}", token: async () => "mine" });
    const replicas = ["p", "q"].map((projectId) => createProjectReplica(client.trpc.snapshots, { projectId }));
    await new Promise((resolve) => {
      const look = () => replicas.every((replica) => replica.getSnapshot().entries.length === 2) && resolve();
      for (const replica of replicas) replica.subscribe(look);
    });
    console.log(replicas[0].status, replicas[0].getSnapshot().entries.map(({ name }) => name).join(", "));
    await Promise.all([client.close(), client.close(), ...replicas.map((replica) => replica.close())]);
    console.log(replicas[0].status);
  `);
  expect(printed).toBe("live a at 5, b at 7\nended");
});

test("it ends by itself also when closed while nobody answers, while it waits, and while the token is asked for", async () => {
  const gone = await serveTest();
  await gone.stop();
  const printed = await program(`
    const retry = { floorMs: 60_000, capMs: 60_000 };
    const url = "${gone.url}";
    const waiting = createSnapwireClient({ url, retry });
    await new Promise((resolve) => waiting.connection.subscribe(resolve));
    const asking = createSnapwireClient({ url, retry, token: () => new Promise(() => {}) });
    const fresh = createSnapwireClient({ url, retry });
    const replicas = [waiting, asking, fresh].map((client) =>
      createProjectReplica(client.trpc.snapshots, { projectId: "p", connection: client.connection }));
    await new Promise((resolve) => setImmediate(resolve));
    for (const client of [waiting, asking, fresh]) await client.close();
    console.log(replicas.map(({ status, reason }) => status + " " + reason).join(", "));
    for (const replica of replicas) await replica.close();
  `);
  expect(printed).toBe("ended client-closed, ended client-closed, ended client-closed");
});

test("a bundle for a page imports nothing, and runs without anything of Node", async () => {
  const bundle = await rolldown({ input: client, platform: "browser", logLevel: "silent" });
  const module = await bundle.generate({ format: "esm" });
  const script = await bundle.generate({ format: "iife", name: "snapwire" });
  await bundle.close();
  expect(
    module.output.flatMap((chunk) =>
      chunk.type === "chunk" ? [...chunk.imports, ...chunk.dynamicImports] : [],
    ),
  ).toEqual([]);
  expect(module.output).toHaveLength(1);

  await using server = await serveTest();
  const made: string[] = [];
  class PageWebSocket extends WebSocket {
    constructor(url: string) {
      super(url);
      made.push(url);
    }
  }
  const listened: string[] = [];
  const events = {
    addEventListener: (type: string) => listened.push(`+${type}`),
    removeEventListener: (type: string) => listened.push(`-${type}`),
  };
  const page = createContext({
    ...events,
    ...{ WebSocket: PageWebSocket, URL, queueMicrotask, setTimeout, clearTimeout, AbortController, console },
    document: { visibilityState: "visible", ...events },
    navigator: { onLine: true },
    location: new URL(server.url),
  });
  expect(runInContext("typeof process + typeof require", page)).toBe("undefinedundefined");
  runInContext(script.output[0].code.replace(/^var snapwire/m, "globalThis.snapwire"), page);
  runInContext(
    `client = snapwire.createSnapwireClient({ url: "/" });
     replica = snapwire.createProjectReplica(client.trpc.snapshots, { projectId: "p" });`,
    page,
  );
  (await server.nth(1)).deliver(full(5, [entry("a", 5)]));
  await runInContext("new Promise((resolve) => replica.subscribe(resolve))", page);
  expect(runInContext("replica.status + ' ' + replica.getSnapshot().entries[0].name", page)).toBe(
    "live a at 5",
  );
  await runInContext("replica.close().then(() => client.close())", page);
  expect(made).toEqual([`${server.url.replace("http", "ws")}/trpc`]);
  const balance = new Map<string, number>();
  for (const each of listened)
    balance.set(each.slice(1), (balance.get(each.slice(1)) ?? 0) + (each.startsWith("+") ? 1 : -1));
  expect(listened.length).toBeGreaterThan(0);
  expect(Object.fromEntries(balance)).toEqual({
    focus: 0,
    resume: 0,
    visibilitychange: 0,
    pageshow: 0,
    online: 0,
    offline: 0,
  });
});
