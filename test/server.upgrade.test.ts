/** P10: bytes that no client library sends. After each the server must still serve. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";
import { silentLogger } from "../src/log.ts";
import { createConnections } from "../src/server/connections.ts";
import { mountSnapwire } from "../src/server/index.ts";
import { createOriginGuard } from "../src/server/origin.ts";
import { createUpgrade } from "../src/server/upgrade.ts";
import {
  call,
  fakeLive,
  frameBytes,
  open,
  rawSocket,
  refusedWith,
  serve,
  talk,
  upgradeText,
} from "./helpers/server-harness.ts";
import { createServerRouter } from "./helpers/server-router.ts";

type Served = Awaited<ReturnType<typeof serve>>;

async function stillServes(served: Served): Promise<void> {
  await using client = await open(served.wsUrl);
  client.send(call(1, "query", "whoami"));
  await vi.waitFor(() => expect(client.frameOf(1)?.result).toBeDefined());
  expect(served.log.errors()).toEqual([]);
}

const status = (answer: string): string => answer.split("\r\n")[0]?.split(" ")[1] ?? "";

describe("P10 what is wrong before the 101 is answered by a status, and the process lives", () => {
  test.each([
    ["Host: [", upgradeText("/trpc", { Host: "[" }), "400"],
    ["Host with a path", upgradeText("/trpc", { Host: "127.0.0.1/x" }), "400"],
    ["Host with a user", upgradeText("/trpc", { Host: "a@127.0.0.1" }), "400"],
    ["Host with port 99999", upgradeText("/trpc", { Host: "127.0.0.1:99999" }), "400"],
    ["an empty Host", upgradeText("/trpc", { Host: "" }), "400"],
    ["an absolute URL", upgradeText("http://127.0.0.1/trpc"), "400"],
    ["two slashes", upgradeText("//evil/trpc"), "400"],
    ["a fragment", upgradeText("/trpc#?connectionParams=1"), "400"],
    ["an unknown path", upgradeText("/nothing"), "404"],
    ["a path that only begins like ours", upgradeText("/trpcx"), "404"],
    ["a procedure as path", upgradeText("/trpc/ticks"), "404"],
    ["a health path", upgradeText("/livez"), "404"],
    ["a bad percent escape", upgradeText("/%zz"), "404"],
    ["no key", upgradeText("/trpc", { "Sec-WebSocket-Key": "" }), "400"],
    ["version 7", upgradeText("/trpc", { "Sec-WebSocket-Version": "7" }), "400"],
    ["another protocol", upgradeText("/trpc", { Upgrade: "h2c" }), "400"],
    ["bad subprotocols", upgradeText("/trpc", { "Sec-WebSocket-Protocol": ",," }), "400"],
    ["POST", upgradeText("/trpc").replace("GET", "POST"), "405"],
    ["no HTTP at all", "\u0016\u0003\u0001 hello\r\n\r\n", "400"],
    ["a header of 20 KB", upgradeText("/trpc", { "X-Long": "x".repeat(20_000) }), "431"],
  ])("%s", async (_name, bytes, expected) => {
    await using served = await serve();
    expect(status(await talk(served.port, bytes))).toBe(expected);
    await stillServes(served);
  });

  test("a refusal never repeats what the client sent", async () => {
    await using served = await serve();
    const answer = await talk(served.port, upgradeText("/secret-path?token=swt_secret"));
    expect(answer).not.toContain("secret");
    expect(JSON.stringify(served.log.lines)).not.toContain("secret");
  });

  test("a client that resets the connection in the middle of a refusal harms nobody", async () => {
    await using served = await serve();
    for (let round = 0; round < 50; round++) {
      const socket = connect(served.port, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      socket.write(upgradeText(round % 2 ? "/nothing" : "/trpc"));
      socket.resetAndDestroy();
    }
    await stillServes(served);
  });

  test("half a handshake is dropped when the client leaves", async () => {
    await using served = await serve();
    await talk(served.port, upgradeText().slice(0, 60), { end: true });
    await stillServes(served);
  });

  test("a malformed frame after a refusal harms nobody", async () => {
    await using served = await serve();
    const bytes = Buffer.concat([
      Buffer.from(upgradeText("/nothing")),
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
    ]);
    expect(status(await talk(served.port, bytes))).toBe("404");
    await stillServes(served);
  });
});

describe("P10 what is wrong after the 101 is closed with a code", () => {
  const closeCode = (bytes: Buffer): number => (bytes[0] === 0x88 ? bytes.readUInt16BE(2) : 0);

  test.each([
    ["text that is not UTF-8 gets 1007", frameBytes(1, Buffer.from([0xff, 0xfe, 0xfd])), 1007],
    ["an oversized frame gets 1009", frameBytes(1, Buffer.alloc(10), 65_537), 1009],
    ["a frame of 2^31 bytes gets 1009", frameBytes(1, Buffer.alloc(10), 2 ** 31), 1009],
    ["reserved bits get 1002", Buffer.from([0xf1, 0x80, 0, 0, 0, 0]), 1002],
    ["an unknown opcode gets 1002", frameBytes(3, Buffer.alloc(0)), 1002],
    ["an unmasked frame gets 1002", Buffer.from([0x81, 0x01, 0x41]), 1002],
    ["a ping of 126 bytes gets 1002", frameBytes(9, Buffer.alloc(0), 126), 1002],
    ["a close frame of one byte gets 1002", frameBytes(8, Buffer.from([1])), 1002],
  ])("%s", async (_name, bytes, code) => {
    await using served = await serve({ limits: { closeMs: 200 } });
    const raw = await rawSocket(served.port);
    raw.socket.write(bytes);
    await raw.closed;
    expect(closeCode(raw.received())).toBe(code);
    await vi.waitFor(() => expect(served.server.stats().sockets).toBe(0));
    await stillServes(served);
  });

  test("frames in the first packet, behind the handshake, are not lost", async () => {
    await using served = await serve();
    const socket = connect(served.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    const ask = frameBytes(1, Buffer.from(JSON.stringify(call(1, "query", "whoami"))).subarray(0, 120));
    expect(ask.length).toBeLessThan(127);
    socket.write(Buffer.concat([Buffer.from(upgradeText()), ask]));
    await vi.waitFor(() => expect(answer).toContain('"subject":"local"'));
    socket.destroy();
  });

  test("random bytes, as a handshake or behind one, never end the process", async () => {
    await using served = await serve({ limits: { closeMs: 50 } });
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        async (upgraded, bytes) => {
          const prefix = upgraded ? upgradeText() : "GET /trpc HTTP/1.1\r\n";
          await talk(served.port, Buffer.concat([Buffer.from(prefix), bytes]), { end: true });
        },
      ),
      { numRuns: 200 },
    );
    await stillServes(served);
  });
});

describe("caps", () => {
  test("an address with its full number of sockets gets 429, and loopback is exempt", async () => {
    const connections = createConnections({ socketsPerAddress: 2, highWaterBytes: 1 });
    const socket = (address: string) => ({
      kind: "socket" as const,
      address,
      identified: true,
      buffered: () => 0,
      stalled: () => false,
      notify: () => undefined,
      close: () => undefined,
      terminate: () => undefined,
    });
    const leave = connections.add(socket("10.0.0.7"));
    connections.add(socket("10.0.0.7"));
    for (let n = 0; n < 9; n++) connections.add(socket("::ffff:127.0.0.1"));
    expect(connections.hasRoomFor("10.0.0.7")).toBe(false);
    expect(connections.hasRoomFor("10.0.0.8")).toBe(true);
    expect(connections.hasRoomFor("::ffff:127.0.0.1")).toBe(true);
    leave();
    leave();
    expect(connections.hasRoomFor("10.0.0.7")).toBe(true);

    const http = createServer();
    const wss = new WebSocketServer({ noServer: true });
    http.on(
      "upgrade",
      createUpgrade({
        basePath: "/trpc",
        wss,
        guard: createOriginGuard({ hasTokens: true }),
        connections: { ...connections, hasRoomFor: () => false },
        accept: () => undefined,
        isDraining: () => false,
        plain: undefined,
        logger: silentLogger,
      }),
    );
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const address = http.address();
    const port = typeof address === "object" ? address?.port : 0;
    expect(await refusedWith(`ws://127.0.0.1:${port}/trpc`)).toBe(429);
    http.close();
    await once(http, "close");
  });
});

describe("a host's server", () => {
  async function host(options: { ownUpgrades?: boolean; late?: boolean } = {}) {
    const http = createServer();
    const answer = (): void => {
      http.on("request", (_request, response) => {
        if (response.headersSent) throw new Error("answered twice");
        response.end("the host's");
      });
    };
    if (!options.late) answer();
    const mount = mountSnapwire(http, {
      live: fakeLive(),
      router: createServerRouter().router,
      ...(options.ownUpgrades !== undefined && { ownUpgrades: options.ownUpgrades }),
    });
    if (options.late) answer();
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const address = http.address();
    const port = typeof address === "object" ? address?.port : 0;
    return {
      http,
      mount,
      url: `http://127.0.0.1:${port}`,
      wsUrl: `ws://127.0.0.1:${port}`,
      async [Symbol.asyncDispose]() {
        await mount.close();
        http.closeAllConnections();
        http.close();
      },
    };
  }

  test.each([true, false])("keeps its other paths, whether it listened first or later (%s)", async (late) => {
    await using served = await host({ late });
    expect(await (await fetch(`${served.url}/page`)).text()).toBe("the host's");
    expect(await (await fetch(`${served.url}/trpcx`)).text()).toBe("the host's");
    expect(await (await fetch(`${served.url}/livez`)).text()).toBe("ok\n");
    expect(await (await fetch(`${served.url}/trpc/whoami`)).text()).toContain('"local"');
  });

  test("shares upgrades with another WebSocket server when told so", async () => {
    await using served = await host({ ownUpgrades: false });
    const other = new WebSocketServer({ server: served.http, path: "/other" });
    await using ours = await open(`${served.wsUrl}/trpc`);
    ours.send(call(1, "query", "whoami"));
    await vi.waitFor(() => expect(ours.frameOf(1)?.result).toBeDefined());
    await using theirs = await open(`${served.wsUrl}/other`);
    expect(theirs.ws.readyState).toBe(theirs.ws.OPEN);
    expect(await refusedWith(`${served.wsUrl}/nobody`)).toBe(400);
    other.close();
    for (const client of other.clients) client.terminate();
  });

  test("refuses unknown upgrades itself while nobody else listens", async () => {
    await using served = await host({ ownUpgrades: false });
    expect(await refusedWith(`${served.wsUrl}/nobody`)).toBe(404);
  });

  test("has its paths and its `emit` back after close", async () => {
    await using served = await host();
    await using client = await open(`${served.wsUrl}/trpc`);
    await served.mount.close();
    expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
    expect(await (await fetch(`${served.url}/trpc/whoami`)).text()).toBe("the host's");
    expect(served.http.listenerCount("upgrade")).toBe(0);
    expect(Object.hasOwn(served.http, "emit")).toBe(false);
  });

  test("a second mount on another path lives beside the first", async () => {
    await using served = await host({ ownUpgrades: false });
    const second = mountSnapwire(served.http, {
      live: fakeLive(),
      router: createServerRouter().router,
      basePath: "/api/live",
      ownUpgrades: false,
    });
    await using one = await open(`${served.wsUrl}/trpc`);
    await using two = await open(`${served.wsUrl}/api/live`);
    expect([one.ws.readyState, two.ws.readyState]).toEqual([1, 1]);
    expect(await refusedWith(`${served.wsUrl}/nobody`)).toBe(404);
    await second.close();
    expect(await (await fetch(`${served.url}/trpc/whoami`)).text()).toContain('"local"');
  });

  test.each(["/", "trpc", "/trpc/", "/livez", "/a b", ""])("refuses the base path %j", (basePath) => {
    const options = { live: fakeLive(), router: createServerRouter().router, basePath };
    expect(() => mountSnapwire(createServer(), options)).toThrow(/basePath/);
  });
});
