/** A WebSocket between its 101 and its end. */

import { TRPCError } from "@trpc/server";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Identity } from "../src/router/identity.ts";
import { type Bare, call, frameBytes, open, rawSocket, serve } from "./helpers/server-harness.ts";

const ADMIN: Identity = { subject: "test", role: "admin", projects: "*" };
const stop = (id: unknown) => ({ id, method: "subscription.stop" });
const types = (client: Bare, id: unknown) =>
  client.frames
    .filter((frame) => frame.id === id)
    .map((frame) => frame.result?.type ?? frame.error?.json.data.code);

/** Answers when the test says so. */
function gate<T>() {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

afterEach(() => void vi.restoreAllMocks());

describe("P10 in a batch", () => {
  test("a bad message gets its own typed error, and the others go on", async () => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    client.sendBatch([
      call(1, "subscription", "ticks"),
      call(2, "subscription", "ticks", undefined, { lastEventId: 7 }),
      { id: 3, method: "query" },
      { id: 4, method: "query", params: { path: "whoami" } },
      call(5, "query", "whoami"),
      null,
      { id: null, method: "query" },
      { id: {}, method: "query" },
    ]);
    await vi.waitFor(() => expect(types(client, 5)).toEqual(["data"]));
    await vi.waitFor(() => expect(types(client, 1)).toEqual(["started", "data"]));
    expect(types(client, 2)).toEqual(["BAD_REQUEST"]);
    expect(types(client, 3)).toEqual(["PARSE_ERROR"]);
    expect(types(client, 4)).toEqual(["BAD_REQUEST"]);
    expect(types(client, null), "one answer for all that have no id").toEqual(["PARSE_ERROR"]);
    expect(client.frameOf(2)?.error?.json.data.path).toBe("ticks");
  });

  test.each([
    ["text that is no JSON", "{"],
    ["an empty text", ""],
    ["JSON that is no message", "7"],
  ])("%s gets a typed error of the connection, which goes on", async (_name, text) => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    client.send(text, call(1, "query", "whoami"));
    await vi.waitFor(() => expect(types(client, 1)).toEqual(["data"]));
    expect(types(client, null)).toEqual(["PARSE_ERROR"]);
  });

  test("a binary frame gets a typed error", async () => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    client.ws.send(Buffer.from(JSON.stringify(call(1, "query", "whoami"))));
    await vi.waitFor(() => expect(types(client, null)).toEqual(["PARSE_ERROR"]));
    expect(client.frameOf(1)).toBeUndefined();
  });

  test("nesting without end harms nobody", async () => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
    client.send(`{"id":1,"method":"query","params":{"path":"whoami","input":{"json":${deep}}}}`, deep);
    client.send(call(2, "query", "whoami"));
    await vi.waitFor(() => expect(types(client, 2)).toEqual(["data"]));
  });
});

