/** One behaviour on every way out: what a subscriber of events is told does not depend on how its bytes travel. */
import fc from "fast-check";
import superjson from "superjson";
import { describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import type { EventFrame } from "../src/protocol/envelope.ts";
import type { TrackedFrame } from "../src/protocol/frames.ts";
import { formatPosition } from "../src/protocol/position.ts";
import { createSnapwireRouter } from "../src/router/index.ts";
import { createSnapwireServer } from "../src/server/index.ts";
import { createSnapwire, type SnapwireOptions } from "../src/snapwire.ts";
import { EVENT_TRANSPORTS, hear, stockServer } from "./helpers/event-transports.ts";
import { inWords, little, NOON } from "./helpers/hub-watchers.ts";
import { serve, stockClient } from "./helpers/served.ts";

async function started(options: SnapwireOptions = {}) {
  const live = createSnapwire({ now: () => NOON, ...options });
  await live.start();
  return live;
}

const P = { projectId: "p" };
const words = ({ frames }: { readonly frames: readonly TrackedFrame<EventFrame>[] }): string[] =>
  frames.map(inWords);

describe.each(Object.entries(EVENT_TRANSPORTS))("over %s", (_, open) => {
  async function opened(options?: SnapwireOptions) {
    const live = await started(options);
    const transport = await open(live);
    return {
      live,
      hear: transport.hear,
      [Symbol.asyncDispose]: async () => {
        await transport[Symbol.asyncDispose]();
        await live.stop();
      },
    };
  }

  test("P13 the status first, each event once, resume, and nothing left afterwards", async () => {
    await using served = await opened();
    const { live } = served;
    const hearing = served.hear(P);
    await vi.waitFor(() => expect(words(hearing)).toEqual(["0.s connected"]));
    await live.events.publish(little("a", P));
    await live.events.publish(little("b", { projectId: "q" }));
    await live.events.publish(little("c", P));
    await vi.waitFor(() => expect(words(hearing)).toEqual(["0.s connected", "1 a", "3 c"]));
    expect(hearing.frames[1]?.data).toEqual({
      id: "a",
      type: "system.heartbeat",
      payload: { deviceId: "d", data: {} },
      timestamp: new Date(NOON).toISOString(),
      projectId: "p",
    });
    const resumed = served.hear(P, hearing.frames[1]?.id);
    await vi.waitFor(() => expect(words(resumed)).toEqual(["1.s connected", "3 c"]));
    hearing.stop();
    resumed.stop();
    await vi.waitFor(() => expect(live.events.feed.watchedScopes).toBe(0));
    expect(live.events.log.views).toBe(0);
  });

  test("R12 a gap where a position is below the floor, then what is retained", async () => {
    await using served = await opened({ events: { eventsPerProject: 3 } });
    const { events } = served.live;
    for (let n = 1; n <= 6; n += 1) await events.publish(little(`${n}`, P));
    await events.log.trim();
    const hearing = served.hear(P, formatPosition(events.log.tagOf(), 1));
    await vi.waitFor(() =>
      expect(words(hearing)).toEqual(["1.s connected", "3.g gap 1-3!", "4 4", "5 5", "6 6"]),
    );
  });
});

describe("the pump", () => {
  /** A client without a library: what it was sent, as text. */
  async function rawClient(url: string, id: number | string, input: object) {
    const ws = new WebSocket(`${url.replace("http", "ws")}/trpc`);
    const frames: string[] = [];
    ws.on("message", (data) => void frames.push(String(data)));
    await new Promise((resolve, reject) => ws.once("open", resolve).once("error", reject));
    const params = { path: "events.onScope", input: superjson.serialize(input) };
    ws.send(JSON.stringify({ id, method: "subscription", params }));
    return { ws, frames, [Symbol.dispose]: () => ws.terminate() };
  }

  test("sends byte by byte what tRPC sends for the plain iterable, while nobody is slow", async () => {
    const live = await started({ events: { eventsPerProject: 10 } });
    const pumped = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
    const url = await pumped.listen();
    const stock = await stockServer(live);
    const step = fc.record({ project: fc.constantFrom("p", "p-q", undefined), text: fc.string() });
    let last = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 12 }),
        fc.constantFrom(1, 7, 4711, "text-id"),
        fc.option(fc.nat(20), { nil: undefined }),
        fc.constantFrom<object>({ scope: "all" }, P, { targets: [P, { projectId: "p-q" }] }),
        async (steps, id, back, target) => {
          const from = live.events.log.head - (back ?? 0);
          const resume =
            back === undefined
              ? {}
              : { lastEventId: formatPosition(live.events.log.tagOf(), Math.max(0, from)) };
          using one = await rawClient(url, id, { ...target, ...resume });
          using two = await rawClient(stock.url, id, { ...target, ...resume });
          await vi.waitFor(() => expect(Math.min(one.frames.length, two.frames.length)).toBeGreaterThan(1));
          for (const { project, text } of steps) {
            await live.events.publish({
              type: "system.heartbeat",
              payload: { deviceId: "d", data: { text } },
              ...(project === undefined ? {} : { projectId: project }),
            });
            for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve));
          }
          last += 1;
          await live.events.publish(little(`last-${last}`, P));
          await vi.waitFor(() => expect(one.frames.at(-1)).toContain(`"last-${last}"`));
          await vi.waitFor(() => expect(two.frames.at(-1)).toContain(`"last-${last}"`));
          expect(withoutMoments(one.frames)).toEqual(withoutMoments(two.frames));
          await live.events.log.trim();
        },
      ),
      { numRuns: 40 },
    );
    await pumped.close();
    stock.close();
    await live.stop();
  });

  /** Two subscriptions that are told their heads in different turns may be told different ones. */
  const withoutMoments = (frames: readonly string[]): string[] =>
    frames.map((frame) => frame.replace(/"head":"[^"]*"/, '"head":""'));

  test("encodes an event once, whatever the number of subscribers, targets and request ids", async () => {
    await using served = await serve();
    const { live, server } = served;
    const targets = [{ scope: "all" }, P, { workspaceId: "w" }, { targets: [P, { sessionId: "s" }] }];
    const clients = await Promise.all(
      Array.from({ length: 24 }, (_, n) => rawClient(served.url, n % 7, targets[n % targets.length] ?? P)),
    );
    await vi.waitFor(() => expect(clients.every(({ frames }) => frames.length === 2)).toBe(true));
    const { encodes } = server.pumpStats();
    for (let n = 1; n <= 5; n += 1) {
      await live.events.publish(little(`${n}`, { ...P, workspaceId: "w" }));
      await vi.waitFor(() => expect(clients.every(({ frames }) => frames.length === 2 + n)).toBe(true));
    }
    expect(server.pumpStats().encodes).toBe(encodes + 5);
    for (const client of clients) client[Symbol.dispose]();
  });

  test("P4 a paused reader under flood costs a bounded buffer; released, it is told every event or one gap", async () => {
    await using served = await serve({ events: { eventsPerProject: 2_000 } });
    const { live } = served;
    await using client = stockClient(served.url);
    await using other = stockClient(served.url);
    const hearing = hear(client.trpc, P);
    const healthy = hear(other.trpc, P);
    await vi.waitFor(() => expect([hearing.frames.length, healthy.frames.length]).toEqual([1, 1]));
    client.sockets[0]?.pause();
    const text = "x".repeat(4_000);
    for (let n = 1; n <= 5_000; n += 1) {
      await live.events.publish({ ...little(`${n}`, P), payload: { deviceId: "d", data: { text } } });
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await live.events.log.trim();
    await vi.waitFor(() => expect(healthy.frames.at(-1)?.data).toMatchObject({ id: "5000" }), 10_000);
    // The mark, one batch, and what the kernel takes on both ends.
    expect(live.stats().bufferedBytes).toBeLessThan(1024 * 1024);
    client.sockets[0]?.resume();
    await vi.waitFor(() => expect(hearing.frames.at(-1)?.data).toMatchObject({ id: "5000" }), 10_000);
    const told = words(hearing);
    expect(told.filter((word) => word.includes("gap"))).toHaveLength(1);
    const at = told.findIndex((word) => word.includes("gap"));
    const ids = told.slice(1, at).map((word) => Number(word.split(" ")[1]));
    expect(ids).toEqual(ids.map((_, index) => index + 1)); // what it was told before has no hole
    expect(told.slice(at)).toEqual([
      `3000.g gap ${ids.length}-3000!`,
      ...Array.from({ length: 2_000 }, (_, index) => `${index + 3001} ${index + 3001}`),
    ]);
    expect(words(healthy).filter((word) => word.includes("gap"))).toEqual([]);
  });
});
