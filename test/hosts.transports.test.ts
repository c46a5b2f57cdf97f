/** A host serves the merged router by tRPC's own adapters; stock clients of several ages watch it. */
import { once } from "node:events";
import { connect } from "node:net";
import * as current from "@trpc/client";
import { EventSource } from "eventsource";
import superjson from "superjson";
import { describe, expect, test } from "vitest";
import { connectionOf } from "../src/server/send-room.ts";
import { ADA, mergedRouters } from "./helpers/host-router.ts";
import {
  type ClientLibrary,
  hearing,
  serveHttp,
  serveSockets,
  stockSocketClient,
} from "./helpers/host-serve.ts";
import { leftovers, NOTHING_LEFT, worded } from "./helpers/router-callers.ts";
import { running } from "./helpers/store-parts.ts";
import { until } from "./helpers/store-until.ts";
import * as middle from "./hosts/middle/trpc.ts";
import * as oldest from "./hosts/oldest/trpc.ts";

const RED = "red";

async function hosted() {
  const service = await running();
  const merged = mergedRouters(service.live);
  const createContext = ({ req, res }: Parameters<typeof connectionOf>[0]) => ({
    user: ADA,
    requestId: "r1",
    connection: connectionOf({ req, res }),
  });
  return { ...service, ...merged, createContext, [Symbol.asyncDispose]: () => service.live.stop() };
}

const libraries: [string, ClientLibrary][] = [
  ["11.25.2", current as unknown as ClientLibrary],
  ["11.22.1", middle as unknown as ClientLibrary],
  ["11.9.0", oldest as unknown as ClientLibrary],
];

describe.each(libraries)(
  "a stock wsLink of %s with superjson, on a host's applyWSSHandler",
  (_version, library) => {
    test("P6 receives the full and deltas, resumes after the server cut its socket, twice, and misses nothing", async () => {
      await using host = await hosted();
      await using served = await serveSockets(host.nested, host.createContext);
      await using client = stockSocketClient(library, served.url, ["team", "live", "snapshots"]);
      const { workspaces } = host.live;
      await workspaces.upsert("w", { projectId: RED, name: "before" });
      const { data, frames, errors, unsubscribe } = hearing(client.snapshots, { projectId: RED });
      await until(() => expect(worded(data())).toEqual(["full first w"]));
      await workspaces.upsert("v", { projectId: RED });
      await until(() => expect(worded(data()).at(-1)).toBe("changed v"));

      served.cut();
      await workspaces.upsert("w", { name: "while it was away" });
      await workspaces.remove("v");
      await until(() => expect(worded(data()).slice(2)).toEqual(["resumed 2", "changed w", "removed v"]));
      served.cut();
      await until(() => expect(worded(data()).slice(5)).toEqual(["resumed 0"]));
      await workspaces.upsert("w", { name: "after" });
      await until(() => expect(worded(data()).slice(6)).toEqual(["changed w"]));
      const last = data().at(-1);
      expect(last?.type === "snapshot_changed" && last.entry).toEqual(workspaces.getByWorkspaceId("w"));
      expect(frames.every(({ id }) => typeof id === "string")).toBe(true);
      expect(errors).toEqual([]);
      unsubscribe();
      await until(() => expect(leftovers(host.live)).toEqual(NOTHING_LEFT));
    });

    test("is refused by one typed error in the host's format, and does not try again", async () => {
      await using host = await hosted();
      await using served = await serveSockets(host.flat, host.createContext);
      await using client = stockSocketClient(library, served.url, ["snapshots"]);
      const refused = hearing(client.snapshots, { projectId: "blue" });
      await until(() => expect(refused.errors).toHaveLength(1));
      expect(refused.errors[0]?.data).toMatchObject({ code: "FORBIDDEN", requestId: "r1", reason: null });
      const wrong = hearing(client.snapshots, { projectId: "" });
      await until(() => expect(wrong.errors[0]?.data).toMatchObject({ reason: "invalid-input" }));
      const fine = hearing(client.snapshots, { projectId: RED });
      await until(() => expect(fine.data()).toHaveLength(1));
      expect(host.asked.filter(({ projectId }) => projectId === "blue")).toHaveLength(1);
      expect([refused.frames, refused.errors.length]).toEqual([[], 1]);
    });

    test("hears that its project ends, and is stopped without an error", async () => {
      await using host = await hosted();
      await using served = await serveSockets(host.flat, host.createContext);
      await using client = stockSocketClient(library, served.url, ["snapshots"]);
      const heard = hearing(client.snapshots, { projectId: RED });
      await until(() => expect(heard.data()).toHaveLength(1));
      host.live.endProject(RED);
      await until(() => expect(heard.stopped()).toBe(1));
      expect(worded(heard.data()).at(-1)).toBe("ended project-gone");
      expect(heard.errors).toEqual([]);
    });
  },
);

