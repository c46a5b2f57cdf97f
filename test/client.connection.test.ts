/** Snapwire's own client against a real server, over real sockets. */
import { type AddressInfo, connect as connectTo, createServer, type Socket } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { createProjectReplica, createSnapwireClient, type SnapwireClientOptions } from "../client/index.ts";
import { FakePage } from "./helpers/client-fakes.ts";
import { changed, entry, full, OTHER_TAG, resumed, TAG } from "./helpers/client-frames.ts";
import { serveTest, type TestRouter } from "./helpers/client-server.ts";

function connect(url: string, options: Partial<SnapwireClientOptions> = {}) {
  return createSnapwireClient<TestRouter>({ url, retry: { floorMs: 5, capMs: 20 }, ...options });
}

describe("a replica over Snapwire's own client", () => {
  test("P6 resumes from its own position, twice in a row with no frame in between, and keeps its view", async () => {
    await using server = await serveTest();
    await using client = connect(server.url);
    await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
    const first = await server.nth(1);
    expect(first).toMatchObject({ projectId: "p", lastEventId: undefined });
    first.deliver(full(5, [entry("a", 5)]), changed(7, "b"));
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.7` }),
    );
    const { entries } = replica.getSnapshot();
    for (const attempt of [2, 3, 4]) {
      server.cut();
      const again = await server.nth(attempt);
      expect(again.lastEventId?.replace(/\.r$/, "")).toBe(`${TAG}.7`);
      expect(replica.getSnapshot().entries).toBe(entries);
      if (attempt < 4) continue; // not a word, and cut again
      again.deliver(resumed(7, 9), changed(9, "a"));
    }
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.9` }),
    );
    expect(replica.getSnapshot().entries[1]).toBe(entries[1]);
    expect(replica.getSnapshot().entries[0]).toMatchObject({ name: "a at 9" });
  });

  test("P6 the first subscription after an error carries the own position in its input, also when tRPC then reconnects", async () => {
    await using server = await serveTest();
    await using client = connect(server.url);
    await using replica = createProjectReplica(client.trpc.snapshots, {
      projectId: "p",
      retry: { floorMs: 5, capMs: 20 },
    });
    (await server.nth(1)).deliver(full(5, []), changed(7, "b"));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    (await server.nth(1)).fail("INTERNAL_SERVER_ERROR", "oops");
    expect((await server.nth(2)).lastEventId).toBe(`${TAG}.7`);
    expect(replica.getSnapshot()).toMatchObject({ status: "reconnecting", reason: "server-error" });
    server.cut();
    expect((await server.nth(3)).lastEventId).toBe(`${TAG}.7`);
    (await server.nth(3)).deliver(resumed(7));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
  });

  test("survives a restart of the server into another order, without a flash of empty", async () => {
    const server = await serveTest();
    await using client = connect(server.url);
    await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, [entry("a", 5, "same")]));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    const seen = new Set<number>();
    replica.subscribe(() => seen.add(replica.getSnapshot().entries.length));
    await server.stop();
    await vi.waitFor(() => expect(replica.status).toBe("reconnecting"));
    await using next = await serveTest({ port: server.port });
    const again = await next.nth(1);
    expect(again.lastEventId).toBe(`${TAG}.5.f`);
    again.deliver(
      full(2, [entry("a", 5, "same"), entry("b", 2)], { tag: OTHER_TAG, reason: "epoch-changed" }),
    );
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    expect([...seen].sort()).toEqual([1, 2]);
  });

  test("moves to another connection when the server asks, without leaving live", async () => {
    await using server = await serveTest();
    await using client = connect(server.url);
    await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, [entry("a", 5)]));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    const statuses = new Set<string>();
    replica.subscribe(() => statuses.add(replica.status));
    server.notice();
    (await server.nth(2)).deliver(resumed(5), changed(6, "b"));
    await vi.waitFor(() => expect(replica.getSnapshot().entries).toHaveLength(2));
    await vi.waitFor(() => expect(server.openSockets).toBe(1));
    expect([...statuses]).toEqual(["live"]);
    expect(server.upgrades).toHaveLength(2);
  });

  test("is denied once, without another attempt, and comes back with another token", async () => {
    await using server = await serveTest();
    server.allowed.tokens = ["good"];
    let token = "bad";
    await using client = connect(server.url, { token: () => token });
    await using replica = createProjectReplica(client.trpc.snapshots, {
      projectId: "p",
      connection: client.connection,
    });
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "denied", reason: "unauthorized" }),
    );
    expect(server.upgrades).toHaveLength(1);
    token = "good";
    expect(await client.connection.renew()).toBe(true);
    (await server.nth(1)).deliver(full(5, []));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    expect(server.subscriptions[0]?.token).toBe("good");
    expect(server.upgrades).toHaveLength(2);
  });

  test("a token that ran out is replaced by itself, and people see no refusal", async () => {
    await using server = await serveTest();
    server.allowed.tokens = ["new"];
    const tokens = ["old", "new", "new", "new"];
    await using client = connect(server.url, { token: () => tokens.shift() });
    await using replica = createProjectReplica(client.trpc.snapshots, {
      projectId: "p",
      connection: client.connection,
    });
    const statuses = new Set<string>();
    replica.subscribe(() => statuses.add(replica.status));
    (await server.nth(1)).deliver(full(5, []));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    expect([...statuses]).not.toContain("denied");
  });

  test("has ended when the client is closed, and does not open it again", async () => {
    await using server = await serveTest();
    const client = connect(server.url);
    await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, [entry("a", 5)]));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    await client.close();
    expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "client-closed" });
    replica.retry();
    expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "client-closed" });
    expect(replica.getSnapshot().entries).toHaveLength(1);
    await vi.waitFor(() => expect(server.openSockets).toBe(0));
    expect(server.upgrades).toHaveLength(1);
    expect(server.subscriptions[0]?.over).toBe(true);
  });
});

