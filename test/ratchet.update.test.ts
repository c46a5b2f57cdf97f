/** `ratchet.update`: each change is an event of its own, at once. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RatchetUpdateInput } from "../src/router/ratchet.ts";
import { ADMIN, identity, refusalOf, routed } from "./helpers/router-callers.ts";
import { NOON } from "./helpers/store-parts.ts";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

async function service() {
  const routes = await routed();
  await routes.workspaces.upsert("w", { projectId: "p", status: "READY" });
  await routes.workspaces.upsert("beside", { projectId: "p", status: "READY" });
  routes.heard.length = 0;
  const { update } = routes.as(ADMIN).ratchet;
  return {
    ...routes,
    update: (news: Omit<RatchetUpdateInput, "workspaceId">) => update({ workspaceId: "w", ...news }),
    entry: () => routes.workspaces.getByWorkspaceId("w"),
    [Symbol.asyncDispose]: () => routes.live.stop(),
  };
}

test("a toggle is told at once, to the workspace that it is about and to no other", async () => {
  await using routes = await service();
  const answer = await routes.update({ enabled: true });
  expect(routes.entry()).toMatchObject({
    ratchetEnabled: true,
    source: "event:ratchet",
    version: answer.version,
  });
  expect(routes.heard).toEqual([
    { type: "changed", workspaceId: "w", projectId: "p", version: answer.version },
  ]);
  expect(answer).toMatchObject({ accepted: true, changed: true, position: expect.any(String) });
  expect(await routes.update({ enabled: true })).toEqual({ ...answer, changed: false });
});

test("each field by itself: absent leaves, null clears", async () => {
  await using routes = await service();
  await routes.update({
    enabled: true,
    state: "CI_FAILED",
    dispatchOutcome: "DIED",
    retryCount: 2,
    stalled: true,
  });
  const all = {
    ratchetEnabled: true,
    ratchetState: "CI_FAILED",
    ratchetDispatchOutcome: "DIED",
    ratchetDispatchRetryCount: 2,
    ratchetDispatchStalled: true,
  };
  expect(routes.entry()).toMatchObject(all);
  await routes.update({ dispatchOutcome: null });
  expect(routes.entry()).toMatchObject({ ...all, ratchetDispatchOutcome: null });
  await routes.update({ stalled: false });
  await routes.update({ retryCount: 0 });
  await routes.update({ state: "READY" });
  expect(routes.entry()).toMatchObject({
    ratchetEnabled: true,
    ratchetState: "READY",
    ratchetDispatchOutcome: null,
    ratchetDispatchRetryCount: 0,
    ratchetDispatchStalled: false,
  });
});

test("it takes the chatter of the workspace that waits along, in one delta", async () => {
  await using routes = await service();
  const script = routes.as(ADMIN).runScripts.update({ workspaceId: "w", status: "RUNNING" });
  await vi.advanceTimersByTimeAsync(10);
  await routes.update({ enabled: true });
  await script;
  expect(routes.heard).toHaveLength(1);
  expect(routes.entry()).toMatchObject({ runScriptStatus: "RUNNING", ratchetEnabled: true });
});

test("saying nothing changes nothing", async () => {
  await using routes = await service();
  expect(await routes.update({})).toMatchObject({ accepted: false, changed: false });
});

test.each([
  { state: "ci_failed" },
  { state: null },
  { enabled: "yes" },
  { retryCount: -1 },
  { retryCount: 1.5 },
  { dispatchOutcome: "OK" },
  { stalled: null },
  { ratchetEnabled: true },
])("%j is refused", async (wrong) => {
  await using routes = await service();
  expect(await refusalOf(routes.update(wrong as never))).toMatchObject({
    code: "BAD_REQUEST",
    reason: "invalid-input",
  });
  expect(routes.heard).toEqual([]);
});

test("rights are those of the workspace's project", async () => {
  await using routes = await service();
  const stranger = routes.as(identity("publisher", ["q"])).ratchet;
  expect(await refusalOf(stranger.update({ workspaceId: "w", enabled: true }))).toMatchObject({
    code: "FORBIDDEN",
  });
  expect(
    await refusalOf(routes.as(ADMIN).ratchet.update({ workspaceId: "nowhere", enabled: true })),
  ).toMatchObject({
    code: "NOT_FOUND",
    reason: "unknown-workspace",
  });
});
