import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { initTRPC } from "@trpc/server";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import fc from "fast-check";
import superjson from "superjson";
import { describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { createSnapwireRouter } from "../src/router/index.ts";
import { createSnapwireProcedures } from "../src/router/procedures.ts";
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

  test("answers byte by byte what tRPC's adapter answers to what cannot begin, and to every way of asking", async () => {
    await using served = await servedTwice();
    await served.live.workspaces.upsert("w", { projectId: "p", name: "0" });
    const path = "snapshots.onProject";
    const input = superjson.serialize({ projectId: "p" });
    const position = (await served.live.workspaces.upsert("w", { name: "1" })).position;
    const messages = [
      { id: 1, method: "subscription", params: { path, input: superjson.serialize({ projectId: "" }) } },
      { id: 2, method: "subscription", params: { path, input: superjson.serialize(null) } },
      { id: 3, method: "subscription", params: { path, input: superjson.serialize([]), lastEventId: "x" } },
      {
        id: 4,
        method: "subscription",
        params: { path, input: superjson.serialize(undefined), lastEventId: "x" },
      },
      { id: "5", jsonrpc: "2.0", method: "subscription", params: { path, input } },
      { id: 6, method: "subscription", params: { path, input, lastEventId: position } },
      { id: 7, method: "subscription", params: { path, input, lastEventId: "nonsense" } },
      { id: 8, method: "query", params: { path, input } },
      { id: "5", method: "subscription.stop" },
      { id: 6, method: "subscription.stop" },
      { id: 99, method: "subscription.stop" },
    ];
    using pumped = await rawClient(served.pumpedUrl, []);
    using stock = await rawClient(served.stockUrl, []);
    for (const message of messages) {
      for (const { ws } of [pumped, stock]) ws.send(JSON.stringify(message));
      const answers = message.method === "subscription.stop" ? message.id !== 99 : true;
      const before = stock.frames.length;
      if (answers) await vi.waitFor(() => expect(stock.frames.length).toBeGreaterThan(before));
      for (let turns = 0; turns < 5; turns += 1) await turn();
    }
    await vi.waitFor(() => expect(stock.frames.at(-1)).toBe('{"id":6,"result":{"type":"stopped"}}'));
    await vi.waitFor(() => expect(pumped.frames).toEqual(stock.frames));
  });

  test("a host's middleware may put its own iterable in the place of ours, and its signal ends with the subscription", async () => {
    const live = createSnapwire();
    await live.start();
    const signals: AbortSignal[] = [];
    const t = initTRPC.create({ transformer: superjson });
    const wrapped = t.procedure.use(async ({ next, signal }) => {
      if (signal) signals.push(signal);
      const answer = await next();
      if (
        !answer.ok ||
        !(typeof answer.data === "object" && answer.data && Symbol.asyncIterator in answer.data)
      )
        return answer;
      const ours = answer.data as AsyncIterable<unknown>;
      const data = (async function* () {
        for await (const frame of ours) yield frame;
      })();
      return { ...answer, data };
    });
    const own = createSnapwireProcedures({ live, procedure: wrapped });
    const plain = createSnapwireProcedures({ live, procedure: t.procedure });
    const router = t.router({ wrapped: t.router(own.snapshots), plain: t.router(plain.snapshots) });
    const server = createSnapwireServer({ live, router });
    const url = await server.listen();
    try {
      await live.workspaces.upsert("w", { projectId: "p", name: "0" });
      const input = superjson.serialize({ projectId: "p" });
      using client = await rawClient(url, []);
      const subscribe = (id: number, path: string) =>
        client.ws.send(JSON.stringify({ id, method: "subscription", params: { path, input } }));
      subscribe(1, "wrapped.onProject");
      subscribe(2, "plain.onProject");
      await vi.waitFor(() => expect(client.frames).toHaveLength(4));
      await live.workspaces.upsert("w", { name: "1" });
      await vi.waitFor(() => expect(client.frames).toHaveLength(6));
      const textOf = (id: number) =>
        client.frames.filter((frame) => frame.startsWith(`{"id":${id},`)).map((frame) => frame.slice(8));
      expect(textOf(1)).toEqual(textOf(2));
      expect(server.pumpStats().scopes).toBe(1);
      client.ws.send(JSON.stringify({ id: 1, method: "subscription.stop" }));
      await vi.waitFor(() => expect(client.frames.at(-1)).toBe('{"id":1,"result":{"type":"stopped"}}'));
      expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
      subscribe(3, "wrapped.onProject");
      await vi.waitFor(() => expect(client.frames).toHaveLength(9));
      client.ws.terminate();
      await vi.waitFor(() => expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]));
      await vi.waitFor(() => expect(live.feed.size).toBe(0));
    } finally {
      await server.close();
      await live.stop();
    }
  });

  test("nothing follows a close frame, not even `stopped`: a client that was told so would not come back", async () => {
    await using served = await serve();
    const clients = await Promise.all(
      Array.from({ length: 5 }, (_, n) =>
        rawClient(served.url, [
          { id: n, projectId: "p" },
          { id: n + 100, projectId: "q" },
        ]),
      ),
    );
    await vi.waitFor(() => expect(clients.every(({ frames }) => frames.length === 4)).toBe(true));
    const codes = clients.map(({ ws }) => new Promise((resolve) => ws.once("close", resolve)));
    const writing = served.live.workspaces.upsert("w", { projectId: "p" });
    const closing = served.server.close();
    await served.live.workspaces.upsert("w", { name: "after the close began" });
    await Promise.all([writing, closing]);
    expect(await Promise.all(codes)).toEqual([1001, 1001, 1001, 1001, 1001]);
    for (const { frames } of clients) expect(frames.join()).not.toContain("stopped");
    expect(served.live.feed.size).toBe(0);
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
