/** Start and stop, at every bad moment. */
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createClock } from "../src/clock.ts";
import { createSnapwire, silentLogger } from "../src/index.ts";
import { Collector } from "../src/sources/collector.ts";
import { FreshnessBoard } from "../src/sources/freshness.ts";
import { Reconciler } from "../src/sources/reconciler.ts";
import { latch, NOON, prepared, running } from "./helpers/store-parts.ts";
import { fakeSource } from "./helpers/store-source.ts";

const P = "project";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe("M7", () => {
  test("after stop there is no timer, no listener, no watch and no read left", async () => {
    const source = fakeSource("git", { w: { projectId: P }, v: { projectId: P } });
    const service = await running({ sources: [source] });
    const built = service.live.workspaces.listenerCount("snapshot_changed");
    await settle();
    await service.live.workspaces.remove("v");
    source.context().invalidate("w", "chatter");
    source.context().report({ workspaceId: "w", patch: { isWorking: true }, urgency: "chatter" });
    source.context().invalidateList();
    const subscription = service.live.feed.join(P);
    await service.live.feed.begin(subscription, undefined);
    await service.live.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect([source.reading, source.stops()]).toEqual([0, 1]);
    expect([service.live.feed.size, subscription.closed]).toEqual([0, true]);
    expect(service.live.workspaces.listenerCount("snapshot_changed"), "nobody joined the emitter").toBe(
      built,
    );
    expect(service.live.projects.listeners).toBe(0);
    for (const signal of source.signals) expect(getEventListeners(signal, "abort")).toHaveLength(0);
    const { length } = source.lists;
    await vi.advanceTimersByTimeAsync(600_000);
    expect(source.lists).toHaveLength(length);
  });

  test("a thousand services that start and stop leave no timer", async () => {
    for (let i = 0; i < 1_000; i += 1) {
      await using live = createSnapwire({ sources: [fakeSource("git", { w: { projectId: P } })] });
      await live.start();
      if (i % 2 === 0) await settle();
    }
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(["list", "read"] as const)(
    "stop inside a %s waits for it, and nothing of it is written",
    async (where) => {
      const source = fakeSource("git", { w: { projectId: P } });
      const service = prepared({ sources: [source] });
      const release = where === "list" ? source.holdList() : source.holdRead();
      await service.live.start();
      await settle();
      let isStopped = false;
      const stopped = service.live.stop().then(() => {
        isStopped = true;
      });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(isStopped).toBe(false);
      expect(source.signals.every(({ aborted }) => aborted)).toBe(true);
      release();
      await stopped;
      expect(service.heard).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
      expect(service.log.loud()).toEqual([]);
    },
  );

  test("a list that ends by throwing because of the stop is no failure of the source", async () => {
    const source = fakeSource("git");
    source.list = (signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    const service = prepared({ sources: [source] });
    await service.live.start();
    await settle();
    await service.live.stop();
    expect(service.log.loud()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("stop is called by a listener in the middle of a pass, and the pass ends", async () => {
    const source = fakeSource(
      "git",
      Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`w${i}`, { projectId: P }])),
    );
    const service = prepared({ sources: [source] });
    const stops: Promise<void>[] = [];
    service.live.workspaces.once("snapshot_changed", () => void stops.push(service.live.stop()));
    await service.live.start();
    await settle();
    await Promise.all(stops);
    expect(stops).toHaveLength(1);
    expect(source.reads, "not all chunks").toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("stop during start waits for it, and ends what it began", async () => {
    const source = fakeSource("git", { w: { projectId: P } });
    const { promise, open } = latch();
    const { watch } = source;
    source.watch = async (context) => {
      await promise;
      return watch?.(context) ?? { stop: () => undefined };
    };
    const service = prepared({ sources: [source] });
    const started = service.live.start();
    const stopped = service.live.stop();
    open();
    await Promise.all([started, stopped]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect([source.lists.length, source.stops(), vi.getTimerCount()]).toEqual([0, 1, 0]);
    expect(service.live.serving()).toBe(false);
  });

  test("a watch that begins only after the stop is ended at once", async () => {
    const source = fakeSource("git");
    const { promise, open } = latch();
    const stop = vi.fn();
    source.watch = async () => {
      await promise;
      return { stop };
    };
    const parts = { clock: createClock(), logger: silentLogger };
    const store = { apply: vi.fn(), ownedBy: () => [], ownerOf: () => undefined, projectOf: () => undefined };
    const reconciler = new Reconciler({
      ...parts,
      source,
      store,
      collector: new Collector({ ...parts, store }),
      freshness: new FreshnessBoard({ now: Date.now, onChange: () => undefined }),
      onChange: () => undefined,
    });
    const started = reconciler.start();
    await reconciler.stop();
    open();
    await started;
    expect([stop.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test("start during stop does not begin it again", async () => {
    const source = fakeSource("git", { w: { projectId: P } });
    const service = await running({ sources: [source] });
    await settle();
    const stopped = service.live.stop();
    await service.live.start();
    await stopped;
    await vi.advanceTimersByTimeAsync(600_000);
    expect([source.lists.length, vi.getTimerCount(), service.live.serving()]).toEqual([1, 0, false]);
  });
});

describe("a source that cannot watch", () => {
  test("by throwing is reconciled all the same, and the others start", async () => {
    const source = fakeSource("git", { w: { projectId: P } });
    source.watch = () => {
      throw new Error("no watches left");
    };
    const other = fakeSource("other", { v: { projectId: P } });
    await using service = await running({ sources: [source, other] });
    await settle();
    expect(service.live.workspaces.getByProjectId(P)).toHaveLength(2);
    expect(service.live.complete(P)).toBe(true);
    expect(service.log.said(/cannot watch/)).toMatchObject([{ level: "error", facts: { source: "git" } }]);
  });

  test("to its end does not keep the service from stopping", async () => {
    const source = fakeSource("git");
    source.watch = () => ({
      stop: () => {
        throw new Error("on purpose");
      },
    });
    const service = await running({ sources: [source] });
    await settle();
    await service.live.stop();
    expect(service.live.health().status).toBe("unhealthy");
    expect(service.log.said(/did not stop/)).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
