/** "Something changed": the workspace is read again, through the function that knows it. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createSnapwire, type SnapwireOptions, type SourceRow } from "../src/index.ts";
import { latch, NOON, prepared, reasonFrom, running } from "./helpers/store-parts.ts";
import { fakeSource } from "./helpers/store-source.ts";

const P = "project";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

/** A service over the sources, after their first passes, with nothing counted yet. */
async function watching(...sources: ReturnType<typeof fakeSource>[]) {
  const service = await running({ sources });
  await settle();
  for (const source of sources) source.reads.length = 0;
  service.heard.length = 0;
  return { ...service, workspaces: service.live.workspaces };
}

test("M9 a host that keeps its own truth says what changed, and it is read through the function that it gave", async () => {
  const truth = new Map<string, Omit<SourceRow, "workspaceId">>([["w", { projectId: P, name: "before" }]]);
  const reads: (readonly string[])[] = [];
  await using live = createSnapwire({
    list: () => [...truth.keys()],
    read: (ids) => {
      reads.push(ids);
      return ids.flatMap((workspaceId) => {
        const row = truth.get(workspaceId);
        return row ? [{ workspaceId, ...row }] : [];
      });
    },
  });
  await live.start();
  await settle();
  expect(live.workspaces.getByWorkspaceId("w")?.name).toBe("before");
  truth.set("w", { projectId: P, name: "after" });
  live.workspaces.invalidate("w");
  await settle();
  expect(reads).toEqual([["w"], ["w"]]);
  expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({ name: "after", source: "event:host" });
  truth.delete("w");
  live.workspaces.invalidate("w");
  await settle();
  expect(live.workspaces.getByWorkspaceId("w")).toBeUndefined();
});

test("M9 a workspace that nobody knew yet is read and shown too", async () => {
  const source = fakeSource("host");
  await using service = await watching(source);
  source.rows.set("new", { projectId: P });
  service.workspaces.invalidate("new");
  await settle();
  expect(service.workspaces.getByProjectId(P)).toMatchObject([{ workspaceId: "new", source: "event:host" }]);
});

test("what a host pushes stays until it removes it; pushed in the name of its own truth, it goes with that", async () => {
  const truth = new Set(["mine", "theirs"]);
  await using live = createSnapwire({
    list: () => [...truth],
    read: (ids) =>
      ids.filter((id) => truth.has(id)).map((workspaceId) => ({ workspaceId, projectId: P, name: "read" })),
  });
  await live.start();
  await live.workspaces.upsert("mine", { projectId: P }, { owner: "host" });
  await live.workspaces.upsert("theirs", { projectId: P });
  await settle();
  expect(live.workspaces.getByProjectId(P)).toMatchObject([{ name: "read" }, { name: "read" }]);
  truth.clear();
  for (const id of ["mine", "theirs"]) live.workspaces.invalidate(id);
  await settle();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(live.workspaces.getByProjectId(P)).toMatchObject([{ workspaceId: "theirs" }]);
});

test("an id that nobody knows is asked for and changes nothing", async () => {
  const source = fakeSource("host", { w: { projectId: P } });
  await using service = await watching(source);
  service.workspaces.invalidate("nobody");
  service.workspaces.invalidate("");
  await settle();
  expect(source.reads.flat()).toContain("nobody");
  expect(service.heard).toEqual([]);
  expect(service.log.loud()).toEqual([]);
});

test("what one turn invalidates is one read", async () => {
  const source = fakeSource("host", { w: { projectId: P }, v: { projectId: P } });
  await using service = await watching(source);
  for (const id of ["w", "v", "w", "w"]) service.workspaces.invalidate(id);
  await settle();
  expect(source.reads).toEqual([["w", "v"]]);
});

describe("single flight", () => {
  test("one read of a workspace is in flight, and one more follows it however often it was invalidated", async () => {
    const source = fakeSource("host", { w: { projectId: P, name: "0" } });
    await using service = await watching(source);
    const release = source.holdRead();
    service.workspaces.invalidate("w");
    await settle();
    for (let i = 1; i <= 5; i += 1) {
      source.rows.set("w", { projectId: P, name: String(i) });
      service.workspaces.invalidate("w");
      await settle();
    }
    expect([source.reads.length, source.reading]).toEqual([1, 1]);
    release();
    await settle();
    expect(source.reads).toEqual([["w"], ["w"]]);
    expect(source.mostReading).toBe(1);
    expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("5");
  });

  test("a slow read holds up no other workspace, not even after a second word about the slow one", async () => {
    const source = fakeSource("host", { slow: { projectId: P }, other: { projectId: P } });
    await using service = await watching(source);
    const release = source.holdRead();
    service.workspaces.invalidate("slow");
    await settle();
    service.workspaces.invalidate("slow");
    await settle();
    source.rows.set("other", { projectId: P, name: "after" });
    service.workspaces.invalidate("other");
    await settle();
    expect(service.workspaces.getByWorkspaceId("other")?.name).toBe("after");
    release();
    await settle();
    expect(source.reads).toEqual([["slow"], ["other"], ["slow"]]);
  });

  test("a read that fails is not the last: the next word is read again", async () => {
    const source = fakeSource("host", { w: { projectId: P, name: "before" } });
    await using service = await watching(source);
    source.throwing.add("w");
    service.workspaces.invalidate("w");
    await settle();
    expect(service.workspaces.getByWorkspaceId("w")?.name, "its last good value stays").toBe("before");
    expect(service.log.said(/unreadable/)).toHaveLength(1);
    source.throwing.clear();
    source.rows.set("w", { projectId: P, name: "after" });
    service.workspaces.invalidate("w");
    await settle();
    expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("after");
  });
});

