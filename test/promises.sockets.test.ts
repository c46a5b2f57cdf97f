import { describe, expect, test, vi } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import type { SnapshotFrame, TrackedFrame } from "../src/protocol/frames.ts";
import { serve, stockClient, stockSseClient, versionsAfter, versionsIn, watch } from "./helpers/served.ts";

const types = (frames: readonly TrackedFrame<SnapshotFrame>[]) => frames.map(({ data }) => data.type);

describe("a connected stock client", () => {
  test("P3 ends equal to the store after the server was stopped and another one began on the same port", async () => {
    const first = await serve();
    const port = Number(new URL(first.url).port);
    await first.live.workspaces.upsert("p/a", { projectId: "p", name: "old" });
    await first.live.workspaces.upsert("p/gone", { projectId: "p" });
    await using client = stockClient(first.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await first[Symbol.asyncDispose]();

    await using second = await serve({ port });
    await second.live.workspaces.upsert("p/a", { projectId: "p", name: "new" });
    await vi.waitFor(() => expect(versionsAfter(frames)).toEqual(versionsIn(second.live, "p")));
    expect(frames.at(-1)?.data).toMatchObject({ type: "snapshot_full", reason: "epoch-changed" });
  });

  test("P6 resumes with its deltas, twice and with nothing in between, when the order survives the restart", async () => {
    const journal = createMemoryJournal();
    const first = await serve({ journal });
    const port = Number(new URL(first.url).port);
    await first.live.workspaces.upsert("p/a", { projectId: "p", name: "a" });
    await using client = stockClient(first.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await first[Symbol.asyncDispose]();

    const second = await serve({ journal, port });
    await vi.waitFor(() => expect(types(frames)).toEqual(["snapshot_full", "snapshot_resumed"]));
    await second[Symbol.asyncDispose]();

    await using third = await serve({ journal, port });
    await third.live.workspaces.upsert("p/a", { name: "b" });
    await vi.waitFor(() => expect(versionsAfter(frames)).toEqual(versionsIn(third.live, "p")));
    expect(types(frames).filter((type) => type === "snapshot_full")).toHaveLength(1);
  });

  test("P4 that is paused costs a bounded buffer, delays nobody, and gets each changed key once when released", async () => {
    await using served = await serve();
    const { live } = served;
    const keys = Array.from({ length: 40 }, (_, index) => `p/${index}`);
    for (const key of keys) await live.workspaces.upsert(key, { projectId: "p", name: key });
    await using slow = stockClient(served.url);
    await using healthy = stockClient(served.url);
    const toSlow = watch(slow.trpc, "p");
    const toHealthy = watch(healthy.trpc, "p");
    await vi.waitFor(() => expect([toSlow.frames.length, toHealthy.frames.length]).toEqual([1, 1]));

    slow.sockets.at(-1)?.pause();
    // 200 changes a second of 1 KB for 20 seconds; and on until the socket's own buffers are full.
    let highest = 0;
    let updates = 0;
    for (; updates < 4_000 || served.server.stats().stalledSockets === 0; updates += 1) {
      const key = keys[updates % keys.length] ?? "";
      await live.workspaces.upsert(key, { name: `${updates}-${"x".repeat(1_000)}` });
      if (updates % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      highest = Math.max(highest, served.server.stats().bufferedBytes);
      if (updates > 60_000) throw new Error("the socket never filled up");
    }
    await vi.waitFor(() => expect(versionsAfter(toHealthy.frames)).toEqual(versionsIn(live, "p")));
    expect(highest).toBeLessThanOrEqual(256 * 1024 + 8 * 1024); // the high-water mark plus one frame, both clients together

    const stalledAt = toSlow.frames.length;
    const newest = new Set([...versionsIn(live, "p").values()]);
    slow.sockets.at(-1)?.resume();
    await vi.waitFor(() => expect(versionsAfter(toSlow.frames)).toEqual(versionsIn(live, "p")));
    const news = toSlow.frames
      .slice(stalledAt)
      .flatMap(({ data }) => (data.type === "snapshot_changed" ? [data.entry] : []))
      .filter(({ version }) => newest.has(version));
    expect(news.map(({ workspaceId }) => workspaceId).sort()).toEqual([...keys].sort());
    expect(live.stats().conflated).toBeGreaterThan(0);
    expect(toSlow.frames.length).toBeLessThan(updates);
  });

  test("P2 gets a project of 5,000 workspaces whole, and every change after it", async () => {
    await using served = await serve();
    const { live } = served;
    await Promise.all(
      Array.from({ length: 5_000 }, (_, n) =>
        live.workspaces.upsert(`p/${n}`, { projectId: "p", name: `${n}` }),
      ),
    );
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(versionsAfter(frames).size).toBe(5_000), { timeout: 10_000 });
    for (let n = 0; n < 100; n += 1) await live.workspaces.upsert(`p/${n * 7}`, { name: "changed" });
    await live.workspaces.remove("p/1");
    await vi.waitFor(() => expect(versionsAfter(frames)).toEqual(versionsIn(live, "p")), { timeout: 10_000 });
    expect(types(frames).filter((type) => type === "snapshot_full")).toHaveLength(1);
  });
});

describe("P8 a thousand subscribers that came and went leave nothing", () => {
  test("over WebSocket, by stop and by a dropped socket", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    for (let round = 0; round < 10; round += 1) {
      await using client = stockClient(served.url);
      const watches = Array.from({ length: 100 }, () => watch(client.trpc, "p"));
      await vi.waitFor(() => expect(watches.every(({ frames }) => frames.length === 1)).toBe(true));
      if (round % 2 === 0) for (const { stop } of watches) stop();
      else client.sockets.at(-1)?.terminate();
    }
    await vi.waitFor(() => expect(remains(served)).toEqual(nothing));
  }, 60_000);

  test("over server-sent events", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    for (let round = 0; round < 20; round += 1) {
      const { trpc, sources } = stockSseClient(served.url);
      const watches = Array.from({ length: 50 }, () => watch(trpc, "p"));
      await vi.waitFor(() => expect(watches.every(({ frames }) => frames.length === 1)).toBe(true), {
        timeout: 10_000,
      });
      if (round % 2 === 0) for (const { stop } of watches) stop();
      else for (const source of sources) source.close();
      for (const { stop } of watches) stop();
    }
    await vi.waitFor(() => expect(remains(served)).toEqual(nothing), { timeout: 10_000 });
  }, 60_000);
});

