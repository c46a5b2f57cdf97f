/** What the hub promises where others lose data: floods, plugs that are pulled, writes that fail, two nodes, restarts. */
import { describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { isHubEvent } from "../src/protocol/envelope.ts";
import { streamCreated } from "../src/protocol/event-builders.ts";
import { createSnapwire } from "../src/snapwire.ts";
import { hear } from "./helpers/event-transports.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { EventWatcher, hubBench, inWords, listening, little } from "./helpers/hub-watchers.ts";
import { serve, stockClient } from "./helpers/served.ts";

const P = { projectId: "p" };
const numbers = (frames: Parameters<typeof inWords>[0][]): number[] =>
  frames
    .filter(({ data }) => isHubEvent(data))
    .map(({ data }) => Number("id" in data ? data.id : Number.NaN));

describe("the hub", () => {
  test("1 whoever connects while a publisher floods hears connection:status first, then every event from there", async () => {
    await using served = await serve();
    const { events } = served.live;
    let flooding = true;
    let n = 0;
    const flood = (async () => {
      while (flooding) {
        n += 1;
        await events.publish(little(`${n}`, P));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const clients = Array.from({ length: 20 }, () => stockClient(served.url));
    // Ten on each socket.
    const heard = clients.flatMap(({ trpc }) => Array.from({ length: 10 }, () => hear(trpc, P)));
    await vi.waitFor(() => expect(heard.every(({ frames }) => frames.length > 3)).toBe(true), 15_000);
    flooding = false;
    await flood;
    await vi.waitFor(() => {
      for (const { frames } of heard) expect(numbers([...frames]).at(-1)).toBe(n);
    }, 15_000);
    for (const { frames } of heard) {
      expect(frames[0]?.data.type).toBe("connection:status");
      const told = numbers([...frames]);
      expect(told).toEqual(told.map((_, at) => (told[0] ?? 0) + at));
    }
    for (const { connection } of clients) await connection.close();
  });

  test("3 a socket that is killed between any two events: every event once, in order", async () => {
    await using served = await serve();
    const { events } = served.live;
    await using client = stockClient(served.url);
    const { frames } = hear(client.trpc, P);
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    for (let n = 1; n <= 40; n += 1) {
      await events.publish(little(`${n}`, P));
      if (n % 5 === 0) client.sockets.at(-1)?.terminate();
      if (n % 7 === 0) await vi.waitFor(() => expect(client.sockets.at(-1)?.readyState).toBe(WebSocket.OPEN));
    }
    await vi.waitFor(() => expect(numbers([...frames]).at(-1)).toBe(40), 10_000);
    expect(numbers([...frames])).toEqual(Array.from({ length: 40 }, (_, at) => at + 1));
    expect(frames.filter(({ data }) => data.type === "gap")).toEqual([]);
  });

  test("3 after a restart without a durable order there is a gap, then what there is; never silence", async () => {
    const first = await serve();
    const port = Number(new URL(first.url).port);
    await using client = stockClient(first.url);
    const { frames } = hear(client.trpc, P);
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await first.live.events.publish(little("1", P));
    await vi.waitFor(() => expect(frames).toHaveLength(2));
    await first[Symbol.asyncDispose]();
    await using second = await serve({ port });
    await second.live.events.publish(little("2", P));
    await vi.waitFor(() => expect(frames.map(({ data }) => data.type)).toContain("gap"), 10_000);
    await vi.waitFor(() => expect(numbers([...frames])).toEqual([1, 2]), 10_000);
    const gap = frames.find(({ data }) => data.type === "gap")?.data;
    expect(gap?.payload).toMatchObject({ from: frames[1]?.id, certain: false });
  });

  test("5 nothing is told of an event whose write failed, or before its write is done", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const { hub } = await hubBench({ journal: withFaults(journal, faults) });
    const watcher = await listening(hub, P);
    faults.fate = () => "refused";
    await expect(hub.publish(little("a", P))).rejects.toMatchObject({ reason: "unavailable" });
    faults.fate = () => "answered";
    faults.requests.hold();
    const slow = hub.publish(little("b", P));
    expect(watcher.told()).toEqual(["0.s connected"]);
    faults.requests.open();
    await slow;
    expect(watcher.told()).toEqual(["1 b"]);
  });

  test("5 a write whose answer is lost is stored once and told once", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const { hub } = await hubBench({ journal: withFaults(journal, faults) });
    const watcher = await listening(hub, P);
    let attempts = 0;
    faults.fate = () => {
      attempts += 1;
      return attempts < 3 ? "ack-lost" : "answered";
    };
    expect(await hub.publish(little("a", P))).toMatchObject({ duplicate: false });
    expect(await hub.publish(little("a", P))).toMatchObject({ duplicate: true });
    expect(watcher.told()).toEqual(["0.s connected", "1 a"]);
  });

  test("6 stopped twice, stopped while starting, used after the stop: no throw, no hang, nothing left", async () => {
    const live = createSnapwire();
    const starting = live.start();
    await Promise.all([live.stop(), live.stop()]);
    await starting;
    await expect(
      live.events.publish(streamCreated({ projectId: "p", streamId: "s", name: "n" })),
    ).rejects.toMatchObject({
      reason: "unavailable",
    });
    await expect(live.events.watch({ scope: "all" }).next()).rejects.toMatchObject({ reason: "unavailable" });
    expect(live.events.feed.size).toBe(0);
    const never = createSnapwire();
    await expect(never.events.publish(little("a"))).rejects.toMatchObject({ reason: "unavailable" });
    await never.stop();
  });

  test("10 one target fewer is another subscription, from where the last one stood: the others have no hole", async () => {
    const { hub } = await hubBench();
    const both = await listening(hub, { targets: [{ projectId: "p" }, { sessionId: "s" }] });
    await hub.publish(little("1", { projectId: "p", sessionId: "s" }));
    await hub.publish(little("2", { sessionId: "s" }));
    expect(both.told()).toEqual(["0.s connected", "1 1", "2 2"]);
    both.subscription.close();
    await hub.publish(little("3", { projectId: "p" }));
    await hub.publish(little("4", { sessionId: "s" }));
    expect((await listening(hub, P, both.position)).told()).toEqual(["2.s connected", "3 3"]);
  });

  test("11 what a query answered and what is told from its position on are everything, once", async () => {
    const { hub } = await hubBench();
    const all: string[] = [];
    for (let n = 1; n <= 30; n += 1) {
      const { position, events } = hub.recent({ ...P, limit: 1_000 });
      const publishing = hub.publish(little(`${n}`, P)); // between the two
      const watcher = await listening(hub, P, position);
      await publishing;
      all.push(`${n}`);
      const told = watcher.take().slice(1);
      expect(
        [...events, ...told.map(({ data }) => data)].map((event) => ("id" in event ? event.id : "?")),
      ).toEqual(all);
      watcher.subscription.close();
    }
  });

  test("12 an event that was stored and not told before a crash is told after the restart", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const before = await hubBench({ journal: withFaults(journal, faults) });
    const watcher = await listening(before.hub, P);
    expect(watcher.told()).toEqual(["0.s connected"]);
    faults.hold(); // stored, but this node never comes to tell it
    void before.hub.publish(little("a", P)).catch(() => undefined);
    await vi.waitFor(async () => expect(await journal.log("events").head()).toBe(1));
    expect(watcher.told()).toEqual([]);
    const after = await hubBench({ journal });
    expect((await listening(after.hub, P, watcher.position)).told()).toEqual(["0.s connected", "1 a"]);
    expect(await after.hub.publish(little("a", P))).toMatchObject({ duplicate: true }); // the retry
  });

  test("12 two nodes on one order: the clients of both are told, in one order, and move between them", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const shared = () => withFaults(journal, new JournalFaults());
    const one = await hubBench({ journal: shared() });
    const two = await hubBench({ journal: shared() });
    const here = await listening(one.hub, P);
    const there = await listening(two.hub, P);
    await one.hub.publish(little("1", P));
    await two.hub.publish(little("2", P));
    await one.hub.publish(little("3", P));
    expect(here.told()).toEqual(["0.s connected", "1 1", "2 2", "3 3"]);
    expect(there.take(3).map(inWords)).toEqual(["0.s connected", "1 1", "2 2"]);
    expect((await listening(one.hub, P, there.position)).told()).toEqual(["2.s connected", "3 3"]);
  });

  test("R7 a position that this node has not reached waits for it, and is never answered with older state", async () => {
    const journal = createMemoryJournal();
    await journal.open();
    const faults = new JournalFaults();
    const ahead = await hubBench({ journal });
    const behind = await hubBench({ journal: withFaults(journal, faults) });
    faults.hold();
    await ahead.hub.publish(little("1", P));
    await ahead.hub.publish(little("2", P));
    const { position } = ahead.hub.recent(P);
    const subscription = behind.hub.feed.join(behind.hub.scopeOf(P));
    const begun = behind.hub.feed.begin(subscription, position);
    await new Promise((resolve) => setImmediate(resolve));
    const watcher = new EventWatcher(subscription);
    expect(watcher.told()).toEqual([]);
    faults.release();
    await begun;
    await ahead.hub.publish(little("3", P));
    expect(watcher.told()).toEqual(["2.s connected", "3 3"]);
  });

  test("P8 a thousand subscribers come and go: no view, no scope, no listener is left", async () => {
    await using served = await serve();
    const { live } = served;
    await live.events.publish(little("0", { ...P, workspaceId: "w" }));
    for (let round = 0; round < 10; round += 1) {
      await using client = stockClient(served.url);
      const heard = Array.from({ length: 100 }, (_, n) =>
        hear(client.trpc, n % 3 === 0 ? P : n % 3 === 1 ? { workspaceId: `w${n}` } : { scope: "all" }),
      );
      await vi.waitFor(() => expect(heard.every(({ frames }) => frames.length > 0)).toBe(true));
      if (round % 2 === 0) client.sockets[0]?.terminate();
      for (const { stop } of heard) stop();
    }
    await vi.waitFor(() => expect(live.events.feed.size).toBe(0), 10_000);
    expect([live.events.feed.watchedScopes, live.events.log.views, live.events.log.waiting]).toEqual([
      0, 0, 0,
    ]);
    expect(served.server.pumpStats().scopes).toBe(0);
    expect(live.events.log.lists).toBe(3); // of the one event that is retained
  });
});
