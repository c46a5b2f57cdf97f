/** What anybody can send to the plain endpoints: each ends in a status or a close with a code, and the process lives. */
import { connect } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import { openPlain } from "./helpers/plain.ts";
import { serve } from "./helpers/served.ts";
import { frameBytes, refusedWith, talk, upgradeText } from "./helpers/server-harness.ts";

const ALL = { endpoints: ["snapshots", "hub", "api", "agent"] } as const;
const PATHS = ["/snapshots?projectId=p", "/hub/ws", "/api/ws", "/agent/ws"];

/** Everything that came back, the 101 included, until the server ended it. */
async function rawFrames(port: number, path: string, frames: readonly Buffer[]): Promise<Buffer> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => undefined);
  socket.write(Buffer.concat([Buffer.from(upgradeText(path)), ...frames]));
  await new Promise((resolve) => socket.on("close", resolve));
  const all = Buffer.concat(chunks);
  return all.subarray(all.indexOf("\r\n\r\n") + 4);
}

/** The code of the close frame at the end. */
function closeCode(frames: Buffer): number | undefined {
  const at = frames.lastIndexOf(0x88);
  return at < 0 ? undefined : frames.readUInt16BE(at + 2);
}

describe.each(PATHS)("%s", (path) => {
  test("a bad Host, a half handshake, a wrong method and another protocol leave the process alive", async () => {
    await using served = await serve({ plain: ALL });
    const port = Number(new URL(served.url).port);
    expect(await talk(port, upgradeText(path, { Host: "[" }))).toMatch(/^HTTP\/1\.1 400/);
    expect(await talk(port, upgradeText(path, { "Sec-WebSocket-Key": "short" }))).toMatch(/^HTTP\/1\.1 400/);
    expect(await talk(port, upgradeText(path, { "Sec-WebSocket-Version": "1" }))).toMatch(/^HTTP\/1\.1 4/);
    expect(await talk(port, upgradeText(path, { Upgrade: "h2c" }))).toMatch(/^HTTP\/1\.1 4/);
    expect(await talk(port, upgradeText(path, { Host: "evil.example" }))).toMatch(/^HTTP\/1\.1 403/);
    expect(await talk(port, upgradeText(path, { Origin: "https://evil.example" }))).toMatch(
      /^HTTP\/1\.1 403/,
    );
    const half = connect(port, "127.0.0.1");
    half.on("error", () => undefined);
    half.write(upgradeText(path).slice(0, 40));
    half.destroy();
    await using client = await openPlain(`${served.url}${path}`);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
  });

  test("a malformed frame, bad UTF-8 and an oversized message are closed with their codes", async () => {
    await using served = await serve({ plain: ALL });
    const port = Number(new URL(served.url).port);
    expect(closeCode(await rawFrames(port, path, [Buffer.from([0xff, 0xff, 0, 0, 0, 0])]))).toBe(1002);
    expect(closeCode(await rawFrames(port, path, [frameBytes(1, Buffer.from([0xc3, 0x28]))]))).toBe(1007);
    expect(closeCode(await rawFrames(port, path, [frameBytes(1, Buffer.alloc(0), 2 ** 30)]))).toBe(1009);
    await using client = await openPlain(`${served.url}${path}`);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    client.ws.terminate();
    await vi.waitFor(() => expect(served.server.stats().sockets).toBe(0));
  });

  test("a malformed frame right after a refusal ends nothing but its own socket", async () => {
    const token = createToken({ role: "admin" });
    await using served = await serve({
      plain: ALL,
      server: { authenticate: authenticateTokens(storeOf(() => [token.record])) },
    });
    const port = Number(new URL(served.url).port);
    for (let round = 0; round < 5; round += 1) {
      const answer = await talk(
        port,
        Buffer.concat([Buffer.from(upgradeText(path)), Buffer.from([0xff, 0xff, 0xff])]),
      );
      expect(answer).toMatch(/^HTTP\/1\.1 (101|401)/);
    }
    expect(served.server.stats().sockets).toBe(0);
  });

  test("P8 200 of them, opened and dropped, leave nothing", async () => {
    await using served = await serve({ plain: ALL });
    for (let round = 0; round < 4; round += 1) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => openPlain(`${served.url}${path}`)));
      for (const [at, { ws }] of clients.entries()) at % 2 === 0 ? ws.terminate() : ws.close();
    }
    await vi.waitFor(() => {
      expect(served.server.stats().sockets).toBe(0);
      expect([
        served.live.feed.size,
        served.live.events.feed.size,
        served.live.agents.stats().inboxes,
      ]).toEqual([0, 0, 0]);
    });
  });
});

test("the count of clients is right under random connects and kills, refused ones never counted", async () => {
  const token = createToken({ role: "admin" });
  await using served = await serve({
    plain: ALL,
    server: { authenticate: authenticateTokens(storeOf(() => [token.record])) },
  });
  const bearer = { authorization: `Bearer ${token.token}` };
  const open = [];
  for (let step = 0; step < 120; step += 1) {
    const path = PATHS[step % PATHS.length] ?? "";
    if (step % 7 === 3) expect(await refusedWith(`${served.url.replace("http", "ws")}/hub/ws`)).toBe(401);
    else if (step % 3 === 2) open.splice((step * 31) % open.length, 1)[0]?.ws.terminate();
    else open.push(await openPlain(`${served.url}${path}`, bearer));
  }
  await vi.waitFor(() => expect(served.server.stats().sockets).toBe(open.length));
  const health = (await (await fetch(`${served.url}/api/health`)).json()) as { ws_clients: number };
  expect(health.ws_clients).toBe(open.length);
  for (const { ws } of open) ws.terminate();
  await vi.waitFor(() => expect(served.server.stats().sockets).toBe(0));
});