describe("the client", () => {
  test("is a stock tRPC client: queries and mutations go the same way", async () => {
    await using server = await serveTest();
    await using client = connect(server.url, { token: "mine" });
    expect(await client.trpc.whoami.query()).toBe("mine");
    expect(await client.trpc.slow.mutate()).toBe("done");
    expect(client.connection.status).toBe("open");
  });

  test("sends its token in the first message, never in the url; without one it sends none", async () => {
    await using server = await serveTest();
    await using client = connect(server.url, { token: async () => "s3cret" });
    expect(await client.trpc.whoami.query()).toBe("s3cret");
    await using anonymous = connect(server.url, { token: undefined });
    expect(await anonymous.trpc.whoami.query()).toBe("nobody");
    await using empty = connect(server.url, { token: "" });
    expect(await empty.trpc.whoami.query()).toBe("nobody");
    expect(server.upgrades.map(({ url }) => url)).toEqual(["/trpc?connectionParams=1", "/trpc", "/trpc"]);
  });

  test("tells how the connection stands", async () => {
    await using server = await serveTest();
    const told: string[] = [];
    await using client = connect(server.url, { onConnectionChange: ({ status }) => told.push(status) });
    await client.trpc.whoami.query();
    expect(client.connection.lastProofOfLife).toBeGreaterThan(0);
    server.cut();
    await vi.waitFor(() => expect(server.upgrades).toHaveLength(2));
    await vi.waitFor(() => expect(client.connection.status).toBe("open"));
    await client.close();
    expect(told).toEqual(["open", "reconnecting", "open", "closed"]);
  });

  test("waits for the server to come up, and for each attempt at least the floor", async () => {
    const probe = await serveTest();
    await probe.stop();
    await using client = connect(`http://127.0.0.1:${probe.port}`);
    await vi.waitFor(() => expect(client.connection.getState()).toMatchObject({ reason: "connection-lost" }));
    await using server = await serveTest({ port: probe.port });
    expect(await client.trpc.whoami.query()).toBe("nobody");
    expect(server.upgrades).toHaveLength(1);
  });

  test("does not hammer a server that accepts and closes", async () => {
    let accepted = 0;
    const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    wss.on("connection", (ws) => {
      accepted += 1;
      ws.send('{"id":null,"error":{"message":"no","code":-32603,"data":{}}}');
      ws.close();
    });
    await new Promise((resolve) => wss.on("listening", resolve));
    const waits: number[] = [];
    const random = (): number => {
      waits.push(accepted);
      return 0.999;
    };
    await using client = connect(`http://127.0.0.1:${(wss.address() as AddressInfo).port}`, {
      retry: { floorMs: 20, capMs: 200, random },
    });
    await vi.waitFor(() => expect(accepted).toBeGreaterThanOrEqual(3));
    expect(waits.slice(0, 3)).toEqual([1, 2, 3]); // one wait before each further connection, the first included
    await client.close();
    await new Promise((resolve) => wss.close(resolve));
  });

  test("notices a server that fell silent, when the page is looked at again, and comes back by itself", async () => {
    await using server = await serveTest();
    // In between, wires that can fall silent without closing.
    const wires = new Set<Socket>();
    const silent = new Set<Socket>();
    const proxy = createServer((near) => {
      const far = connectTo(server.port, "127.0.0.1");
      for (const [from, to] of [[near, far] as const, [far, near] as const]) {
        wires.add(from);
        from.on("data", (data) => !silent.has(from) && to.write(data));
        from.on("error", () => {}).on("close", () => to.destroy());
      }
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const page = new FakePage();
    await using client = connect(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, {
      surroundings: page,
    });
    await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, []));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    for (const wire of wires) silent.add(wire);
    page.wake();
    await vi.waitFor(() => expect(replica.status).toBe("reconnecting"), { timeout: 10_000 });
    (await server.nth(2)).deliver(resumed(5));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    await client.close();
    for (const wire of wires) wire.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  });

  test("P10 survives frames that no server should send", async () => {
    const wss = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    wss.on("connection", (ws) => {
      for (const frame of [
        "",
        "{",
        "null",
        "5",
        '"x"',
        "[]",
        "{}",
        '{"id":1}',
        '{"id":null,"method":"sing"}',
      ])
        ws.send(frame);
      ws.send(Buffer.from([0, 1, 2]));
      ws.send('{"id":1,"result":5}');
      ws.on("message", (data) => {
        const { id } = JSON.parse(String(data));
        ws.send(JSON.stringify({ id, result: { type: "data", data: { json: "still here" } } }));
      });
    });
    await new Promise((resolve) => wss.on("listening", resolve));
    const crashed = vi.fn();
    process.on("uncaughtException", crashed);
    const client = connect(`http://127.0.0.1:${(wss.address() as AddressInfo).port}`, {
      onWarning: () => {},
    });
    expect(await client.trpc.whoami.query()).toBe("still here");
    await client.close();
    for (const ws of wss.clients) ws.terminate();
    await new Promise((resolve) => wss.close(resolve));
    process.off("uncaughtException", crashed);
    expect(crashed).not.toHaveBeenCalled();
  });

  test("a token function that fails opens no socket", async () => {
    await using server = await serveTest();
    let sealed = true;
    await using client = connect(server.url, {
      token: () => {
        if (sealed) throw new Error("vault is sealed");
        return "mine";
      },
    });
    await vi.waitFor(() => expect(client.connection.getState().detail).toBe("vault is sealed"));
    expect(server.upgrades).toHaveLength(0);
    sealed = false;
    expect(await client.trpc.whoami.query()).toBe("mine");
    expect(server.upgrades).toHaveLength(1);
  });
});