describe("requests on one socket", () => {
  test("that wait for an answer are 256 at the most, and one that is answered gives its place back", async () => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    const ids = Array.from({ length: 256 }, (_, n) => n + 1);
    client.sendBatch(ids.map((id) => call(id, "query", "later", "x")));
    client.send(call(257, "query", "whoami"), call(258, "subscription", "silent"));
    await vi.waitFor(() =>
      expect(types(client, 258), "subscriptions are counted apart").toEqual(["started"]),
    );
    expect(types(client, 257)).toEqual(["TOO_MANY_REQUESTS"]);
    await vi.waitFor(() => expect(served.ticker.listenerCount("tick")).toBe(256));
    served.ticker.emit("tick");
    await vi.waitFor(() => expect(types(client, 256)).toEqual(["data"]));
    client.sendBatch(ids.map((id) => call(id, "query", "whoami")));
    await vi.waitFor(() => expect(ids.flatMap((id) => types(client, id))).toHaveLength(512));
    expect(ids.flatMap((id) => types(client, id)).every((type) => type === "data")).toBe(true);
  });

  test("get BAD_REQUEST with the id of a subscription, and a subscription with theirs: neither cap is passed by it", async () => {
    await using served = await serve({ limits: { requestsPerSocket: 2, subscriptionsPerSocket: 2 } });
    await using client = await open(served.wsUrl);
    for (let id = 1; id <= 10; id += 1) {
      client.send(call(id, "subscription", "silent"), call(id, "query", "nowhere"));
      client.send(call(`q${id}`, "query", "later", "x"), call(`q${id}`, "subscription", "ticks"));
    }
    await vi.waitFor(() => expect(types(client, "q10")).toHaveLength(2));
    expect(types(client, 1).toSorted()).toEqual(["BAD_REQUEST", "started"]);
    expect(types(client, "q1")).toEqual(["BAD_REQUEST"]);
    expect([served.running(), served.ticker.listenerCount("tick")]).toEqual([2, 2]);
  });

  test("that fail, or have one id, or another kind of id, give their places back too", async () => {
    await using served = await serve({ limits: { requestsPerSocket: 2 } });
    await using client = await open(served.wsUrl);
    for (const id of [1, 'a"b,c', 2.5]) {
      client.sendBatch([
        call(id, "query", "later"),
        call(id, "query", "nowhere"),
        call(9, "query", "whoami"),
      ]);
      await vi.waitFor(() => expect(types(client, id)).toHaveLength(2));
      expect(types(client, id).toSorted()).toEqual(["BAD_REQUEST", "NOT_FOUND"]);
      await vi.waitFor(() => expect(types(client, 9)).toHaveLength(1));
      expect(types(client, 9)).toEqual(["TOO_MANY_REQUESTS"]);
      client.frames.length = 0;
    }
    client.send(call(10, "query", "whoami"));
    await vi.waitFor(() => expect(types(client, 10)).toEqual(["data"]));
  });
});

describe("subscriptions on one socket", () => {
  test("beyond the cap get TOO_MANY_REQUESTS by their id, and the others do not notice", async () => {
    await using served = await serve();
    await using client = await open(served.wsUrl);
    const ids = Array.from({ length: 130 }, (_, n) => n + 1);
    client.sendBatch(ids.map((id) => call(id, "subscription", "silent")));
    await vi.waitFor(() => expect(served.running()).toBe(128));
    await vi.waitFor(() => expect(types(client, 130)).toEqual(["TOO_MANY_REQUESTS"]));
    expect(types(client, 129)).toEqual(["TOO_MANY_REQUESTS"]);
    client.send(stop(1), call(131, "subscription", "silent"));
    await vi.waitFor(() => expect(types(client, 131)).toEqual(["started"]));
    await vi.waitFor(() => expect(types(client, 1)).toEqual(["started", "stopped"]));
    expect(served.running()).toBe(128);
  });

  test("with the id of a live one get BAD_REQUEST, and the live one stays counted", async () => {
    await using served = await serve({ limits: { subscriptionsPerSocket: 1 } });
    await using client = await open(served.wsUrl);
    client.send(call(1, "subscription", "silent"), call(1, "subscription", "silent"));
    await vi.waitFor(() => expect(types(client, 1).toSorted()).toEqual(["BAD_REQUEST", "started"]));
    client.send(call(2, "subscription", "silent"));
    await vi.waitFor(() => expect(types(client, 2)).toEqual(["TOO_MANY_REQUESTS"]));
    expect(served.running()).toBe(1);
  });

  test("that have ended, by a stop or by an error, give their place back for good", async () => {
    await using served = await serve({ limits: { subscriptionsPerSocket: 1 } });
    await using client = await open(served.wsUrl);
    for (let id = 1; id <= 20; id += 2) {
      client.send(call(id, "subscription", "silent"));
      await vi.waitFor(() => expect(types(client, id)).toEqual(["started"]), { interval: 1 });
      client.send(stop(id));
      await vi.waitFor(() => expect(types(client, id)).toEqual(["started", "stopped"]), { interval: 1 });
      client.send(call(id + 1, "subscription", "nothing"));
      await vi.waitFor(() => expect(types(client, id + 1)[0]).toBe("NOT_FOUND"), { interval: 1 });
    }
  });

  test("end with their socket", async () => {
    await using served = await serve();
    const client = await open(served.wsUrl);
    client.sendBatch([call(1, "subscription", "ticks"), call(2, "subscription", "silent")]);
    await vi.waitFor(() => expect(served.running()).toBe(2));
    expect(served.ticker.listenerCount("tick")).toBe(1);
    client.ws.terminate();
    await vi.waitFor(() => expect(served.running()).toBe(0));
    expect(served.ticker.listenerCount("tick")).toBe(0);
  });
});

