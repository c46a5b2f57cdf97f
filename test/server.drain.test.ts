/** P14 over real sockets. */
import { once } from "node:events";
import { EventSource } from "eventsource";
import { expect, test, vi } from "vitest";
import {
  call,
  frameBytes,
  open,
  rawSocket,
  refusedWith,
  serve,
  talk,
  upgradeText,
} from "./helpers/server-harness.ts";

const NOTICE = { id: null, method: "reconnect" };

test("P14 readiness goes off and upgrades are refused with 503, while what is open is served", async () => {
  await using served = await serve();
  await using client = await open(served.wsUrl);
  const drained = served.server.drain({ overMs: 0, deadlineMs: 2_000 });
  const ready = await fetch(served.at("/readyz"));
  expect([ready.status, await ready.text()]).toEqual([503, "draining\n"]);
  expect((await fetch(served.at("/livez"))).status).toBe(200);
  expect(await refusedWith(served.wsUrl)).toBe(503);
  const refused = await talk(served.port, upgradeText());
  expect(refused).toContain("Connection: close");
  expect(refused).toMatch(/Retry-After: \d/);
  const called = await fetch(`${served.url}/whoami`);
  expect([called.status, called.headers.get("connection")]).toEqual([200, "close"]);
  client.send(call(1, "query", "whoami"));
  await vi.waitFor(() => expect(client.frameOf(1)?.result).toBeDefined());
  await drained;
  expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
  expect(served.server.http.listening).toBe(false);
});

test("P14 each socket is told to move exactly once, as bare JSON, then closed with 1001", async () => {
  await using served = await serve();
  const clients = await Promise.all(Array.from({ length: 50 }, () => open(served.wsUrl)));
  await Promise.all([served.server.drain({ overMs: 100, deadlineMs: 500 }), served.server.drain()]);
  for (const client of clients) {
    expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
    expect(client.frames).toEqual([NOTICE]);
  }
  expect(served.server.stats().sockets).toBe(0);
});

test("P14 a peer that answers nothing is cut, so that the drain ends", async () => {
  await using served = await serve();
  const silent = await rawSocket(served.port);
  silent.socket.pause();
  await served.server.drain({ overMs: 0, deadlineMs: 1_000 });
  expect(served.server.http.listening).toBe(false);
  silent.socket.destroy();
});

test("P14 nothing is begun on a socket whose close has begun", async () => {
  await using served = await serve();
  const raw = await rawSocket(served.port); // never answers a close frame
  const drained = served.server.drain({ overMs: 0, deadlineMs: 1_000 });
  const closeFrame = Buffer.from([0x88, 2 + "Server shutting down".length, 0x03, 0xe9]);
  await vi.waitFor(() => expect(raw.received().includes(closeFrame)).toBe(true));
  raw.socket.write(frameBytes(1, Buffer.from(JSON.stringify(call(1, "mutation", "echo", "x")))));
  await raw.closed;
  await drained;
  expect(served.echoes()).toBe(0);
});

test("P14 an SSE stream is ended, without the word that would end it for good, and does not begin again here", async () => {
  await using served = await serve();
  const source = new EventSource(`${served.url}/ticks`);
  let returned = false;
  source.addEventListener("return", () => {
    returned = true;
  });
  await vi.waitFor(() => expect(served.running()).toBe(1));
  await using client = await open(served.wsUrl); // holds the drain open
  const drained = served.server.drain({ overMs: 0, deadlineMs: 2_000 });
  await vi.waitFor(() => expect(served.running()).toBe(0), { interval: 1 });
  expect(client.ws.readyState, "in the wave, not at the end").toBe(client.ws.OPEN);
  await vi.waitFor(() => expect(source.readyState).toBe(source.CONNECTING));
  const again = fetch(`${served.url}/ticks`, { headers: { accept: "text/event-stream" } });
  await expect(again, "cut, not answered: a status would end an EventSource").rejects.toThrow();
  expect(returned).toBe(false);
  expect(served.running()).toBe(0);
  source.close();
  client.ws.close();
  await drained;
});

test("P14 a request in flight is finished", async () => {
  await using served = await serve({
    createContext: async ({ snapwire, req }) => {
      if (req.headers["x-slow"]) await once(served.ticker, "go");
      return snapwire;
    },
  });
  const slow = fetch(`${served.url}/whoami`, { headers: { "x-slow": "1" } });
  await vi.waitFor(() => expect(served.ticker.listenerCount("go")).toBe(1));
  const drained = served.server.drain({ overMs: 0, deadlineMs: 10_000 });
  served.ticker.emit("go");
  expect((await slow).status).toBe(200);
  await drained;
});

test("P14 `close` ends everything at once, drained or not, and twice is once", async () => {
  await using served = await serve();
  await using client = await open(served.wsUrl);
  const source = new EventSource(`${served.url}/ticks`);
  await vi.waitFor(() => expect(served.running()).toBe(1));
  await Promise.all([served.server.close(), served.server.close()]);
  expect((await client.closed).code).toBe(1001);
  expect(client.frames).toEqual([]);
  expect(served.running()).toBe(0);
  source.close();
});
