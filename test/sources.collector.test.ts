/** From reports to commits: what waits, what goes at once, and what is never lost. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { NOON, running } from "./helpers/store-parts.ts";

const P = "project";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

async function collecting() {
  const service = await running();
  await service.live.workspaces.upsert("w", { projectId: P }, { source: "before" });
  service.appended.length = 0;
  service.heard.length = 0;
  const { collector, workspaces } = service.live;
  return {
    ...service,
    workspaces,
    collector,
    chatter: (patch: Record<string, unknown>, more: { source?: string; observedAt?: number } = {}) =>
      collector.report({ workspaceId: "w", patch, source: "sessions", urgency: "chatter", ...more }),
    now: (patch: Record<string, unknown>, more: { source?: string; observedAt?: number } = {}) =>
      collector.report({ workspaceId: "w", patch, source: "pull-requests", ...more }),
    [Symbol.asyncDispose]: () => service.live.stop(),
  };
}

test("M3 a burst inside the coalescing window is one delta", async () => {
  await using service = await collecting();
  for (let i = 0; i < 10; i += 1) {
    service.chatter({ runScriptStatus: i % 2 === 0 ? "STARTING" : "RUNNING", isWorking: true });
    await vi.advanceTimersByTimeAsync(14);
  }
  expect(service.heard).toEqual([]);
  await vi.advanceTimersByTimeAsync(150);
  expect(service.heard).toMatchObject([{ type: "changed", workspaceId: "w" }]);
  expect(service.appended).toHaveLength(1);
  expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({
    runScriptStatus: "RUNNING",
    isWorking: true,
    source: "event:sessions",
  });
});

test("L-D6 chatter that never rests is committed once a second", async () => {
  await using service = await collecting();
  for (let i = 0; i < 205; i += 1) {
    service.chatter({ lastActivityAt: new Date(Date.now()).toISOString() });
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(service.appended).toHaveLength(2);
});

test("what a person waits for goes at once, and takes what waits along in one commit", async () => {
  await using service = await collecting();
  service.chatter({ isWorking: true });
  service.chatter({ runScriptStatus: "RUNNING" });
  service.now({ status: "READY" });
  await vi.advanceTimersByTimeAsync(0);
  expect(service.appended).toHaveLength(1);
  expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({
    isWorking: true,
    runScriptStatus: "RUNNING",
    status: "READY",
    source: "event:sessions+event:pull-requests",
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(service.appended, "nothing is left to flush").toHaveLength(1);
});

test("each report keeps the time of its own observation, however long it waited", async () => {
  await using service = await collecting();
  service.chatter({ runScriptStatus: "RUNNING" });
  await vi.advanceTimersByTimeAsync(100);
  const between = Date.now();
  await vi.advanceTimersByTimeAsync(40);
  await service.workspaces.upsert("w", { runScriptStatus: "FAILED" }, { observedAt: between });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(service.workspaces.getByWorkspaceId("w")?.runScriptStatus).toBe("FAILED");
});

describe("a removal", () => {
  test("cancels what waits for the workspace: nothing is flushed after it", async () => {
    await using service = await collecting();
    service.chatter({ projectId: P, isWorking: true });
    service.collector.remove({ workspaceId: "w", source: "sessions" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(service.heard.map(({ type }) => type)).toEqual(["removed"]);
    expect(service.appended).toHaveLength(1);
    expect(vi.getTimerCount(), "but the one that prunes the tombstone").toBe(1);
  });

  test("that is older than what waits does not cost it", async () => {
    await using service = await collecting();
    const before = Date.now();
    await vi.advanceTimersByTimeAsync(10);
    service.chatter({ projectId: P, name: "seen to be there, later" });
    service.collector.remove({ workspaceId: "w", source: "another", observedAt: before });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(service.workspaces.getByWorkspaceId("w")?.name).toBe("seen to be there, later");
    expect(service.heard.map(({ type }) => type)).toEqual(["changed"]);
  });
});

describe("a report that is refused", () => {
  test("costs none of those that wait with it", async () => {
    await using service = await collecting();
    service.chatter({ isWorking: true });
    service.chatter({ runScriptStatus: "NO SUCH STATUS" });
    service.chatter({ branchName: "feature" });
    service.now({ status: "READY" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({
      isWorking: true,
      branchName: "feature",
      status: "READY",
      runScriptStatus: "IDLE",
    });
    expect(service.log.said(/refused/)).toHaveLength(1);
    expect(service.log.said(/refused/)[0]?.facts).toMatchObject({ workspaceId: "w" });
  });

  test("is logged, and the collector goes on", async () => {
    await using service = await collecting();
    service.now({ status: "NO SUCH STATUS" });
    service.collector.report({ workspaceId: "", patch: {}, source: "x" });
    service.now({ status: "READY" });
    await vi.advanceTimersByTimeAsync(0);
    expect(service.log.said(/refused/)).toHaveLength(2);
    expect(service.workspaces.getByWorkspaceId("w")?.status).toBe("READY");
  });
});

test("what waits is bounded: the 256th report of a workspace in one window is not waited with", async () => {
  await using service = await collecting();
  for (let i = 1; i < 256; i += 1) service.chatter({ prNumber: i });
  await vi.advanceTimersByTimeAsync(0);
  expect(service.appended).toHaveLength(0);
  service.chatter({ prNumber: 256 });
  await vi.advanceTimersByTimeAsync(0);
  expect(service.appended).toHaveLength(1);
  expect(service.workspaces.getByWorkspaceId("w")?.prNumber).toBe(256);
});

test("stop writes what waits, takes nothing more, and leaves no timer", async () => {
  await using service = await collecting();
  service.chatter({ isWorking: true });
  const stopped = service.live.stop();
  await vi.advanceTimersByTimeAsync(0);
  await stopped;
  service.now({ status: "READY" });
  service.collector.remove({ workspaceId: "w", source: "late" });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(service.heard).toMatchObject([{ type: "changed" }]);
  expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({ isWorking: true, status: "NEW" });
  expect(vi.getTimerCount()).toBe(0);
  expect(service.log.loud()).toEqual([]);
});