test("P8 sockets that are cut leave nothing on the host's own adapter", async () => {
  await using host = await hosted();
  await using served = await serveSockets(host.flat, host.createContext);
  const clients = Array.from({ length: 20 }, () =>
    stockSocketClient(current as unknown as ClientLibrary, served.url, ["snapshots"]),
  );
  const heard = clients.flatMap(({ snapshots }) =>
    [1, 2, 3].map(() => hearing(snapshots, { projectId: RED })),
  );
  await until(() => expect(heard.every(({ frames }) => frames.length === 1)).toBe(true));
  expect(host.live.feed.size).toBe(60);
  await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  await until(() => expect(leftovers(host.live)).toEqual(NOTHING_LEFT));
  await until(() => expect(served.open()).toBe(0));
});

test("P4 with connectionOf a client that does not read costs a host a bounded buffer, and catches up by keys", async () => {
  await using host = await hosted();
  await using served = await serveSockets(host.flat, host.createContext);
  const stalled = connect(Number(new URL(served.url).port), "127.0.0.1");
  await once(stalled, "connect");
  stalled.write(
    [
      "GET / HTTP/1.1",
      "Host: 127.0.0.1",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "",
      "",
    ].join("\r\n"),
  );
  await once(stalled, "data");
  stalled.pause();
  const subscribe = JSON.stringify({
    id: 1,
    method: "subscription",
    params: { path: "snapshots.onProject", input: superjson.serialize({ projectId: RED }) },
  });
  stalled.write(
    Buffer.concat([
      Buffer.from([0x81, 0x80 | 126, subscribe.length >> 8, subscribe.length & 255]),
      Buffer.alloc(4),
      Buffer.from(subscribe),
    ]),
  );
  await until(() => expect(host.live.feed.size).toBe(1));
  const text = "x".repeat(1_000);
  for (let i = 0; i < 20_000; i += 1) {
    await host.live.workspaces.upsert(`w${i % 10}`, { projectId: RED, name: `${i} ${text}` });
    if (i % 100 === 0) await new Promise(setImmediate);
  }
  const [socket] = served.sockets;
  expect(socket?.bufferedAmount).toBeLessThan(256 * 1024 + 32 * 1024);
  expect(host.live.stats().deliveries, "it waits").toBeLessThan(10_000);
  let received = "";
  stalled.on("data", (chunk: Buffer) => {
    received = (received + chunk.toString("latin1")).slice(-40_000);
  });
  stalled.resume();
  await until(() => expect(received).toContain("19999 xxx"));
  stalled.destroy();
  await until(() => expect(leftovers(host.live)).toEqual(NOTHING_LEFT));
});

test("P6 a stock httpSubscriptionLink on a host's createHTTPHandler receives full and deltas, and resumes", async () => {
  await using host = await hosted();
  await using served = await serveHttp(host.flat, host.createContext);
  const trpc = current.createTRPCClient<typeof host.flat>({
    links: [current.httpSubscriptionLink({ url: served.url, transformer: superjson, EventSource })],
  });
  const { workspaces } = host.live;
  await workspaces.upsert("w", { projectId: RED });
  const heard = hearing(trpc.snapshots as never, { projectId: RED });
  await until(() => expect(worded(heard.data())).toEqual(["full first w"]));
  await workspaces.upsert("v", { projectId: RED });
  await until(() => expect(worded(heard.data()).at(-1)).toBe("changed v"));
  served.cut();
  await workspaces.upsert("w", { name: "while it was away" });
  await until(() => expect(worded(heard.data()).slice(2)).toEqual(["resumed 1", "changed w"])); // after some 3 s
  heard.unsubscribe();
  await until(() => expect(leftovers(host.live)).toEqual(NOTHING_LEFT));
});

test("queries and mutations reach a host over HTTP, with its transformer and error format", async () => {
  await using host = await hosted();
  await using served = await serveHttp(host.flat, host.createContext);
  const trpc = current.createTRPCClient<typeof host.flat>({
    links: [current.httpLink({ url: served.url, transformer: superjson })],
  });
  expect(await trpc.whoami.query()).toEqual({ name: "ada", since: new Date(0) });
  const written = await trpc.snapshots.upsert.mutate({ workspaceId: "w", projectId: RED });
  expect(written).toMatchObject({ accepted: true, changed: true });
  const failed = trpc.snapshots.upsert
    .mutate({ workspaceId: "v", name: "whose?" })
    .catch((error: unknown) => error);
  expect(await failed).toMatchObject({ data: { requestId: "r1", reason: "project-required" } });
});
