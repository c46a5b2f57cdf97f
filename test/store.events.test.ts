/** What the store tells, to whom, and when it is silent. */
import { describe, expect, test, vi } from "vitest";
import { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED, type Snapwire } from "../src/index.ts";
import { latch, NOON, running } from "./helpers/store-parts.ts";

const P = "project";
const Q = "another";

test("an event carries the whole entry, its project and a position, after the entry can be read", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  const seen: unknown[] = [];
  workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId, entry, position }) => {
    seen.push(workspaces.getByWorkspaceId(workspaceId) === entry, workspaces.getByProjectId(P)[0] === entry);
    seen.push(position);
  });
  const { position } = await workspaces.upsert("w", { projectId: P, prUrl: "https://example.com/1" });
  expect(seen).toEqual([true, true, position]);
});

test("an absent field is left as it is, and null clears it", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", { projectId: P, prUrl: "https://example.com/1", prState: "OPEN" });
  await workspaces.upsert("w", { prState: "DRAFT", prUrl: undefined });
  expect(workspaces.getByWorkspaceId("w")).toMatchObject({
    prUrl: "https://example.com/1",
    prState: "DRAFT",
  });
  await workspaces.upsert("w", { prUrl: null });
  expect(workspaces.getByWorkspaceId("w")?.prUrl).toBeNull();
});

test("nothing that the store derives is fed back: the raw signal is what was said", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", {
    projectId: P,
    prUrl: "https://example.com/1",
    prState: "OPEN",
    isWorking: false,
  });
  const entry = workspaces.getByWorkspaceId("w");
  expect(entry).toMatchObject({ flowPhase: "CI_WAIT", isWorking: false, kanbanColumn: "WORKING" });
  await workspaces.upsert("w", { name: "touched" });
  expect(workspaces.getByWorkspaceId("w")?.isWorking).toBe(false);
});

test("M2 derived fields are computed again with every change that is taken", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", { projectId: P, status: "READY" });
  expect(workspaces.getByWorkspaceId("w")?.statusReason.code).toBe("NO_SESSION_STARTED");
  await workspaces.upsert("w", { pendingRequestType: "plan_approval" });
  const asked = workspaces.getByWorkspaceId("w");
  expect(asked?.statusReason).toMatchObject({ code: "NEEDS_PLAN_APPROVAL", needsUser: true });
  expect(asked?.kanbanColumn).toBe("WAITING");
  await workspaces.upsert("w", { pendingRequestType: null, isWorking: true });
  expect(workspaces.getByWorkspaceId("w")?.kanbanColumn).toBe("WORKING");
});

describe("M1", () => {
  test("M1 an entry carries version, computedAt and source; the version grows with each real change only", async () => {
    await using service = await running({ now: () => NOON });
    const { workspaces } = service.live;
    const first = await workspaces.upsert("w", { projectId: P, name: "a" }, { source: "ci-bot" });
    const entry = workspaces.getByWorkspaceId("w");
    expect(entry).toMatchObject({
      version: first.version,
      computedAt: "2026-08-01T12:00:00.000Z",
      source: "event:ci-bot",
    });
    expect((await workspaces.upsert("w", { name: "a" })).version, "an equal write").toBe(first.version);
    const second = await workspaces.upsert("w", { name: "b" });
    expect(second.version).toBeGreaterThan(first.version);
    expect(workspaces.getByWorkspaceId("w")).toMatchObject({ version: second.version, source: "event:api" });
  });

  test("M1 writes that become one commit are named together", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P });
    const release = service.holdJournal();
    const writes = [
      workspaces.upsert("w", { name: "a" }, { source: "one" }),
      workspaces.upsert("w", { branchName: "b" }, { source: "two" }),
      workspaces.upsert("w", { branchName: "b" }, { source: "an-echo" }),
      workspaces.upsert("w", { mode: "AUTO_ITERATION" }, { source: "two" }),
    ];
    release();
    const results = await Promise.all(writes);
    expect(results.map(({ changed }) => changed)).toEqual([true, true, false, true]);
    expect(workspaces.getByWorkspaceId("w")?.source).toBe("event:two");
    expect(results[3]?.version, "all writers of one commit get its version").toBe(results[1]?.version);
    expect(service.heard).toHaveLength(3);
  });
});

test("L-D17 what is handed out is frozen to the ground, and stays as it was when the entry changes", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  const stats = { total: 1, additions: 2, deletions: 3, hasUncommitted: true };
  await workspaces.upsert("w", { projectId: P, name: "before", gitStats: stats });
  const before = workspaces.getByWorkspaceId("w");
  stats.total = 99;
  await workspaces.upsert("w", { name: "after" });
  expect(before).toMatchObject({ name: "before", gitStats: { total: 1 } });
  expect(isDeeplyFrozen(before)).toBe(true);
  expect(isDeeplyFrozen(workspaces.getByProjectId(P))).toBe(true);
  const payloads: unknown[] = [];
  workspaces.on(SNAPSHOT_CHANGED, (event) => void payloads.push(event));
  workspaces.on(SNAPSHOT_REMOVED, (event) => void payloads.push(event));
  await workspaces.upsert("w", { name: "once more" });
  await workspaces.remove("w");
  expect(payloads).toHaveLength(2);
  expect(payloads.every(isDeeplyFrozen)).toBe(true);
});

