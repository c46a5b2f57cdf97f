/** A replica over clients that hosts already have: their version of tRPC, their link, their nesting. */
import * as current from "@trpc/client";
import { initTRPC, tracked } from "@trpc/server";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { describe, expect, expectTypeOf, test, vi } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { createProjectReplica, type EntryOf, type SnapshotsClient } from "../client/index.ts";
import type { SnapshotFrame } from "../src/protocol/frames.ts";
import type { WorkspaceEntry } from "../src/protocol/workspace.ts";
import { changed, entry, full, resumed, TAG, type TestEntry } from "./helpers/client-frames.ts";
import { serveTest, type TestRouter, type TestServer } from "./helpers/client-server.ts";
import * as middle from "./hosts/middle/trpc.ts";
import * as oldest from "./hosts/oldest/trpc.ts";

const input = z.object({ projectId: z.string(), lastEventId: z.string().nullish() });
const NO_FRAMES: readonly { readonly id: string; readonly data: SnapshotFrame<TestEntry> }[] = [];

/** Routers as hosts of that age write them; only their types are used. */
function oldestRouter() {
  const t = oldest.initTRPC.create({ transformer: superjson });
  const onProject = t.procedure.input(input).subscription(async function* () {
    for (const { id, data } of NO_FRAMES) yield oldest.tracked(id, data);
  });
  return t.router({ team: t.router({ live: t.router({ snapshots: t.router({ onProject }) }) }) });
}
function middleRouter() {
  const t = middle.initTRPC.create({ transformer: superjson });
  const onProject = t.procedure.input(input).subscription(async function* () {
    for (const { id, data } of NO_FRAMES) yield middle.tracked(id, data);
  });
  return t.router({ team: t.router({ live: t.router({ snapshots: t.router({ onProject }) }) }) });
}

interface HostClient {
  readonly snapshots: SnapshotsClient;
  close(): Promise<void> | void;
}

const socketOptions = (server: TestServer) => ({
  url: `${server.url.replace("http", "ws")}/trpc`,
  WebSocket: WebSocket as unknown as typeof globalThis.WebSocket,
  retryDelayMs: () => 5,
});

const hosts: Record<string, (server: TestServer) => HostClient> = {
  "wsLink 11.9.0": (server) => {
    const client = oldest.createWSClient(socketOptions(server));
    const trpc = oldest.createTRPCClient<ReturnType<typeof oldestRouter>>({
      links: [oldest.wsLink({ client, transformer: superjson })],
    });
    expectTypeOf<EntryOf<typeof trpc.team.live.snapshots>>().toEqualTypeOf<TestEntry>();
    return { snapshots: trpc.team.live.snapshots, close: () => client.close() };
  },
  "wsLink 11.22.1": (server) => {
    const client = middle.createWSClient(socketOptions(server));
    const trpc = middle.createTRPCClient<ReturnType<typeof middleRouter>>({
      links: [middle.wsLink({ client, transformer: superjson })],
    });
    expectTypeOf<EntryOf<typeof trpc.team.live.snapshots>>().toEqualTypeOf<TestEntry>();
    return { snapshots: trpc.team.live.snapshots, close: () => client.close() };
  },
  "wsLink 11.25.2": (server) => {
    const client = current.createWSClient(socketOptions(server));
    const trpc = current.createTRPCClient<TestRouter>({
      links: [current.wsLink({ client, transformer: superjson })],
    });
    expectTypeOf<EntryOf<typeof trpc.team.live.snapshots>>().toEqualTypeOf<TestEntry>();
    return { snapshots: trpc.team.live.snapshots, close: () => client.close() };
  },
  "httpSubscriptionLink 11.25.2": (server) => {
    const trpc = current.createTRPCClient<TestRouter>({
      links: [
        current.httpSubscriptionLink({ url: `${server.url}/trpc`, transformer: superjson, EventSource }),
      ],
    });
    return { snapshots: trpc.team.live.snapshots, close: () => {} };
  },
};