describe("while the identity is being checked", () => {
  test("frames wait, and are answered in order", async () => {
    const answer = gate<Identity>();
    await using served = await serve({ authenticate: () => answer.promise });
    await using client = await open(served.wsUrl);
    for (let id = 1; id <= 16; id++) client.send(call(id, "query", "whoami"));
    client.ws.send("PING");
    const pong = new Promise((resolve) =>
      client.ws.on("message", (data) => String(data) === "PONG" && resolve(true)),
    );
    expect(await pong, "a PING is answered meanwhile").toBe(true);
    expect(client.frames).toEqual([]);
    answer.open(ADMIN);
    await vi.waitFor(() =>
      expect(client.frames.map((frame) => frame.id)).toEqual(Array.from({ length: 16 }, (_, n) => n + 1)),
    );
  });

  test.each([
    ["a 17th frame", Array.from({ length: 17 }, (_, id) => call(id, "query", "whoami"))],
    [
      "more than 64 KiB",
      [call(1, "mutation", "echo", "x".repeat(40_000)), call(2, "mutation", "echo", "x".repeat(40_000))],
    ],
  ])("P10 %s closes with 1008", async (_name, messages) => {
    await using served = await serve({ authenticate: () => new Promise<never>(() => undefined) });
    await using client = await open(served.wsUrl);
    client.send(...messages);
    expect((await client.closed).code).toBe(1008);
  });

  test("a client that leaves leaves nothing", async () => {
    const answer = gate<Identity>();
    await using served = await serve({ authenticate: () => answer.promise });
    const client = await open(served.wsUrl);
    client.send(call(1, "subscription", "ticks"));
    client.ws.terminate();
    await client.closed;
    answer.open(ADMIN);
    await vi.waitFor(async () => expect(await connectionsOf(served)).toBe(0));
    expect(served.running()).toBe(0);
  });

  test("an `authenticate` that fails or hangs closes with 1013, and does not say UNAUTHORIZED", async () => {
    await using failing = await serve({
      authenticate: () => {
        throw new Error("directory is away");
      },
    });
    await using one = await open(failing.wsUrl);
    one.send(call(1, "query", "whoami"));
    await using hanging = await serve({
      authenticate: () => new Promise<never>(() => undefined),
      limits: { identityMs: 20 },
    });
    await using two = await open(hanging.wsUrl);
    expect(await one.closed).toEqual({ code: 1013, reason: "Try again later" });
    expect(await two.closed).toEqual({ code: 1013, reason: "Try again later" });
    expect(one.frames).toEqual([]);
    expect(failing.log.errors()).toHaveLength(1);
  });
});

