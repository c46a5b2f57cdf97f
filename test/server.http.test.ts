/** tRPC over HTTP, SSE, and the health endpoints. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { createTRPCClient, httpBatchLink, httpLink, httpSubscriptionLink } from "@trpc/client";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { describe, expect, test, vi } from "vitest";
import { adminToken, authenticateTokens, createSnapwireServer } from "../src/server/index.ts";
import { fakeLive, HEALTH, serve } from "./helpers/server-harness.ts";
import { createServerRouter } from "./helpers/server-router.ts";

type Router = ReturnType<typeof createServerRouter>["router"];

describe("tRPC over HTTP", () => {
  test("queries, mutations and batches are served", async () => {
    await using served = await serve();
    for (const link of [httpLink, httpBatchLink]) {
      const client = createTRPCClient<Router>({ links: [link({ url: served.url, transformer: superjson })] });
      const both = await Promise.all([client.whoami.query(), client.echo.mutate("x")]);
      expect(both).toEqual([{ subject: "local", role: "admin", projects: "*" }, "x"]);
    }
    await vi.waitFor(() => expect(served.server.stats().bufferedBytes).toBe(0));
  });

  test("P10 a body above 1 MiB is PAYLOAD_TOO_LARGE", async () => {
    await using served = await serve();
    const post = (bytes: number) =>
      fetch(`${served.url}/echo`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(superjson.serialize("x".repeat(bytes))),
      });
    expect((await post(1_000_000)).status).toBe(200);
    const refused = await post(1_100_000);
    expect(refused.status).toBe(413);
    expect(await refused.text()).toContain("PAYLOAD_TOO_LARGE");
  });

  test.each([
    ["an unknown procedure", "/nothing", 404],
    ["no procedure", "", 404],
    ["a bad escape", "/%zz", 400],
    ["input that is no JSON", "/big?input={", 400],
    ["`__proto__`", "/__proto__", 404],
  ])("P10 %s is a typed error", async (_name, path, status) => {
    await using served = await serve();
    const answer = await fetch(`${served.url}${path}`);
    expect(answer.status).toBe(status);
    expect(await answer.json()).toHaveProperty("error.json.data.code");
  });

  test("P10 a body that ends early harms nobody", async () => {
    await using served = await serve();
    for (let n = 0; n < 20; n++) {
      const post = request(`${served.url}/echo`, {
        method: "POST",
        headers: { "content-type": "application/json", "content-length": 100 },
      });
      post.on("error", () => undefined);
      post.write("{");
      await new Promise((resolve) => setImmediate(resolve));
      post.destroy();
    }
    expect((await fetch(served.at("/livez"))).status).toBe(200);
    expect(served.log.errors()).toEqual([]);
  });
});

describe("subscriptions over SSE", () => {
  const subscribeTo = (served: { url: string }, headers: Record<string, string> = {}) => {
    const client = createTRPCClient<Router>({
      links: [
        httpSubscriptionLink({
          url: served.url,
          transformer: superjson,
          EventSource,
          eventSourceOptions: () => ({
            fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
          }),
        }),
      ],
    });
    const data: unknown[] = [];
    const errors: string[] = [];
    const subscription = client.ticks.subscribe(undefined, {
      onData: (event) => data.push(event.data),
      onError: (error) => errors.push(error.data?.code ?? error.message),
    });
    return { data, errors, subscription };
  };

  test("arrive, and leave nothing when the client goes (P8)", async () => {
    await using served = await serve();
    const { data, subscription } = subscribeTo(served);
    await vi.waitFor(() => expect(data).toEqual([{ from: null }]));
    served.ticker.emit("tick", 1);
    await vi.waitFor(() => expect(data).toHaveLength(2));
    subscription.unsubscribe();
    await vi.waitFor(() => expect(served.running()).toBe(0));
    expect(served.ticker.listenerCount("tick")).toBe(0);
  });

  test("P8 1,000 of them, opened and cut, leave nothing", async () => {
    await using served = await serve();
    for (let round = 0; round < 10; round++) {
      const streams = await Promise.all(
        Array.from({ length: 100 }, async () => {
          const get = request(`${served.url}/ticks`, { headers: { accept: "text/event-stream" } });
          get.on("error", () => undefined);
          get.end();
          const [response] = (await once(get, "response")) as [IncomingMessage];
          response.on("error", () => undefined);
          await once(response, "data");
          return get;
        }),
      );
      expect(served.running()).toBe(100);
      for (const get of streams) get.destroy();
      await vi.waitFor(() => expect(served.running()).toBe(0));
    }
    expect(served.ticker.listenerCount("tick")).toBe(0);
    expect(served.server.stats()).toMatchObject({ sockets: 0, bufferedBytes: 0, stalledSockets: 0 });
    await served.server.drain(); // ends at once, since no response is kept
    expect(served.log.errors()).toEqual([]);
  });

  test("take a token from an Authorization header; without one they end in UNAUTHORIZED", async () => {
    await using served = await serve({ authenticate: authenticateTokens(adminToken("t")) });
    const good = subscribeTo(served, { authorization: "Bearer t" });
    await vi.waitFor(() => expect(good.data).toHaveLength(1));
    good.subscription.unsubscribe();
    const bad = subscribeTo(served);
    await vi.waitFor(() => expect(bad.errors).toEqual(["UNAUTHORIZED"]));
  });
});

describe("health", () => {
  test("/livez says that the process lives, /readyz that it can serve, /api/health how it is", async () => {
    await using served = await serve();
    const get = async (path: string, init?: RequestInit) => {
      const answer = await fetch(served.at(path), init);
      return [answer.status, await answer.text()] as const;
    };
    expect(await get("/livez")).toEqual([200, "ok\n"]);
    expect(await get("/readyz")).toEqual([200, "ready\n"]);
    expect(await get("/api/health")).toEqual([200, JSON.stringify(HEALTH)]);
    expect(await get("/livez?x=1", { method: "HEAD" })).toEqual([200, ""]);
    served.live.isReady = false;
    served.live.current = { ...HEALTH, status: "degraded" };
    expect(await get("/livez")).toEqual([200, "ok\n"]);
    expect((await get("/readyz"))[0]).toBe(503);
    expect((await get("/api/health"))[0]).toBe(200);
    served.live.current = { ...HEALTH, status: "unhealthy" };
    expect((await get("/api/health"))[0]).toBe(503);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"])
      for (const path of ["/livez", "/readyz", "/api/health"])
        expect((await get(path, { method }))[0]).toBe(405);
  });

  test("/readyz says why it is not ready, on a line of its own, and nothing that only degrades", async () => {
    await using served = await serve();
    served.live.isReady = false;
    const detail = "no answer\nfrom the servers";
    const sources = { ok: false, detail: "2 stale" };
    served.live.current = {
      ...HEALTH,
      checks: { service: { ok: true }, journal: { ok: false, detail }, sources },
    };
    const answer = await fetch(served.at("/readyz"));
    expect(answer.status).toBe(503);
    expect(await answer.text()).toBe("not ready\njournal: no answer from the servers\n");
    served.live.current = { ...HEALTH, checks: { service: { ok: false, detail: "starting" } } };
    expect(await (await fetch(served.at("/readyz"))).text()).toBe("not ready\nservice: starting\n");
  });

  test("P10 that cannot be told is a 500, and the process lives", async () => {
    await using served = await serve();
    served.live.health = () => {
      throw new Error("secret detail");
    };
    const answer = await fetch(served.at("/api/health"));
    expect(answer.status).toBe(500);
    expect(await answer.text()).not.toContain("secret");
    expect((await fetch(served.at("/livez"))).status).toBe(200);
  });
});

describe("the stand-alone server", () => {
  test("answers unknown paths with 404, or by its fallback", async () => {
    await using plain = await serve();
    expect((await fetch(plain.at("/board"))).status).toBe(404);
    await using board = await serve({ fallback: (_request, response) => void response.end("the board") });
    expect(await (await fetch(board.at("/board"))).text()).toBe("the board");
    await using broken = await serve({
      fallback: () => {
        throw new Error("no page");
      },
    });
    expect((await fetch(broken.at("/board"))).status).toBe(500);
  });

  test("says that a port is taken, and how to go on", async () => {
    await using served = await serve();
    const second = createSnapwireServer({ live: fakeLive(), router: createServerRouter().router });
    await expect(second.listen(served.port)).rejects.toThrow(/in use.*--port/);
    await second.close();
  });

  test("tells the service of itself while it is open", async () => {
    const served = await serve();
    expect([...served.live.transports].map((transport) => transport.stats())).toMatchObject([
      { sockets: 0, bufferedBytes: 0, stalledSockets: 0 },
    ]);
    await served.server.close();
    expect(served.live.transports.size).toBe(0);
    await served.server.close();
  });

  test.each([{ maxPayloadBytes: 0 }, { pendingFrames: 1.5 }, { pongWithinMs: 30_000 }, { nothing: 1 }])(
    "refuses the limits %j",
    (limits) => {
      const options = { live: fakeLive(), router: createServerRouter().router, limits };
      expect(() => createSnapwireServer(options)).toThrow(/limit/);
    },
  );
});
