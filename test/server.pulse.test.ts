/** What the heartbeat learns from a real socket. */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import type { WebSocket } from "ws";
import { pulseOf } from "../src/server/pulse.ts";

async function pair() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
  const [socket] = (await once(server, "connection")) as [Socket];
  const ws = { readyState: 1, ping: vi.fn(), terminate: vi.fn() };
  return {
    client,
    socket,
    pulse: pulseOf(ws as unknown as WebSocket, socket),
    async [Symbol.asyncDispose]() {
      client.destroy();
      socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("P4 a peer that takes a part of one large write shows it long before the write is complete", async () => {
  await using both = await pair();
  const { client, socket, pulse } = both;
  client.pause();
  socket.write(Buffer.alloc(64 * 1024 * 1024));
  await vi.waitFor(() => {
    const before = pulse.flow();
    expect(before).toBeLessThan(0);
    expect(pulse.flow()).toBe(before);
  });
  const stalled = pulse.flow();
  const waiting = pulse.waiting();
  client.once("data", () => client.pause());
  client.resume();
  await vi.waitFor(() => {
    client.read(1_000_000);
    expect(pulse.flow()).not.toBe(stalled);
  });
  expect(pulse.waiting(), "Node counts the write as a whole").toBe(waiting);
});

test("bytes that come in are counted, whatever they are", async () => {
  await using both = await pair();
  const before = both.pulse.received();
  both.client.write("x");
  both.socket.resume();
  await vi.waitFor(() => expect(both.pulse.received()).toBe(before + 1));
});
