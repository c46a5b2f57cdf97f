/** Stock clients of three ages against the server. */
import { createRequire } from "node:module";
import { describe, expect, test, vi } from "vitest";
import { adminToken, authenticateTokens } from "../src/server/index.ts";
import { type OpenClient, STOCK_CLIENTS } from "./helpers/server-clients.ts";
import { open, serve } from "./helpers/server-harness.ts";

type Served = Awaited<ReturnType<typeof serve>>;

const connectionsOf = (served: Served): Promise<number> =>
  new Promise((resolve, reject) =>
    served.server.http.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

/** Lengths that nobody else uses, to know the server's own timers by. */
const LIMITS = {
  pingEveryMs: 31_337,
  pongWithinMs: 9_337,
  connectionParamsMs: 7_337,
  identityMs: 11_337,
  closeMs: 6_337,
};

/** The server's timers that still run. */
function watchTimers() {
  const started: [ms: number, timer: NodeJS.Timeout][] = [];
  const original = globalThis.setTimeout;
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms?: number) => {
    const timer = original(run, ms);
    if (ms !== undefined && Object.values(LIMITS).includes(ms)) started.push([ms, timer]);
    return timer;
  }) as typeof setTimeout);
  return {
    started: () => started.length,
    running: () =>
      started.filter(([, timer]) => Reflect.get(timer, "_destroyed") === false).map(([ms]) => ms),
    [Symbol.dispose]: () => spy.mockRestore(),
  };
}

test("the three ages are what they say", () => {
  const version = (folder: string): unknown =>
    createRequire(new URL(`${folder}/`, import.meta.url))("@trpc/client/package.json").version;
  expect(["./hosts/oldest", "./hosts/middle", "."].map(version)).toEqual(STOCK_CLIENTS.map(([name]) => name));
});

test("P8 the deadline of connection parameters ends with their coming, and with the socket", async () => {
  using timers = watchTimers();
  await using served = await serve({ limits: LIMITS, authenticate: authenticateTokens(adminToken("t")) });
  await using client = await open(`${served.wsUrl}?connectionParams=1`);
  await using silent = await open(`${served.wsUrl}?connectionParams=1`);
  const { pingEveryMs, connectionParamsMs } = LIMITS;
  expect(timers.running()).toEqual([pingEveryMs, connectionParamsMs, connectionParamsMs]);
  client.send({ method: "connectionParams", data: { token: "t" } });
  await vi.waitFor(() => expect(timers.running()).toEqual([pingEveryMs, connectionParamsMs]));
  silent.ws.terminate();
  await vi.waitFor(() => expect(timers.running()).toEqual([pingEveryMs]));
  client.ws.terminate();
  await vi.waitFor(() => expect(timers.running()).toEqual([]));
});

describe.each(STOCK_CLIENTS)("a stock client of %s", (_version, openClient) => {
  test("calls, subscribes, and resumes with its last event id after a drop", async () => {
    await using served = await serve({ authenticate: authenticateTokens(adminToken("t", "alice")) });
    const client = openClient({ url: () => served.wsUrl, token: "t" });
    expect(await client.trpc.whoami.query()).toMatchObject({ subject: "alice" });
    expect(await client.trpc.echo.mutate("x")).toBe("x");
    const events: { id: string; data: unknown }[] = [];
    client.trpc.ticks.subscribe(undefined, { onData: (event) => events.push(event) });
    await vi.waitFor(() => expect(events).toMatchObject([{ id: "0", data: { from: null } }]));
    served.ticker.emit("tick", 5);
    await vi.waitFor(() => expect(events).toHaveLength(2));
    client.sockets[0]?.terminate();
    await vi.waitFor(() => expect(events.at(-1)?.data).toEqual({ from: "5" }));
    expect(client.sockets).toHaveLength(2);
    client.close();
    await vi.waitFor(() => expect(served.running()).toBe(0));
  });

  test("gets a typed UNAUTHORIZED for each operation with a bad token, and does not come back in a loop", async () => {
    await using served = await serve({ authenticate: authenticateTokens(adminToken("right")) });
    const client = openClient({ url: () => served.wsUrl, token: "wrong" });
    const errors: unknown[] = [];
    const onError = (error: { data?: { code?: string } | null }) => void errors.push(error.data?.code);
    client.trpc.ticks.subscribe(undefined, { onError });
    client.trpc.ticks.subscribe(undefined, { onError });
    const failed = (promise: Promise<unknown>) =>
      promise.catch((error: { data: { code: string } }) => error.data.code);
    expect(await failed(client.trpc.whoami.query())).toBe("UNAUTHORIZED");
    await vi.waitFor(() => expect(errors).toEqual(["UNAUTHORIZED", "UNAUTHORIZED"]));
    // Ten rounds over the same socket: a client in a loop would have opened others by then.
    for (let n = 0; n < 10; n++) expect(await failed(client.trpc.echo.mutate("x"))).toBe("UNAUTHORIZED");
    expect(client.sockets).toHaveLength(1);
    expect(client.sockets[0]?.readyState).toBe(1);
    client.close();
  });

  test("P14 moves to another server when this one drains, told once, without missing where it was", async () => {
    await using leaving = await serve();
    await using staying = await serve();
    let url = leaving.wsUrl;
    const client = openClient({ url: () => url });
    const events: { id: string; data: unknown }[] = [];
    client.trpc.ticks.subscribe(undefined, { onData: (event) => events.push(event) });
    await vi.waitFor(() => expect(events).toHaveLength(1));
    leaving.ticker.emit("tick", 7);
    await vi.waitFor(() => expect(events).toHaveLength(2));
    url = staying.wsUrl;
    await leaving.server.drain({ overMs: 0 });
    await vi.waitFor(() => expect(staying.running()).toBe(1));
    await vi.waitFor(() => expect(leaving.running()).toBe(0));
    staying.ticker.emit("tick", 8);
    await vi.waitFor(() => expect(events.at(-1)).toMatchObject({ id: "8" }));
    expect(client.notices()).toBe(1);
    client.close();
    await vi.waitFor(() => expect(staying.running()).toBe(0));
  });

  test("P8 1,000 of them, opened and dropped, leave nothing", async () => {
    using timers = watchTimers();
    await using served = await serve({ limits: LIMITS, authenticate: authenticateTokens(adminToken("t")) });
    for (let round = 0; round < 10; round++) {
      const clients: OpenClient[] = [];
      const started: Promise<void>[] = [];
      for (let n = 0; n < 100; n++) {
        const client = openClient({ url: () => served.wsUrl, token: "t" });
        clients.push(client);
        started.push(
          new Promise((resolve) => void client.trpc.ticks.subscribe(undefined, { onData: () => resolve() })),
        );
      }
      await Promise.all(started);
      expect(served.running()).toBe(100);
      expect(served.server.stats().sockets).toBe(100);
      for (const [n, client] of clients.entries()) {
        // Half say goodbye; the other half is cut off, as by a lost network.
        const cut = n % 2 === 1 ? client.sockets.slice() : [];
        client.close();
        for (const socket of cut) socket.terminate();
      }
      await vi.waitFor(() => expect(served.server.stats().sockets).toBe(0));
    }
    await vi.waitFor(() => expect(served.running()).toBe(0));
    expect(served.ticker.listenerCount("tick")).toBe(0);
    await vi.waitFor(async () => expect(await connectionsOf(served)).toBe(0));
    expect(timers.started()).toBeGreaterThan(1_000);
    await vi.waitFor(() => expect(timers.running()).toEqual([]));
    expect(served.log.errors()).toEqual([]);
  }, 60_000);
});
