/** P4: what a connection that does not read may cost, and that nobody else pays. */
import { once } from "node:events";
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { describe, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { connectionOf, LOCAL_ADMIN } from "../src/server/index.ts";
import { call, open, serve } from "./helpers/server-harness.ts";
import { createServerRouter } from "./helpers/server-router.ts";

/** A socket whose peer reads when the test says so. */
function fakeSocket() {
  const held: (() => void)[] = [];
  const socket = new Duplex({
    highWaterMark: 10,
    read: () => undefined,
    write: (_chunk, _encoding, done) => void held.push(done),
  });
  const ws = {
    readyState: 1,
    close: vi.fn(),
    get bufferedAmount() {
      return socket.writableLength;
    },
  };
  const connection = connectionOf({ req: { socket } as never, res: ws }, 100);
  if (!connection) throw new Error("no connection");
  const readOne = (): void => held.shift()?.();
  return {
    socket,
    ws,
    connection,
    readOne,
    listeners: () => socket.listenerCount("drain") + socket.listenerCount("close"),
  };
}

const isSettled = async (promise: Promise<void> | undefined): Promise<boolean> => {
  if (!promise) return true;
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
};

describe("a claim", () => {
  test("is given to one at a time, and the others wait for its release", async () => {
    const { connection, listeners } = fakeSocket();
    const idle = listeners();
    expect(connection.claim()).toBeUndefined();
    const waits = [connection.claim(), connection.claim()];
    expect(waits[0], "one promise for all that wait").toBe(waits[1]);
    expect(listeners(), "one pair of listeners for all that wait").toBe(idle + 2);
    expect(await isSettled(waits[0])).toBe(false);
    connection.release();
    expect(await isSettled(waits[0])).toBe(true);
    expect(listeners()).toBe(idle);
    expect(connection.claim()).toBeUndefined();
  });

  test("is not given above the high-water mark until the socket has drained", async () => {
    const { connection, socket, readOne, listeners } = fakeSocket();
    const idle = listeners();
    expect(connection.claim()).toBeUndefined();
    socket.write("x".repeat(101));
    connection.release();
    const wait = connection.claim();
    expect(await isSettled(wait)).toBe(false);
    connection.release();
    expect(await isSettled(wait), "a release is no room").toBe(false);
    readOne();
    expect(await isSettled(wait)).toBe(true);
    expect(connection.claim()).toBeUndefined();
    expect(listeners()).toBe(idle);
  });

  test("below the mark does not wait for a drain", () => {
    const { connection, socket } = fakeSocket();
    socket.write("x".repeat(99));
    expect(socket.writableNeedDrain).toBe(true);
    expect(connection.claim()).toBeUndefined();
  });

  test("ends its wait when the connection closes, and is free then", async () => {
    const { connection, socket, ws, listeners } = fakeSocket();
    socket.write("x".repeat(101));
    const wait = connection.claim();
    ws.readyState = 3;
    socket.destroy();
    expect(await isSettled(wait)).toBe(true);
    expect(connection.claim()).toBeUndefined();
    expect(connection.claim()).toBeUndefined();
    expect(listeners()).toBe(0);
  });

  test("is the same connection for the same socket; there is none behind anything else", () => {
    const { connection, ws, socket } = fakeSocket();
    const req = { socket } as never;
    expect(connectionOf({ req, res: ws })).toBe(connection);
    for (const res of [undefined, null, "x", {}, { close: 1 }])
      expect(connectionOf({ req, res })).toBeUndefined();
  });

  test("`tryElsewhere` closes a WebSocket with 1013", () => {
    const { connection, ws } = fakeSocket();
    connection.tryElsewhere();
    expect(ws.close).toHaveBeenCalledExactlyOnceWith(1013, "Try another node");
  });
});

const FRAME = 20_000;
const BOUND = 256 * 1024 + FRAME + 1_000; // the mark, one frame and its envelope

describe("over real sockets", () => {
  test("P4 a stalled client costs the mark and one frame, whatever number of subscriptions it has", async () => {
    await using served = await serve();
    await using stalled = await open(served.wsUrl);
    await using healthy = await open(served.wsUrl);
    stalled.ws.pause();
    stalled.sendBatch(
      Array.from({ length: 20 }, (_, n) => call(n + 1, "subscription", "flood", { bytes: FRAME })),
    );
    let highest = 0;
    await vi.waitFor(() => {
      const { bufferedBytes, stalledSockets } = served.server.stats();
      highest = Math.max(highest, bufferedBytes);
      expect(stalledSockets).toBe(1);
    });
    for (let n = 1; n <= 200; n++) {
      healthy.send(call(n, "query", "whoami"));
      await vi.waitFor(() => expect(healthy.frameOf(n)).toBeDefined(), { interval: 1 });
      highest = Math.max(highest, served.server.stats().bufferedBytes);
    }
    expect(highest).toBeGreaterThan(256 * 1024);
    expect(highest).toBeLessThan(BOUND);

    const before = stalled.frames.length;
    stalled.ws.resume();
    await vi.waitFor(() => expect(stalled.frames.length).toBeGreaterThan(before + 200));
    stalled.ws.terminate();
    await vi.waitFor(() =>
      expect(served.server.stats()).toMatchObject({ sockets: 1, bufferedBytes: 0, stalledSockets: 0 }),
    );
  });

  test("P4 a stalled reader of SSE costs no more", async () => {
    await using served = await serve();
    const input = encodeURIComponent(JSON.stringify({ json: { bytes: FRAME } }));
    const controller = new AbortController();
    const answer = await fetch(`${served.url}/flood?input=${input}`, {
      headers: { accept: "text/event-stream" },
      signal: controller.signal,
    });
    const reader = answer.body?.getReader();
    await reader?.read();
    await vi.waitFor(() => expect(served.server.stats().bufferedBytes).toBeGreaterThan(0));
    let highest = 0;
    for (let n = 0; n < 50; n++) {
      await fetch(served.at("/livez"));
      highest = Math.max(highest, served.server.stats().bufferedBytes);
    }
    expect(highest).toBeLessThan(BOUND);
    controller.abort();
    await vi.waitFor(() => expect(served.server.stats().bufferedBytes).toBe(0));
  });

  test("P4 it works in a host's own `applyWSSHandler` too", async () => {
    const http = createServer();
    const wss = new WebSocketServer({ server: http });
    applyWSSHandler({
      wss,
      router: createServerRouter().router,
      createContext: ({ req, res }) => {
        const connection = connectionOf({ req, res });
        return { identity: LOCAL_ADMIN, ...(connection && { connection }) };
      },
    });
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const address = http.address();
    const client = await open(`ws://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    client.ws.pause();
    client.send(call(1, "subscription", "flood", { bytes: FRAME }));
    const buffered = () => Math.max(0, ...[...wss.clients].map((one) => one.bufferedAmount));
    await vi.waitFor(() => expect(buffered()).toBeGreaterThan(256 * 1024));
    for (let n = 0; n < 100; n++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(buffered()).toBeLessThan(BOUND);
    }
    await client[Symbol.asyncDispose]();
    wss.close();
    http.close();
    await once(http, "close");
  });

  test("`tryElsewhere` closes the socket, or cuts the response, so that the client comes back", async () => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    client.send(call(1, "mutation", "tryElsewhere"));
    expect(await client.closed).toEqual({ code: 1013, reason: "Try another node" });
    const post = fetch(`${served.url}/tryElsewhere`, {
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    await expect(post).rejects.toThrow();
    await vi.waitFor(() =>
      expect(served.server.stats()).toMatchObject({ sockets: 0, bufferedBytes: 0, stalledSockets: 0 }),
    );
    expect(served.log.errors()).toEqual([]);
  });
});