const nothing = { subscriptions: 0, sockets: 0, scopes: 0, projectListeners: 0, bufferedBytes: 0 };

function remains({ live, server }: Awaited<ReturnType<typeof serve>>) {
  const { subscriptions, sockets, bufferedBytes } = live.stats();
  return {
    subscriptions,
    sockets: Math.max(sockets, server.stats().sockets),
    scopes: live.feed.watchedScopes,
    projectListeners: live.projects.listeners,
    bufferedBytes,
  };
}

describe("P9 idle is free", () => {
  test("while nothing changes, a served project commits nothing, sends nothing and reads nothing", async () => {
    const reads = vi.fn(() => [{ workspaceId: "p/a", projectId: "p", name: "a" }]);
    await using served = await serve({ list: () => ["p/a"], read: reads, reconcileEveryMs: 5 });
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    const { head } = served.live.workspaces.collection;
    const { deliveries } = served.live.stats();
    const passes = reads.mock.calls.length;
    await vi.waitFor(() => expect(reads.mock.calls.length).toBeGreaterThan(passes + 10));
    expect(served.live.workspaces.collection.head).toBe(head);
    expect(served.live.stats().deliveries).toBe(deliveries);
    expect(frames).toHaveLength(1);
  });
});

test("P5 a revoked subscription is told so and ends; the same socket's other subscriptions go on", async () => {
  let mayReadP = true;
  const identity = () => ({ subject: "t", role: "viewer" as const, projects: mayReadP ? ["p", "q"] : ["q"] });
  await using served = await serve({ server: { authenticate: () => identity() }, recheckEveryMs: 20 });
  await using client = stockClient(served.url, "any");
  const toP = watch(client.trpc, "p");
  const toQ = watch(client.trpc, "q");
  await vi.waitFor(() => expect([toP.frames.length, toQ.frames.length]).toEqual([1, 1]));
  mayReadP = false;
  await vi.waitFor(() =>
    expect(toP.frames.at(-1)?.data).toEqual({ type: "snapshot_ended", projectId: "p", reason: "revoked" }),
  );
  await served.live.workspaces.upsert("q/a", { projectId: "q" });
  await vi.waitFor(() => expect(types(toQ.frames)).toEqual(["snapshot_full", "snapshot_changed"]));
  expect(served.live.stats().subscriptions).toBe(1);
});