describe("close", () => {
  test("leaves no socket and no timer, and may be called again", async () => {
    await using server = await serveTest();
    const client = connect(server.url);
    const replicas = ["a", "b", "c"].map((projectId) =>
      createProjectReplica(client.trpc.snapshots, { projectId }),
    );
    await server.nth(3);
    await Promise.all([client.close(), client.close()]);
    await client.close();
    await Promise.all(replicas.map((replica) => replica.close()));
    await vi.waitFor(() => expect(server.openSockets).toBe(0));
    expect(client.connection.status).toBe("closed");
  });

  test("waits for a mutation in flight", async () => {
    await using server = await serveTest();
    let finish = (_word: string): void => {};
    server.allowed.slow = new Promise((resolve) => {
      finish = resolve;
    });
    const client = connect(server.url);
    await client.trpc.whoami.query();
    const mutation = client.trpc.slow.mutate();
    await vi.waitFor(() => expect(server.allowed.asked).toBe(1));
    const closed = client.close();
    finish("written");
    expect(await mutation).toBe("written");
    await closed;
  });

  test("does not wait for ever for a mutation that nobody answers", async () => {
    await using server = await serveTest();
    server.allowed.slow = new Promise(() => {});
    const client = connect(server.url);
    await client.trpc.whoami.query();
    const mutation = expect(client.trpc.slow.mutate()).rejects.toThrow();
    await vi.waitFor(() => expect(server.allowed.asked).toBe(1));
    await client.close();
    await mutation;
  });

  test("ends attempts against a server that is not there", async () => {
    const probe = await serveTest();
    await probe.stop();
    const client = connect(probe.url, { retry: { floorMs: 60_000, capMs: 60_000 } });
    const query = expect(client.trpc.whoami.query()).rejects.toThrow();
    await vi.waitFor(() => expect(client.connection.status).toBe("reconnecting"));
    await client.close();
    await query;
    expect(client.connection.status).toBe("closed");
  });

  test("right after creation is fine", async () => {
    await using server = await serveTest();
    await connect(server.url).close();
    await connect(server.url, { token: () => new Promise(() => {}) }).close();
    await vi.waitFor(() => expect(server.openSockets).toBe(0));
  });

  test("refuses what comes after, and says what to do", async () => {
    await using server = await serveTest();
    const client = connect(server.url);
    await client.close();
    await expect(client.trpc.whoami.query()).rejects.toThrow("this Snapwire client is closed");
    await expect(client.connection.renew()).resolves.toBe(false);
    client.connection.reconnect();
    expect(server.upgrades.length).toBeLessThanOrEqual(1);
  });
});

test("another WebSocket class may be given", async () => {
  await using server = await serveTest();
  let made = 0;
  class Counting extends WebSocket {
    constructor(url: string) {
      super(url);
      made += 1;
    }
  }
  await using client = connect(server.url, { WebSocket: Counting });
  await client.trpc.whoami.query();
  expect(made).toBe(1);
});