describe("L-D17 a listener that fails", () => {
  test("L-D17 by throwing harms neither the writer nor the other listeners nor the subscribers", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    workspaces.on(SNAPSHOT_CHANGED, () => {
      throw new Error("on purpose");
    });
    const later = vi.fn();
    workspaces.on(SNAPSHOT_CHANGED, later);
    expect(await workspaces.upsert("w", { projectId: P })).toMatchObject({ changed: true });
    expect(later).toHaveBeenCalledOnce();
    expect(service.log.said(/listener threw/)).toHaveLength(1);
    expect(await namesFromASubscription(service.live)).toEqual(["w"]);
  });

  test("L-D17 by rejecting later is logged and ends nothing", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    const late = latch();
    // An EventEmitter takes such a listener: what it answers is nobody's, unless the store looks at it.
    workspaces.on(SNAPSHOT_CHANGED, (() => late.promise) as () => void);
    await workspaces.upsert("w", { projectId: P });
    late.fail(new Error("on purpose"));
    await vi.waitFor(() => expect(service.log.said(/listener threw/)).toHaveLength(1));
    expect(await workspaces.upsert("w", { name: "goes on" })).toMatchObject({ changed: true });
  });

  test("a listener that leaves while being told does not cost the next one its event", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    const leaving = (): void => void workspaces.off(SNAPSHOT_CHANGED, leaving);
    workspaces.on(SNAPSHOT_CHANGED, leaving);
    const once = vi.fn();
    const always = vi.fn();
    workspaces.once(SNAPSHOT_CHANGED, once);
    workspaces.on(SNAPSHOT_CHANGED, always);
    await workspaces.upsert("w", { projectId: P });
    await workspaces.upsert("w", { name: "again" });
    expect([once.mock.calls.length, always.mock.calls.length]).toEqual([1, 2]);
  });
});

test("what a listener writes is told after what it was told, and everybody hears it in that order", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  const writes: Promise<unknown>[] = [];
  const order: string[] = [];
  workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId }) => {
    if (workspaceId === "first") writes.push(workspaces.upsert("second", { projectId: P }));
  });
  workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId }) => void order.push(workspaceId));
  await workspaces.upsert("first", { projectId: P });
  await Promise.all(writes);
  expect(order).toEqual(["first", "second"]);
});

describe("L-D3 a workspace that moves to another project", () => {
  test("L-D3 is removed in the old project and changed in the new one, by one commit", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P, name: "mover" });
    const { version } = await workspaces.upsert("w", { projectId: Q });
    expect(service.heard.slice(1)).toEqual([
      { type: "removed", workspaceId: "w", projectId: P },
      { type: "changed", workspaceId: "w", projectId: Q, version },
    ]);
    expect(workspaces.getByProjectId(P)).toEqual([]);
    expect(workspaces.getByProjectId(Q)).toMatchObject([{ workspaceId: "w", projectId: Q, name: "mover" }]);
    expect(service.appended).toHaveLength(2);
  });

  test("a late patch cannot move it back", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P }, { observedAt: NOON });
    await workspaces.upsert("w", { projectId: Q }, { observedAt: NOON + 20 });
    const late = await workspaces.upsert("w", { projectId: P, name: "late" }, { observedAt: NOON + 10 });
    expect(late, "the name was never observed later").toMatchObject({ accepted: true });
    expect(workspaces.getByWorkspaceId("w")).toMatchObject({ projectId: Q, name: "late" });
    expect(service.heard.filter(({ type }) => type === "removed")).toHaveLength(1);
  });

  test("and back again is seen in both, each time", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    for (const projectId of [P, Q, P]) await workspaces.upsert("w", { projectId });
    expect(service.heard.map(({ type, projectId }) => `${type} ${projectId}`)).toEqual([
      "changed project",
      "removed project",
      "changed another",
      "removed another",
      "changed project",
    ]);
  });
});

describe("L-D15 a workspace that is being archived", () => {
  test("L-D15 is sent as removed once, whatever changes in it after that", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P, status: "READY" });
    await workspaces.upsert("w", { status: "ARCHIVING" });
    expect(await workspaces.upsert("w", { name: "still archiving" })).toMatchObject({ changed: true });
    await workspaces.upsert("w", { status: "ARCHIVED" });
    await workspaces.remove("w");
    expect(service.heard.map(({ type }) => type)).toEqual(["changed", "removed"]);
    expect(workspaces.getByWorkspaceId("w")).toBeUndefined();
  });

  test("keeps its data, and comes back with it when archiving fails", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P, status: "READY", name: "kept" });
    await workspaces.upsert("w", { status: "ARCHIVING", branchName: "changed meanwhile" });
    expect(workspaces.getByProjectId(P)).toEqual([]);
    await workspaces.upsert("w", { status: "FAILED" });
    expect(workspaces.getByProjectId(P)).toMatchObject([
      { name: "kept", branchName: "changed meanwhile", status: "FAILED" },
    ]);
    expect(service.heard.map(({ type }) => type)).toEqual(["changed", "removed", "changed"]);
  });

  test("that moves meanwhile is told in neither project", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P, status: "ARCHIVED" });
    await workspaces.upsert("w", { projectId: Q });
    expect(service.heard).toEqual([]);
    await workspaces.upsert("w", { status: "READY" });
    expect(service.heard).toMatchObject([{ type: "changed", projectId: Q }]);
  });
});

async function namesFromASubscription(live: Snapwire): Promise<string[]> {
  const subscription = live.feed.join(P);
  await live.feed.begin(subscription, undefined);
  const frame = subscription.take();
  subscription.close();
  return frame?.data.type === "snapshot_full" ? frame.data.entries.map(({ workspaceId }) => workspaceId) : [];
}

function isDeeplyFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen);
}
