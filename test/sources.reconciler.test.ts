/** Passes: what they correct, what they remove, what they leave alone, and when they run. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NOON } from "./helpers/store-parts.ts";
import { begun, P, reconciled, seconds, settle } from "./helpers/store-reconciled.ts";
import { fakeSource } from "./helpers/store-source.ts";

const GIT_STATS = { total: 3, additions: 2, deletions: 1, hasUncommitted: false };

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

describe("when passes run", () => {
  test("the first one at once, the next one 60 s after its end", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    const release = source.holdList();
    await using _service = await begun(source);
    expect(source.lists).toEqual([NOON]);
    await seconds(30);
    release();
    await settle();
    await seconds(59);
    expect(source.lists).toEqual([NOON]);
    await seconds(1);
    expect(source.lists).toEqual([NOON, NOON + 90_000]);
  });

  test("a pass that takes long is not joined by another one", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using _service = await reconciled(source);
    const release = source.holdRead();
    await seconds(60);
    await seconds(600);
    expect([source.lists.length, source.reading]).toEqual([2, 1]);
    release();
    await seconds(60);
    expect(source.lists).toHaveLength(3);
  });

  test("sources have passes of their own: one that hangs does not hold up another", async () => {
    const hanging = fakeSource("hanging");
    const release = hanging.holdList();
    const other = fakeSource("other", { w: { projectId: P } });
    await using service = await begun(hanging, other);
    await seconds(61);
    expect([hanging.lists.length, other.lists.length]).toEqual([1, 2]);
    expect(service.live.workspaces.getByWorkspaceId("w")).toBeDefined();
    release();
  });
});

test("M4 a pass corrects a value that no event announced, and says so in the log, once, with the fields", async () => {
  const source = fakeSource("fake", {
    w: { projectId: P, name: "before", status: "READY" },
    v: { projectId: P },
  });
  await using service = await reconciled(source);
  expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({ name: "before", source: "initial" });
  source.rows.set("w", { projectId: P, name: "after", status: "FAILED" });
  await seconds(60);
  expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({
    name: "after",
    status: "FAILED",
    source: "reconciliation",
  });
  const drift = service.log.said(/drift/);
  expect(drift.map(({ facts }) => facts)).toEqual([
    { source: "fake", workspaceId: "w", fields: ["name", "status"] },
  ]);
  await seconds(60);
  expect(service.log.said(/drift/), "corrected once, said once").toHaveLength(1);
});

test("M4 a pass never overwrites what was seen after it began", async () => {
  const source = fakeSource("fake", { w: { projectId: P, name: "before" } });
  await using service = await reconciled(source);
  const release = source.holdRead();
  await seconds(60);
  await service.workspaces.upsert("w", { name: "newer than the pass" });
  release();
  await settle();
  expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("newer than the pass");
  expect(service.log.said(/drift/), "L-D12 what the merge rejects is no drift").toEqual([]);
});

test("L-D4 a pass that began before an event about one field still corrects the field beside it", async () => {
  const source = fakeSource("fake", { w: { projectId: P, status: "NEW", hasHadSessions: false } });
  await using service = await reconciled(source);
  source.rows.set("w", { projectId: P, status: "READY", hasHadSessions: false });
  const release = source.holdRead();
  await seconds(60);
  await service.workspaces.upsert("w", { hasHadSessions: true });
  release();
  await settle();
  expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({ status: "READY", hasHadSessions: true });
});

test("L-D12 drift is named for every field that a source may know", async () => {
  const source = fakeSource("fake", { w: { projectId: P } });
  await using service = await reconciled(source);
  const row = {
    projectId: P,
    prUrl: "https://example.com/1",
    hasMergeConflict: true,
    ratchetDispatchStalled: true,
    mode: "AUTO_ITERATION",
    autoIterationStatus: "RUNNING",
    hasHadSessions: true,
    createdAt: "2026-08-01T12:00:00Z",
  } as const;
  source.rows.set("w", row);
  await seconds(60);
  const { projectId: _, ...changed } = row;
  expect(new Set(service.log.said(/drift/)[0]?.facts.fields as string[])).toEqual(
    new Set(Object.keys(changed)),
  );
});

test("P9 a pass that finds nothing new appends nothing, emits nothing and says nothing", async () => {
  const rows = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`w${i}`, { projectId: P, name: `n${i}`, gitStats: GIT_STATS }]),
  );
  const source = fakeSource("fake", rows);
  await using service = await reconciled(source);
  service.told();
  expect([service.appended.length, service.heard.length]).toEqual([50, 50]);
  await seconds(600);
  expect(source.lists.length).toBe(11);
  expect([service.appended.length, service.heard.length]).toEqual([50, 50]);
  expect(service.told()).toEqual([]);
  expect(service.live.stats().deliveries, "one full frame").toBe(1);
  expect(service.log.loud()).toEqual([]);
});

describe("a pass removes", () => {
  test("what its source introduced and lists no more", async () => {
    const source = fakeSource("fake", { w: { projectId: P }, v: { projectId: P } });
    await using service = await reconciled(source);
    source.rows.delete("w");
    await seconds(60);
    expect(service.names()).toEqual(["v"]);
    expect(service.heard.at(-1)).toEqual({ type: "removed", workspaceId: "w", projectId: P });
  });

  test("what is listed and has no row", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    const { list } = source;
    source.rows.delete("w");
    source.list = async (signal) => [...(await list(signal)), "w"];
    await seconds(60);
    expect(service.names()).toEqual([]);
  });

  test("L-D1 not a workspace that came during the pass: it is neither in the list nor gone", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    const release = source.holdList();
    await seconds(60);
    source.rows.set("new", { projectId: P });
    source.context().report({ workspaceId: "new", patch: { projectId: P, status: "PROVISIONING" } });
    await settle();
    release();
    await settle();
    expect(service.names()).toEqual(["w", "new"]);
    expect(service.heard.some(({ type }) => type === "removed")).toBe(false);
    await seconds(60);
    expect(service.names(), "and the next pass knows it").toEqual(["w", "new"]);
  });

  test("L-D1 not one that was seen before the pass and is reported during it", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    const release = source.holdList();
    await seconds(60);
    const observedAt = Date.now() - 10_000;
    source.context().report({ workspaceId: "new", patch: { projectId: P }, observedAt });
    await settle();
    release();
    await settle();
    expect(service.heard.filter(({ workspaceId }) => workspaceId === "new")).toMatchObject([
      { type: "changed" },
    ]);
  });

  test("not what another source introduced, or an API caller, whatever name that caller gives", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    const other = fakeSource("other", { "of-another": { projectId: P } });
    await using service = await reconciled(source, { sources: [source, other] });
    await service.workspaces.upsert("published", { projectId: P });
    await service.workspaces.upsert("impostor", { projectId: P }, { source: "fake", owner: "api" });
    await seconds(180);
    expect(new Set(service.names())).toEqual(new Set(["w", "of-another", "published", "impostor"]));
  });

  test("not a workspace of its own that somebody saw after the pass began", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    source.rows.delete("w");
    const release = source.holdList();
    await seconds(60);
    await service.workspaces.upsert("w", { isWorking: true });
    await seconds(1);
    release();
    await settle();
    expect(service.names()).toEqual(["w"]);
    await seconds(60);
    expect(service.names(), "the next pass began after it").toEqual([]);
  });
});

test("what vanished while nobody ran is found gone by the first pass after a restart", async () => {
  const first = await reconciled(fakeSource("git", { w: { projectId: P }, gone: { projectId: P } }));
  await first.workspaces.upsert("published", { projectId: P });
  await first.live.stop();
  const after = fakeSource("git", { w: { projectId: P } });
  await using second = await reconciled(after, { journal: first.journal });
  expect(new Set(second.names())).toEqual(new Set(["w", "published"]));
  expect(second.heard).toEqual([{ type: "removed", workspaceId: "gone", projectId: P }]);
});

describe("when the list may have changed", () => {
  test("one look at the list is taken, and only workspaces that nobody knows are read", async () => {
    const source = fakeSource("fake", { w: { projectId: P }, v: { projectId: P } });
    await using service = await reconciled(source);
    source.reads.length = 0;
    source.rows.set("new", { projectId: P });
    source.rows.delete("v");
    for (let i = 0; i < 5; i += 1) source.context().invalidateList();
    await seconds(1);
    expect(source.lists).toHaveLength(2);
    expect(source.reads).toEqual([["new"]]);
    expect(service.names()).toEqual(["w", "new"]);
    expect(service.workspaces.getByWorkspaceId("new")?.source).toBe("reconciliation");
    expect(service.log.said(/drift/), "what is new is no drift").toEqual([]);
  });

  test("during a pass, the look is taken after it", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    const release = source.holdList();
    await seconds(60);
    source.rows.set("new", { projectId: P });
    source.context().invalidateList();
    await seconds(1);
    expect(source.lists).toHaveLength(2);
    release();
    await settle();
    expect(source.lists).toHaveLength(3);
    expect(service.names()).toEqual(["w", "new"]);
  });

  test("the next whole pass comes when it would have come anyway", async () => {
    const source = fakeSource("fake", { w: { projectId: P } });
    await using service = await reconciled(source);
    await seconds(30);
    source.context().invalidateList();
    await seconds(29);
    source.rows.set("w", { projectId: P, name: "after" });
    await seconds(1);
    expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("after");
  });
});

test("projects that a source names exist without a workspace, for as long as it names them", async () => {
  const source = fakeSource("fake");
  let projects = ["empty", "other"];
  source.projects = () => projects;
  await using service = await reconciled(source);
  expect(service.live.projects.all).toEqual(["empty", "other"]);
  projects = ["other"];
  await seconds(60);
  expect(service.live.projects.all).toEqual(["other"]);
});

test("a project appears with its first visible workspace and goes with its last, also inside one turn", async () => {
  await using service = await reconciled(fakeSource());
  const { workspaces } = service;
  const writes: Promise<unknown>[] = [];
  workspaces.once("snapshot_changed", () => {
    writes.push(workspaces.upsert("b1", { projectId: "b" }), workspaces.upsert("b2", { projectId: "b" }));
  });
  await workspaces.upsert("a1", { projectId: "a" });
  await Promise.all(writes);
  expect(service.live.projects.all).toEqual(["a", "b"]);
  workspaces.once("snapshot_removed", () => {
    writes.push(workspaces.remove("b1"), workspaces.remove("b2"));
  });
  await workspaces.remove("a1");
  await Promise.all(writes);
  expect(service.live.projects.all).toEqual([]);
});
