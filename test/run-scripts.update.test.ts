/** `runScripts.update`: coalesced into the entry, and answered when it is there. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RUN_SCRIPT_STATUSES } from "../src/protocol/workspace.ts";
import { ADMIN, identity, refusalOf, routed } from "./helpers/router-callers.ts";
import { NOON } from "./helpers/store-parts.ts";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

async function service() {
  const routes = await routed();
  await routes.workspaces.upsert("w", { projectId: "p", status: "READY" });
  await routes.workspaces.upsert("hidden", { projectId: "q" });
  routes.heard.length = 0;
  return {
    ...routes,
    update: routes.as(ADMIN).runScripts.update,
    [Symbol.asyncDispose]: () => routes.live.stop(),
  };
}

test("M3 several in a row are one delta, and each is answered with its commit", async () => {
  await using routes = await service();
  const answers = ["STARTING", "RUNNING", "FAILED"].map((status) =>
    routes.update({ workspaceId: "w", status: status as "RUNNING" }),
  );
  await vi.advanceTimersByTimeAsync(149);
  expect(routes.heard).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  const version = routes.workspaces.getByWorkspaceId("w")?.version;
  for (const answer of await Promise.all(answers)) {
    expect(answer).toEqual({ accepted: true, changed: true, version, position: expect.any(String) });
  }
  expect(routes.heard).toHaveLength(1);
  expect(routes.workspaces.getByWorkspaceId("w")).toMatchObject({
    runScriptStatus: "FAILED",
    source: "event:run-script",
  });
});

test("the answer is a position at which a reader has seen it", async () => {
  await using routes = await service();
  const answer = routes.update({ workspaceId: "w", status: "RUNNING" });
  await vi.advanceTimersByTimeAsync(150);
  const { position } = await answer;
  const { entries } = await routes
    .as(ADMIN)
    .snapshots.byProject({ projectId: "p", ...(position === null ? {} : { atLeast: position }) });
  expect(entries).toMatchObject([{ runScriptStatus: "RUNNING" }]);
});

test("one that was observed earlier than what is known changes nothing", async () => {
  await using routes = await service();
  await routes.workspaces.upsert("w", { runScriptStatus: "FAILED" }, { observedAt: NOON });
  const answer = routes.update({ workspaceId: "w", status: "RUNNING", observedAt: NOON - 1 });
  await vi.advanceTimersByTimeAsync(150);
  expect(await answer).toMatchObject({ accepted: false, changed: false });
  expect(routes.workspaces.getByWorkspaceId("w")?.runScriptStatus).toBe("FAILED");
});

test.each(RUN_SCRIPT_STATUSES)("%s is a status", async (status) => {
  await using routes = await service();
  const answer = routes.update({ workspaceId: "w", status });
  await vi.advanceTimersByTimeAsync(150);
  await answer;
  expect(routes.workspaces.getByWorkspaceId("w")?.runScriptStatus).toBe(status);
});

test("what is not one is refused, and so is an unknown workspace", async () => {
  await using routes = await service();
  expect(await refusalOf(routes.update({ workspaceId: "w", status: "running" as never }))).toMatchObject({
    code: "BAD_REQUEST",
    reason: "invalid-input",
  });
  expect(await refusalOf(routes.update({ workspaceId: "nowhere", status: "RUNNING" }))).toMatchObject({
    code: "NOT_FOUND",
    reason: "unknown-workspace",
  });
});

test("whoever may not write the project of the workspace learns nothing", async () => {
  await using routes = await service();
  const { update } = routes.as(identity("publisher", ["p"])).runScripts;
  for (const workspaceId of ["hidden", "nowhere"]) {
    expect(await refusalOf(update({ workspaceId, status: "RUNNING" }))).toEqual({
      code: "FORBIDDEN",
      message: `This identity may not write workspace ${workspaceId}.`,
    });
  }
  expect(
    await refusalOf(routes.as(identity("viewer")).runScripts.update({ workspaceId: "w", status: "RUNNING" })),
  ).toMatchObject({ code: "FORBIDDEN" });
});

test("a caller hears that it was not stored, and why", async () => {
  await using routes = await service();
  routes.setJournalAway(true);
  const refused = refusalOf(routes.update({ workspaceId: "w", status: "RUNNING" }));
  await vi.advanceTimersByTimeAsync(150);
  expect(await refused).toMatchObject({ code: "SERVICE_UNAVAILABLE", reason: "unavailable" });
});

test("a report that spoils the commit that it waited for is refused by itself", async () => {
  await using routes = await service();
  const { collector } = routes.live;
  const submit = (patch: object) =>
    collector.submit({ workspaceId: "w", patch: { ...patch }, source: "test", urgency: "chatter" });
  const bad = refusalOf(submit({ runScriptStatus: "NO SUCH STATUS" }));
  const good = submit({ isWorking: true });
  await vi.advanceTimersByTimeAsync(150);
  expect((await bad).reason ?? (await bad).message).toContain("runScriptStatus");
  expect(await good).toMatchObject({ accepted: true, changed: true });
  expect(routes.log.loud(), "whoever asked was told").toEqual([]);
});

test("a removal answers what still waits: it was not taken", async () => {
  await using routes = await service();
  const answer = routes.update({ workspaceId: "w", status: "RUNNING" });
  await vi.advanceTimersByTimeAsync(10);
  routes.live.collector.remove({ workspaceId: "w", source: "test" });
  await vi.advanceTimersByTimeAsync(0);
  expect(await answer).toEqual({ accepted: false, changed: false, version: 0, position: null });
});

test("stopping the service answers what still waits", async () => {
  await using routes = await service();
  const answer = routes.update({ workspaceId: "w", status: "RUNNING" });
  await vi.advanceTimersByTimeAsync(10);
  await routes.live.stop();
  expect(await answer).toMatchObject({ accepted: true, changed: true });
  expect(await refusalOf(routes.update({ workspaceId: "w", status: "RUNNING" }))).toMatchObject({
    reason: "unavailable",
  });
  expect(vi.getTimerCount()).toBe(0);
});
