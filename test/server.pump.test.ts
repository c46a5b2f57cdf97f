import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import fc from "fast-check";
import superjson from "superjson";
import { describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { createSnapwireRouter } from "../src/router/index.ts";
import { createSnapwireServer } from "../src/server/index.ts";
import { createSnapwire, type Snapwire } from "../src/snapwire.ts";
import { serve, stockClient, versionsAfter, versionsIn, watch } from "./helpers/served.ts";

const ADMIN = { subject: "t", role: "admin", projects: "*" } as const;

/** A client without a library: what it was sent, as text. */
async function rawClient(url: string, subscriptions: readonly { id: number | string; projectId: string }[]) {
  const ws = new WebSocket(`${url.replace("http", "ws")}/trpc`);
  const frames: string[] = [];
  ws.on("message", (data) => void frames.push(String(data)));
  await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
  for (const { id, projectId } of subscriptions) {
    const params = { path: "snapshots.onProject", input: superjson.serialize({ projectId }) };
    ws.send(JSON.stringify({ id, method: "subscription", params }));
  }
  return { ws, frames, [Symbol.dispose]: () => ws.terminate() };
}

/** The same service by our server (the pump) and by tRPC's own adapter (the plain iterable). */
async function servedTwice() {
  const live = createSnapwire();
  await live.start();
  const router = createSnapwireRouter({ live });
  const pumped = createSnapwireServer({ live, router });
  const pumpedUrl = await pumped.listen();
  const http = createServer();
  const wss = new WebSocketServer({ server: http });
  applyWSSHandler({ wss, router, createContext: () => ({ identity: ADMIN }) });
  await new Promise<void>((resolve) => {
    http.listen(0, "127.0.0.1", resolve);
  });
  const stockUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return {
    live,
    pumpedUrl,
    stockUrl,
    async [Symbol.asyncDispose]() {
      await pumped.close();
      for (const client of wss.clients) client.terminate();
      http.close();
      await live.stop();
    },
  };
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      key: fc.nat(4),
      project: fc.nat(1),
      name: fc.nat(3),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("hide" as const), key: fc.nat(4) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), key: fc.nat(4) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function run(live: Snapwire, { kind, key, ...rest }: Step): Promise<void> {
  const workspaceId = `w${key}`;
  if (kind === "remove") await live.workspaces.remove(workspaceId);
  else if (kind === "hide")
    await live.workspaces.upsert(workspaceId, { projectId: "p0", status: "ARCHIVING" });
  else {
    const { project, name } = rest as { project: number; name: number };
    await live.workspaces.upsert(workspaceId, {
      projectId: `p${project}`,
      status: "READY",
      name: `ü-${name}`,
    });
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("the pump", () => {
  test("sends byte by byte what tRPC sends for the plain iterable, while nobody is slow", async () => {
    await using served = await servedTwice();
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.constantFrom(1, 7, 4711, "text-id"),
        async (steps, id) => {
          const asked = [{ id, projectId: "p0" }];
          using pumped = await rawClient(served.pumpedUrl, asked);
          using stock = await rawClient(served.stockUrl, asked);
          await vi.waitFor(() => expect([pumped.frames.length, stock.frames.length]).toEqual([2, 2]));
          for (const one of steps) {
            await run(served.live, one);
            for (let turns = 0; turns < 3; turns += 1) await turn();
          }
          await served.live.workspaces.upsert("last", { projectId: "p0", name: `${Math.random()}` });
          await vi.waitFor(() => expect(pumped.frames.at(-1)).toContain('"last"'));
          await vi.waitFor(() => expect(stock.frames.length).toBe(pumped.frames.length));
          expect(pumped.frames).toEqual(stock.frames);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("encodes a change once, whatever the number of subscribers and of request ids", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("w", { projectId: "p", name: "0" });
    const clients = await Promise.all(
      Array.from({ length: 30 }, (_, n) => rawClient(served.url, [{ id: n % 10, projectId: "p" }])),
    );
    await vi.waitFor(() => expect(clients.every(({ frames }) => frames.length === 2)).toBe(true));
    const before = served.server.pumpStats();
    expect(before.encodes).toBe(1); // one full frame for all thirty
    for (let n = 1; n <= 5; n += 1) {
      await served.live.workspaces.upsert("w", { name: `${n}` });
      await vi.waitFor(() => expect(clients.every(({ frames }) => frames.length === 2 + n)).toBe(true));
    }
    expect(served.server.pumpStats().encodes).toBe(1 + 5);
    for (const client of clients) client[Symbol.dispose]();
  });

  test("sends all changes of one turn in one write per socket, each key once", async () => {
    await using served = await serve();
    for (let key = 0; key < 16; key += 1) await served.live.workspaces.upsert(`w${key}`, { projectId: "p" });
    using client = await rawClient(served.url, [{ id: 1, projectId: "p" }]);
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    const { writes } = served.server.pumpStats();
    await Promise.all(
      Array.from({ length: 48 }, (_, n) => served.live.workspaces.upsert(`w${n % 16}`, { name: `${n}` })),
    );
    await vi.waitFor(() => expect(client.frames).toHaveLength(2 + 16));
    expect(served.server.pumpStats().writes).toBe(writes + 1);
  });

  test("clients that stall come back with each changed key once, however often, and cost no more meanwhile", async () => {
    await using served = await serve();
    const { live, server } = served;
    const keys = Array.from({ length: 128 }, (_, index) => `w${index}`);
    for (const key of keys) await live.workspaces.upsert(key, { projectId: "p" });
    const clients = Array.from({ length: 6 }, () => stockClient(served.url));
    const watches = clients.map(({ trpc }) => watch(trpc, "p"));
    await vi.waitFor(() => expect(watches.every(({ frames }) => frames.length === 1)).toBe(true));
    for (let round = 0; round < 3; round += 1) {
      for (const { sockets } of clients) sockets.at(-1)?.pause();
      for (let n = 0; n < 3_000 || server.stats().stalledSockets < clients.length; n += 1) {
        const prUrl = `https://example.org/${round}/${n}/${"x".repeat(4_000)}`;
        await live.workspaces.upsert(keys[n % keys.length] ?? "", { prUrl });
        if (n % 8 === 0) await turn();
        if (n > 20_000) throw new Error("the sockets never filled up");
      }
      expect(server.stats().bufferedBytes).toBeLessThanOrEqual(clients.length * (256 + 8) * 1024);
      expect(server.pumpStats().keptBytes).toBeLessThanOrEqual(keys.length * 8 * 1024);
      for (const { sockets } of clients) sockets.at(-1)?.resume();
      await vi.waitFor(
        () => {
          for (const { frames } of watches) expect(versionsAfter(frames)).toEqual(versionsIn(live, "p"));
        },
        { timeout: 10_000 },
      );
    }
    expect(server.stats()).toMatchObject({ stalledSockets: 0, bufferedBytes: 0 });
    await Promise.all(clients.map(({ connection }) => connection.close()));
  }, 60_000);

  test("a stop detaches: `stopped` is the last that is heard of the request, and the socket serves on", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("w", { projectId: "p" });
    using client = await rawClient(served.url, [
      { id: 1, projectId: "p" },
      { id: 2, projectId: "p" },
    ]);
    await vi.waitFor(() => expect(client.frames).toHaveLength(4));
    await served.live.workspaces.upsert("w", { name: "written in the turn of the stop" });
    client.ws.send(JSON.stringify({ id: 1, method: "subscription.stop" }));
    await vi.waitFor(() => expect(client.frames).toContain('{"id":1,"result":{"type":"stopped"}}'));
    const stoppedAt = client.frames.indexOf('{"id":1,"result":{"type":"stopped"}}');
    await served.live.workspaces.upsert("w", { name: "after" });
    await vi.waitFor(() => expect(client.frames.at(-1)).toContain("after"));
    expect(client.frames.slice(stoppedAt + 1).filter((frame) => frame.startsWith('{"id":1,'))).toEqual([]);
    expect(served.live.stats().subscriptions).toBe(1);
  });

  test("order against other replies on the same socket holds: a mutation's change comes before its answer or after it, never lost", async () => {
    await using served = await serve();
    using client = await rawClient(served.url, [{ id: 1, projectId: "p" }]);
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    for (let n = 0; n < 20; n += 1) {
      const input = superjson.serialize({ workspaceId: "w", projectId: "p", name: `${n}` });
      client.ws.send(
        JSON.stringify({ id: 100 + n, method: "mutation", params: { path: "snapshots.upsert", input } }),
      );
    }
    await vi.waitFor(() =>
      expect(client.frames.filter((frame) => /^\{"id":1\d\d,/.test(frame))).toHaveLength(20),
    );
    await vi.waitFor(() =>
      expect(client.frames.findLast((frame) => frame.startsWith('{"id":1,'))).toContain('"19"'),
    );
    for (const frame of client.frames) expect(() => JSON.parse(frame)).not.toThrow();
  });

  test("its ticket never reaches a client", async () => {
    await using served = await serve();
    using client = await rawClient(served.url, [{ id: 1, projectId: "p" }]);
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    expect(client.frames[0]).toBe('{"id":1,"result":{"type":"started"}}');
    expect(client.frames.join()).not.toContain("pump:");
  });

  test("the end of a stream is told, then tRPC says `stopped`", async () => {
    await using served = await serve();
    using client = await rawClient(served.url, [{ id: 1, projectId: "p" }]);
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    served.live.endProject("p");
    await vi.waitFor(() => expect(client.frames).toHaveLength(4));
    expect(client.frames[2]).toContain('"snapshot_ended"');
    expect(client.frames[3]).toBe('{"id":1,"result":{"type":"stopped"}}');
    expect(served.server.pumpStats().scopes).toBe(0);
  });
});
