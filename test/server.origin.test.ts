/** Who may speak to the server at all. */
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { SnapwireError } from "../src/protocol/errors.ts";
import { assertSafeBind, createSnapwireServer } from "../src/server/index.ts";
import { createOriginGuard } from "../src/server/origin.ts";
import { fakeLive, open, refusedWith, serve } from "./helpers/server-harness.ts";
import { createServerRouter } from "./helpers/server-router.ts";

/** `fetch` does not let a caller choose Host or Origin. */
function get(url: string, headers: Record<string, string>, method = "GET") {
  return new Promise<{ status: number; headers: Record<string, unknown> }>((resolve, reject) => {
    request(url, { headers, method }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers }));
    })
      .on("error", reject)
      .end();
  });
}

const nobody = { authenticate: () => null };

describe("without tokens", () => {
  test.each([
    "localhost",
    "LOCALHOST:5173",
    "127.0.0.1",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:8080",
    "board.test:4000",
    "any.test:7",
  ])("the Host %s is this machine or listed", async (host) => {
    await using served = await serve({ allowedHosts: ["board.test:4000", "any.test"] });
    for (const path of ["/livez", "/readyz", "/api/health", "/trpc/whoami", "/nothing"])
      expect((await get(served.at(path), { host })).status).toBe(path === "/nothing" ? 404 : 200);
    await using client = await open(served.wsUrl, { headers: { host } });
    expect(client.ws.readyState).toBe(client.ws.OPEN);
  });

  test.each([
    "evil.test",
    "127.0.0.1.evil.test",
    "localhost.evil.test",
    "board.test:4001",
    "10.0.0.1",
    "[::2]",
    "localhost.",
  ])("the Host %s is refused on every route: a name that others made point here", async (host) => {
    await using served = await serve({ allowedHosts: ["board.test:4000"] });
    for (const path of ["/livez", "/readyz", "/api/health", "/trpc/whoami", "/nothing", "/"])
      expect((await get(served.at(path), { host })).status).toBe(403);
    expect(await refusedWith(served.wsUrl, { host })).toBe(403);
  });

  test("a peer on another machine is refused, whatever Host it sends", () => {
    const guard = createOriginGuard({ hasTokens: false });
    const from = (remoteAddress: string | undefined) =>
      guard.host({ headers: { host: "localhost" }, socket: { remoteAddress } } as never)?.status;
    expect(from("192.168.0.9")).toBe(403);
    expect(from("::ffff:10.0.0.1")).toBe(403);
    for (const local of ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", undefined])
      expect(from(local)).toBeUndefined();
  });

  test("it is refused to listen for others, with the command that fixes it", async () => {
    for (const host of ["0.0.0.0", "::", "192.168.0.9", "", undefined])
      expect(() => assertSafeBind({ host, hasTokens: false })).toThrow(/snapwire token create/);
    for (const host of ["127.0.0.1", "localhost", "::1"]) assertSafeBind({ host, hasTokens: false });
    assertSafeBind({ host: "0.0.0.0", hasTokens: true });
    const server = createSnapwireServer({ live: fakeLive(), router: createServerRouter().router });
    await expect(server.listen(0, "0.0.0.0")).rejects.toThrow(SnapwireError);
    expect(server.http.listening).toBe(false);
  });
});

describe("with tokens", () => {
  test("any valid Host will do", async () => {
    await using served = await serve(nobody);
    expect((await get(served.at("/livez"), { host: "live.example.com" })).status).toBe(200);
    expect((await get(served.at("/livez"), { host: "[" })).status).toBe(400);
  });
});

describe("an Origin", () => {
  const rules = { ...nobody, allowedOrigins: ["https://board.example.com", "tauri://localhost"] };
  const own = { host: "live.example.com" };

  test.each([
    ["none", {}],
    ["the same host", { origin: "http://live.example.com" }],
    ["the same host behind a proxy that ends TLS", { origin: "https://live.example.com" }],
    [
      "the same host with the default port",
      { host: "live.example.com:443", origin: "https://live.example.com" },
    ],
    ["one of the list", { origin: "https://board.example.com" }],
    ["one of the list, of a desktop shell", { origin: "tauri://localhost" }],
  ])("that is %s is let in", async (_name, headers: Record<string, string>) => {
    await using served = await serve(rules);
    expect((await get(served.at("/trpc/whoami"), { ...own, ...headers })).status).toBe(401);
    await using client = await open(served.wsUrl, { headers: { ...own, ...headers } });
    expect(client.ws.readyState).toBe(client.ws.OPEN);
  });

  test.each([
    "https://evil.test",
    "null",
    "http://live.example.com:81",
    "https://board.example.com.evil.test",
    "file://",
    "[",
  ])("%s is refused before the 101, and over HTTP", async (origin) => {
    await using served = await serve(rules);
    expect((await get(served.at("/trpc/whoami"), { ...own, origin })).status).toBe(403);
    expect((await get(served.at("/trpc/echo"), { ...own, origin }, "POST")).status).toBe(403);
    expect(await refusedWith(served.wsUrl, { ...own, origin })).toBe(403);
  });

  test("from a page of another port of this machine is refused too", async () => {
    await using served = await serve();
    expect(await refusedWith(served.wsUrl, { origin: "http://localhost:5173" })).toBe(403);
  });

  test("of the list gets CORS headers, others none", async () => {
    await using served = await serve(rules);
    const origin = "https://board.example.com";
    const preflight = await get(served.at("/trpc/echo"), { ...own, origin }, "OPTIONS");
    expect(preflight.status).toBe(204);
    expect(preflight.headers["access-control-allow-origin"]).toBe(origin);
    expect(preflight.headers["access-control-allow-headers"]).toContain("authorization");
    expect(preflight.headers).not.toHaveProperty("access-control-allow-credentials");
    expect(
      (await get(served.at("/trpc/whoami"), { ...own, origin })).headers["access-control-allow-origin"],
    ).toBe(origin);
    expect((await get(served.at("/trpc/whoami"), own)).headers).not.toHaveProperty(
      "access-control-allow-origin",
    );
  });

  test.each(["board.example.com", "https://a.test/path", "*", ""])(
    "%j in the list is refused at start",
    (origin) => {
      expect(() => createOriginGuard({ hasTokens: true, allowedOrigins: [origin] })).toThrow(
        /allowedOrigins/,
      );
    },
  );
});