test("L-D7 what a read finds is stamped with the time at which the read began", async () => {
  const source = fakeSource("host", { w: { projectId: P, name: "before" } });
  await using service = await watching(source);
  source.rows.set("w", { projectId: P, name: "read early, answered late" });
  const release = source.holdRead();
  service.workspaces.invalidate("w");
  await settle();
  await vi.advanceTimersByTimeAsync(20_000);
  await service.workspaces.upsert("w", { name: "newer" }, { observedAt: NOON + 10_000 });
  release();
  await settle();
  expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("newer");
});

test("chatter is read once it has been quiet, and a person's word goes at once and takes it along", async () => {
  const source = fakeSource("git", { w: { projectId: P } });
  await using service = await watching(source);
  for (let i = 0; i < 10; i += 1) {
    source.context().invalidate("w", "chatter");
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(source.reads).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(150);
  expect(source.reads).toHaveLength(1);
  source.context().invalidate("w", "chatter");
  source.context().invalidate("w");
  await settle();
  expect(source.reads).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(source.reads, "nothing is left to read").toHaveLength(2);
  expect(service.log.loud()).toEqual([]);
});

test("L-D6 chatter that never rests is read once a second", async () => {
  const source = fakeSource("git", { w: { projectId: P } });
  await using _service = await watching(source);
  for (let i = 0; i < 205; i += 1) {
    source.context().invalidate("w", "chatter");
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(source.reads).toHaveLength(2);
});

test("M5 an event that is not about git never reads git: only git's own events and passes do", async () => {
  const git = fakeSource("git", { w: { projectId: P }, v: { projectId: P } });
  const sessions = fakeSource("sessions");
  await using service = await watching(git, sessions);
  sessions.context().report({ workspaceId: "w", patch: { isWorking: true } });
  sessions.context().report({ workspaceId: "w", patch: { runScriptStatus: "RUNNING" }, urgency: "chatter" });
  service.live.collector.report({ workspaceId: "v", source: "pull-requests", patch: { prState: "OPEN" } });
  await service.workspaces.upsert("v", { status: "READY" });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(git.reads).toEqual([]);
  git.context().invalidate("w");
  await settle();
  expect(git.reads).toEqual([["w"]]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(git.reads).toEqual([["w"], ["w", "v"]]);
});

describe("with several sources", () => {
  test("a known workspace is read by the source that introduced it, an unknown one by all", async () => {
    const one = fakeSource("one", { w: { projectId: P } });
    const two = fakeSource("two", { v: { projectId: P } });
    await using service = await watching(one, two);
    service.workspaces.invalidate("v");
    await settle();
    expect([one.reads, two.reads]).toEqual([[], [["v"]]]);
    service.workspaces.invalidate("new");
    await settle();
    expect([one.reads, two.reads]).toEqual([[["new"]], [["v"], ["new"]]]);
  });

  test("one that has no row of a workspace does not remove what another introduced, or a caller", async () => {
    const one = fakeSource("one", { w: { projectId: P } });
    const two = fakeSource("two");
    await using service = await watching(one, two);
    two.context().invalidate("w");
    await service.workspaces.upsert("published", { projectId: P });
    service.workspaces.invalidate("published");
    await settle();
    expect(two.reads.flat()).toEqual(expect.arrayContaining(["w", "published"]));
    expect(service.workspaces.getByProjectId(P)).toHaveLength(2);
  });

  test("of the same name is refused, and so are names that something else has", () => {
    const make = (options: SnapwireOptions) => () => createSnapwire(options);
    const named = (name: string) => fakeSource(name);
    expect(make({ sources: [named("git"), named("git")] })).toThrow(/called git/);
    const own = { list: () => [], read: () => [] };
    expect(make({ sources: [named("host")], ...own })).toThrow(/called host/);
    expect(make({ sources: [named("api")] })).toThrow(/api/);
    expect(make({ sources: [named("host")] })).not.toThrow();
  });
});

test("list without read, or read without list, is refused", async () => {
  expect(() => createSnapwire({ list: () => [] })).toThrow(/go together/);
  expect(() => createSnapwire({ read: () => [] })).toThrow(/go together/);
  const reason = await reasonFrom(Promise.resolve().then(() => createSnapwire({ read: () => [] })));
  expect(reason).toBe("invalid-input");
});

describe("M7", () => {
  test("before start nothing is read; after stop neither, and what waited is forgotten", async () => {
    const source = fakeSource("host", { w: { projectId: P } });
    await using service = prepared({ sources: [source] });
    service.live.workspaces.invalidate("w");
    await settle();
    expect(source.reads).toEqual([]);
    await service.live.start();
    await settle();
    source.context().invalidate("w", "chatter");
    source.context().invalidateList();
    const { length } = source.reads;
    const stopped = service.live.stop();
    await settle();
    service.live.workspaces.invalidate("w");
    source.context().invalidate("w");
    source.context().invalidateList();
    await vi.advanceTimersByTimeAsync(120_000);
    await stopped;
    expect([source.reads.length, source.lists.length]).toEqual([length, 1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("stop waits for a read in flight, which is told to end and writes nothing any more", async () => {
    const source = fakeSource("host", { w: { projectId: P, name: "before" } });
    await using service = await watching(source);
    source.rows.set("w", { projectId: P, name: "after" });
    const release = source.holdRead();
    service.workspaces.invalidate("w");
    await settle();
    const stopped = latch();
    void service.live.stop().then(stopped.open);
    let isStopped = false;
    void stopped.promise.then(() => {
      isStopped = true;
    });
    await vi.advanceTimersByTimeAsync(1_000);
    expect([isStopped, source.signals.at(-1)?.aborted]).toEqual([false, true]);
    release();
    await stopped.promise;
    expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("before");
    expect(service.log.loud()).toEqual([]);
  });
});
