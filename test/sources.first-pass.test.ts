/** "Not seeded yet" is not "empty": what a subscriber gets while the first pass runs, or fails. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NOON, prepared } from "./helpers/store-parts.ts";
import { fakeSource } from "./helpers/store-source.ts";

const P = "project";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

/** A subscriber that joins now, and what it was told so far. */
function subscribe({ live }: ReturnType<typeof prepared>, lastEventId?: string) {
  const subscription = live.feed.join(P);
  void live.feed.begin(subscription, lastEventId);
  const frames: { id: string; data: Record<string, unknown> }[] = [];
  return {
    subscription,
    told: () => {
      for (let frame = subscription.take(); frame; frame = subscription.take())
        frames.push({ id: frame.id, data: { ...frame.data } });
      return frames.map(({ data }) => data);
    },
    lastId: () => frames.at(-1)?.id,
  };
}

test("a subscriber waits for the first pass, and then gets everything at once", async () => {
  const source = fakeSource("git", { w: { projectId: P }, v: { projectId: P } });
  await using service = prepared({ sources: [source] });
  const release = source.holdRead();
  await service.live.start();
  const subscriber = subscribe(service);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(subscriber.told()).toEqual([]);
  release();
  await settle();
  expect(subscriber.told()).toMatchObject([
    {
      type: "snapshot_full",
      reason: "first",
      complete: true,
      entries: [{ workspaceId: "w" }, { workspaceId: "v" }],
    },
  ]);
});

test("L-D9 the wait is bounded: after 5 s it gets what there is, said to be incomplete, and hears when it is not", async () => {
  const source = fakeSource("git", { w: { projectId: P } });
  await using service = prepared({ sources: [source] });
  const release = source.holdRead();
  await service.live.start();
  await service.live.workspaces.upsert("seeded-by-an-event", { projectId: P });
  const subscriber = subscribe(service);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(subscriber.told(), "L-D10 one entry does not make a baseline").toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(subscriber.told()).toMatchObject([
    { type: "snapshot_full", complete: false, entries: [{ workspaceId: "seeded-by-an-event" }] },
  ]);
  expect(service.live.health().checks.firstPass).toMatchObject({ ok: false });
  release();
  await settle();
  expect(subscriber.told().slice(1)).toMatchObject([
    { type: "snapshot_changed", workspaceId: "w" },
    { type: "snapshot_progress", complete: true },
  ]);
  expect(service.live.health().checks.firstPass).toEqual({ ok: true });
});

test("the wait can be set", async () => {
  const source = fakeSource("git");
  await using service = prepared({ sources: [source], firstPassWaitMs: 100 });
  const release = source.holdList();
  await service.live.start();
  const subscriber = subscribe(service);
  await vi.advanceTimersByTimeAsync(100);
  expect(subscriber.told()).toMatchObject([{ type: "snapshot_full", complete: false }]);
  release();
});

test("a subscriber that leaves while it waits leaves nothing", async () => {
  const source = fakeSource("git");
  await using service = prepared({ sources: [source] });
  const release = source.holdList();
  await service.live.start();
  await settle();
  const idle = vi.getTimerCount();
  const leaving = Array.from({ length: 100 }, () => subscribe(service));
  await settle();
  for (const { subscription } of leaving) subscription.close();
  await settle();
  expect([service.live.feed.size, vi.getTimerCount()]).toEqual([0, idle]);
  release();
});

describe("L-D10 a first pass that fails", () => {
  test("L-D10 is no authoritative empty: the subscriber is told that it is incomplete until one succeeds", async () => {
    const source = fakeSource("git", { w: { projectId: P } });
    source.listError = new Error("away");
    await using service = prepared({ sources: [source] });
    await service.live.start();
    const subscriber = subscribe(service);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(subscriber.told()).toMatchObject([{ type: "snapshot_full", complete: false, entries: [] }]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(subscriber.told()).toHaveLength(1);
    expect(service.live.complete(P)).toBe(false);
    source.listError = undefined;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(subscriber.told().slice(1)).toMatchObject([
      { type: "snapshot_changed", workspaceId: "w" },
      { type: "snapshot_progress", complete: true },
    ]);
  });

  test("L-D10 because no workspace can be read is none either", async () => {
    const source = fakeSource("git", { w: { projectId: P } });
    source.throwing.add("w");
    await using service = prepared({ sources: [source] });
    await service.live.start();
    const subscriber = subscribe(service);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(subscriber.told()).toMatchObject([{ complete: false, entries: [] }]);
    source.throwing.clear();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(subscriber.told().at(-1)).toMatchObject({ type: "snapshot_progress", complete: true });
  });

  test("L-D10 because the journal takes nothing is none either, and the rows come when it does", async () => {
    const source = fakeSource("git", { w: { projectId: P } });
    await using service = prepared({ sources: [source] });
    await service.live.start();
    service.setJournalAway(true);
    const subscriber = subscribe(service);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(subscriber.told()).toMatchObject([{ complete: false, entries: [] }]);
    service.setJournalAway(false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(subscriber.told().slice(1)).toMatchObject([
      { type: "snapshot_changed", workspaceId: "w" },
      { type: "snapshot_progress", complete: true },
    ]);
  });

  test("of one source keeps the whole incomplete, though another source is done", async () => {
    const away = fakeSource("away");
    away.listError = new Error("away");
    await using service = prepared({ sources: [fakeSource("git", { w: { projectId: P } }), away] });
    await service.live.start();
    const subscriber = subscribe(service);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(subscriber.told()).toMatchObject([{ complete: false, entries: [{ workspaceId: "w" }] }]);
  });
});

test("a later pass that fails takes nothing back: what was complete stays complete", async () => {
  const source = fakeSource("git", { w: { projectId: P } });
  await using service = prepared({ sources: [source] });
  await service.live.start();
  await settle();
  source.listError = new Error("away");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(service.live.complete(P)).toBe(true);
  const subscriber = subscribe(service);
  await settle();
  expect(subscriber.told()).toMatchObject([
    { type: "snapshot_full", complete: true, entries: [{ workspaceId: "w" }] },
    {
      type: "snapshot_status",
      fresh: false,
      reason: "source-unavailable",
      since: "2026-08-01T12:01:00.000Z",
    },
  ]);
});

test("who resumes while the first pass runs is not kept waiting, and hears that it is incomplete", async () => {
  const source = fakeSource("git", { w: { projectId: P } });
  await using service = prepared({ sources: [source], firstPassWaitMs: 0 });
  const release = source.holdRead();
  await service.live.start();
  await service.live.workspaces.upsert("v", { projectId: P });
  const first = subscribe(service);
  await settle();
  expect(first.told()).toMatchObject([{ type: "snapshot_full", complete: false }]);
  first.subscription.close();
  const again = subscribe(service, first.lastId());
  await settle();
  expect(again.told()).toMatchObject([
    { type: "snapshot_resumed", missed: 0 },
    { type: "snapshot_progress", complete: false },
  ]);
  release();
  await settle();
  expect(again.told().slice(2)).toMatchObject([
    { type: "snapshot_changed", workspaceId: "w" },
    { type: "snapshot_progress", complete: true },
  ]);
});

test("without sources there is no first pass: what there is is complete", async () => {
  await using service = prepared();
  await service.live.start();
  const subscriber = subscribe(service);
  await settle();
  expect(subscriber.told()).toMatchObject([{ type: "snapshot_full", complete: true, entries: [] }]);
});