describe.each(Object.entries(hosts))("over a host's %s, nested three levels deep", (_name, connect) => {
  test("it shows the project, and every change", async () => {
    await using server = await serveTest();
    const host = connect(server);
    const replica = createProjectReplica(host.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, [], { complete: true }), changed(7, "a"), changed(8, "b"));
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.8` }),
    );
    expect(replica.getSnapshot().entries.map(({ workspaceId }) => workspaceId)).toEqual(["a", "b"]);
    await replica.close();
    await vi.waitFor(() => expect(server.subscriptions[0]?.over).toBe(true)); // nothing is left on the server
    await host.close();
  });

  test("P6 it resumes twice in a row, with no frame in between, and keeps its view", async () => {
    await using server = await serveTest();
    const host = connect(server);
    await using replica = createProjectReplica(host.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, []), changed(7, "b"));
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.7` }),
    );
    const { entries } = replica.getSnapshot();
    for (const attempt of [2, 3]) {
      server.cut();
      expect((await server.nth(attempt)).lastEventId).toBe(`${TAG}.7`);
      expect(replica.getSnapshot()).toMatchObject({ status: "reconnecting", entries });
    }
    (await server.nth(3)).deliver(resumed(7, 9), changed(9, "a"));
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.9` }),
    );
    expect(replica.getSnapshot().entries[0]).toBe(entries[0]);
    await replica.close();
    await host.close();
  }, 60_000);

  test("a refusal is denied, without another attempt", async () => {
    await using server = await serveTest();
    server.allowed.tokens = ["somebody else's"];
    const host = connect(server);
    await using replica = createProjectReplica(host.snapshots, { projectId: "p" });
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({
        status: "denied",
        reason: "unauthorized",
        detail: "who are you",
      }),
    );
    server.allowed.tokens = [""];
    replica.retry();
    (await server.nth(1)).deliver(full(5, []));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    await replica.close();
    await host.close();
  });

  test("a subscription that the server ends begins again from the own position", async () => {
    await using server = await serveTest();
    const host = connect(server);
    await using replica = createProjectReplica(host.snapshots, {
      projectId: "p",
      retry: { floorMs: 5, capMs: 20 },
    });
    (await server.nth(1)).deliver(full(5, []), changed(7, "b"));
    await vi.waitFor(() => expect(replica.getSnapshot().position).toBe(`${TAG}.7`));
    (await server.nth(1)).end();
    const next = await server.nth(2);
    expect(next.lastEventId).toBe(`${TAG}.7`);
    next.deliver(resumed(7));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    await replica.close();
    await host.close();
  });
});

const overSockets = Object.entries(hosts).filter(([name]) => name.startsWith("wsLink"));

describe.each(overSockets)("over a host's %s", (_name, connect) => {
  test("an error that ends the stock subscription is only a pause", async () => {
    await using server = await serveTest();
    const host = connect(server);
    await using replica = createProjectReplica(host.snapshots, {
      projectId: "p",
      retry: { floorMs: 5, capMs: 20 },
    });
    (await server.nth(1)).deliver(full(5, []), changed(7, "b"));
    for (const [nth, code] of [
      [1, "INTERNAL_SERVER_ERROR"],
      [2, "SERVICE_UNAVAILABLE"],
      [3, "TIMEOUT"],
    ] as const) {
      await vi.waitFor(() => expect(replica.status).toBe("live"));
      (await server.nth(nth)).fail(code);
      const next = await server.nth(nth + 1);
      expect(next.lastEventId).toBe(`${TAG}.7`);
      next.deliver(resumed(7));
    }
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    await replica.close();
    await host.close();
  });

  test("a client that its host closed stays closed", async () => {
    await using server = await serveTest();
    const host = connect(server);
    await using replica = createProjectReplica(host.snapshots, {
      projectId: "p",
      retry: { floorMs: 1, capMs: 1 },
    });
    (await server.nth(1)).deliver(full(5, [entry("a", 5)]));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    await host.close();
    await vi.waitFor(() =>
      expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "client-closed" }),
    );
    await vi.waitFor(() => expect(server.openSockets).toBe(0));
    expect(server.upgrades).toHaveLength(1);
  });

  test("a server that asks its clients to move loses and doubles nothing", async () => {
    await using server = await serveTest();
    const host = connect(server);
    await using replica = createProjectReplica(host.snapshots, { projectId: "p" });
    (await server.nth(1)).deliver(full(5, []), changed(7, "a"));
    await vi.waitFor(() => expect(replica.status).toBe("live"));
    server.notice();
    await server.nth(2);
    // Old clients connect several times; each run of the procedure says what it would say from its position.
    await vi.waitFor(
      () => {
        for (const run of server.subscriptions.slice(1))
          if (!run.over) run.deliver(resumed(7), changed(9, "b"), changed(12, "a"));
        expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.12` });
      },
      { timeout: 20_000 },
    );
    expect(replica.getSnapshot().entries.map(({ name }) => name)).toEqual(["a at 12", "b at 9"]);
    await replica.close();
    await host.close();
  });
});

test("the entry is the built-in one when the client's types say nothing else", () => {
  expectTypeOf<EntryOf<SnapshotsClient>>().toEqualTypeOf<WorkspaceEntry>();
});

test("a host's own model keeps its type, dates and all", () => {
  interface Card {
    readonly workspaceId: string;
    readonly due: Date;
  }
  const t = initTRPC.create({ transformer: superjson });
  const router = t.router({
    onProject: t.procedure.input(input).subscription(async function* () {
      for (const frame of [] as SnapshotFrame<Card>[]) yield tracked("x", frame);
    }),
  });
  type Client = ReturnType<typeof current.createTRPCClient<typeof router>>;
  expectTypeOf<EntryOf<Client>>().toEqualTypeOf<Card>();
});