const connectionsOf = (served: Awaited<ReturnType<typeof serve>>): Promise<number> =>
  new Promise((resolve, reject) =>
    served.server.http.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

describe("connection parameters that the URL promises", () => {
  test("are waited for, and come before what else is asked", async () => {
    const authenticate = vi.fn(() => ADMIN);
    await using served = await serve({ authenticate });
    await using client = await open(`${served.wsUrl}?connectionParams=1`);
    client.ws.send("PING");
    client.send({ method: "connectionParams", data: { token: "t" } }, call(1, "query", "whoami"));
    await vi.waitFor(() => expect(types(client, 1)).toEqual(["data"]));
    expect(authenticate.mock.calls).toMatchObject([[{}, { token: "t" }]]);
  });

  test("P10 that never come close with 4408", async () => {
    await using served = await serve({ authenticate: () => ADMIN, limits: { connectionParamsMs: 50 } });
    await using client = await open(`${served.wsUrl}?connectionParams=1`);
    expect((await client.closed).code).toBe(4408);
  });

  test.each([
    "{",
    "[]",
    "7",
    '{"id":1,"method":"query"}',
    '{"method":"connectionParams","data":{"token":1}}',
  ])("P10 %s in their place is told and closed with 4400", async (text) => {
    await using served = await serve({ authenticate: () => ADMIN });
    await using client = await open(`${served.wsUrl}?connectionParams=1`);
    client.send(text);
    expect((await client.closed).code).toBe(4400);
    expect(types(client, null)).toEqual(["PARSE_ERROR"]);
  });
});

describe("a host's own context", () => {
  test("is made from ours", async () => {
    await using served = await serve({
      createContext: ({ snapwire }) => ({ ...snapwire, identity: { ...ADMIN, subject: "mapped" } }),
    });
    await using client = await open(served.wsUrl);
    client.send(call(1, "query", "whoami"));
    await vi.waitFor(() =>
      expect(client.frameOf(1)?.result?.data?.json).toMatchObject({ subject: "mapped" }),
    );
  });

  test.each([
    ["a TRPCError", new TRPCError({ code: "FORBIDDEN", message: "not here" }), "FORBIDDEN"],
    ["anything else", new Error("secret detail"), "INTERNAL_SERVER_ERROR"],
  ])(
    "that throws %s is a typed error of each operation, and the socket stays",
    async (_name, error, code) => {
      await using served = await serve({
        createContext: () => {
          throw error;
        },
      });
      await using client = await open(served.wsUrl);
      client.sendBatch([call(1, "query", "whoami"), call(2, "subscription", "ticks")]);
      await vi.waitFor(() => expect(types(client, 2)).toEqual([code]));
      client.send(call(3, "mutation", "echo", "x"));
      await vi.waitFor(() => expect(types(client, 3)).toEqual([code]));
      expect(types(client, 1)).toEqual([code]);
      expect(JSON.stringify(client.frames)).not.toContain("secret");
      const over = await fetch(served.at("/trpc/whoami"));
      expect(over.status).toBe(code === "FORBIDDEN" ? 403 : 500);
    },
  );
});

describe("P4 a client that does not read", () => {
  test("is not read either: its answers do not pile up, and come once it reads again", async () => {
    await using served = await serve();
    const raw = await rawSocket(served.port);
    raw.socket.pause();
    const ask = frameBytes(1, Buffer.from(JSON.stringify(call(1, "mutation", "echo", "x".repeat(8_000)))));
    const asked = 4_000;
    let highest = 0;
    for (let n = 0; n < asked; n += 40) {
      raw.socket.write(Buffer.concat(Array.from({ length: 40 }, () => ask)));
      await new Promise((resolve) => setImmediate(resolve));
      highest = Math.max(highest, served.server.stats().bufferedBytes);
    }
    await vi.waitFor(() => expect(served.server.stats().stalledSockets).toBe(1));
    expect(raw.socket.writableLength, "the rest waits on the client's side").toBeGreaterThan(8_000_000);
    expect(highest).toBeLessThan(1024 * 1024);
    raw.socket.resume();
    await vi.waitFor(() => expect(raw.receivedBytes()).toBeGreaterThan(asked * 8_000), 20_000);
    await vi.waitFor(() => expect(served.server.stats().bufferedBytes).toBe(0));
    raw.socket.destroy();
  });
});
