/** From sessions into the entry of their workspace: what goes at once, what is coalesced, and what waits. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { P, W, withSessions } from "./helpers/session-service.ts";
import { NOON } from "./helpers/store-parts.ts";

beforeEach(() => void vi.useFakeTimers({ now: NOON }));
afterEach(() => void vi.useRealTimers());

const rest = () => vi.advanceTimersByTimeAsync(150);

describe("activity", () => {
  test("M3 reaches the entry as one delta, however often it changes inside the window", async () => {
    await using service = await withSessions();
    for (let n = 0; n < 10; n += 1) {
      await service.begin("s", { activity: n % 2 === 0 ? "WORKING" : "IDLE", runtimePhase: "running" });
      await vi.advanceTimersByTimeAsync(14);
    }
    expect(service.heard).toEqual([]);
    await rest();
    expect(service.heard).toHaveLength(1);
    expect(service.card()).toEqual({
      isWorking: true,
      pending: null,
      reason: "AGENT_WORKING",
      sessions: ["s"],
    });
    expect(service.live.workspaces.getByWorkspaceId(W)?.source).toBe("event:sessions");
  });

  test("L-D6 that never rests reaches it once a second", async () => {
    await using service = await withSessions();
    for (let n = 0; n < 205; n += 1) {
      await service.begin("s", { activity: n % 2 === 0 ? "WORKING" : "IDLE" });
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(service.heard).toHaveLength(2);
  });

  test("goes through working, needs permission, ready for the next prompt", async () => {
    await using service = await withSessions();
    expect(service.card().reason).toBe("NO_SESSION_STARTED");
    await service.begin("s", { runtimePhase: "starting", processState: "alive" });
    await rest();
    expect(service.card().reason).toBe("STARTING_SESSION");
    await service.update("s", { runtimePhase: "running", activity: "WORKING" });
    await rest();
    expect(service.card().reason).toBe("AGENT_WORKING");
    await service.update("s", { pendingRequest: { toolName: "Bash" } });
    await vi.advanceTimersByTimeAsync(0);
    expect(service.card().reason, "a person waits for this: at once").toBe("NEEDS_PERMISSION");
    await service.update("s", { pendingRequest: null });
    await vi.advanceTimersByTimeAsync(0);
    expect(service.card().reason, "and for its end").toBe("AGENT_WORKING");
    await service.update("s", { runtimePhase: "idle", activity: "IDLE" });
    await rest();
    expect(service.card().reason).toBe("READY_FOR_NEXT_PROMPT");
  });

  test("that says nothing new is no delta", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await rest();
    service.heard.length = 0;
    for (let n = 0; n < 5; n += 1) {
      await service.update("s", { activity: "WORKING" });
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(service.heard).toEqual([]);
  });
});

describe("what a person waits for goes at once", () => {
  test.each([
    ["a request", { pendingRequest: "plan_approval" }, "NEEDS_PLAN_APPROVAL"],
    ["an error", { runtimePhase: "error", errorMessage: "no such model" }, "SESSION_ERROR"],
    [
      "an unexpected exit",
      { processState: "stopped", lastExit: { code: 1, timestamp: "2026-08-01T12:00:00Z", unexpected: true } },
      "SESSION_ERROR",
    ],
    ["the end", { lifecycle: "ended" }, "READY_FOR_NEXT_PROMPT"],
  ] as const)("%s", async (_what, news, reason) => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await rest();
    service.heard.length = 0;
    await service.update("s", news);
    await vi.advanceTimersByTimeAsync(0);
    expect(service.card()).toMatchObject({ reason });
    expect(service.heard).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(service.heard, "and is not said twice").toHaveLength(1);
  });

  test("and takes the chatter that waits along, in one delta", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await service.update("s", { pendingRequest: "user_question" });
    await vi.advanceTimersByTimeAsync(0);
    expect(service.card()).toMatchObject({
      isWorking: true,
      pending: "user_question",
      reason: "NEEDS_ANSWER",
    });
    expect(service.heard).toHaveLength(1);
  });
});

describe("several sessions of one workspace", () => {
  test("it works while one of them works", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await service.begin("t", { runtimePhase: "running" });
    await service.update("s", { activity: "IDLE" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: true, sessions: ["s", "t"] });
    await service.update("t", { runtimePhase: "idle" });
    await rest();
    expect(service.card().isWorking).toBe(false);
  });

  test("older news of one of them still counts when the workspace has heard newer news of another", async () => {
    await using service = await withSessions();
    const t = NOON + 1_000;
    vi.setSystemTime(t);
    await service.begin("s", { activity: "IDLE", observedAt: t });
    await rest();
    await service.begin("late", { activity: "WORKING", observedAt: t - 500 });
    await rest();
    expect(service.card().isWorking).toBe(true);
  });

  test("one that moves to another workspace leaves the first", async () => {
    await using service = await withSessions();
    await service.live.workspaces.upsert("other", { projectId: P });
    await service.begin("s", { activity: "WORKING" });
    await rest();
    await service.begin("s", { workspaceId: "other" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: false, sessions: [] });
    expect(service.card("other")).toMatchObject({ isWorking: true, sessions: ["s"] });
  });
});

describe("the end of a session", () => {
  test("takes it out of the summaries, whatever was said of its life before", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING", processState: "alive", pendingRequest: "plan_approval" });
    await service.update("s", { lifecycle: "ended" });
    await rest();
    expect(service.card()).toEqual({
      isWorking: false,
      pending: null,
      reason: "READY_FOR_NEXT_PROMPT",
      sessions: [],
    });
    expect(service.sessions.get("s")).toMatchObject({
      live: false,
      activity: "IDLE",
      processState: "stopped",
      pendingRequest: null,
    });
  });

  test("is not overridden by a late sign of activity", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await service.update("s", { lifecycle: "ended" });
    await service.update("s", { activity: "WORKING" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: false, sessions: [] });
  });

  test("is not the last word when the session is resumed: its process is alive again, until it ends again", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING", lifecycle: "ended" });
    await service.update("s", { processState: "alive", activity: "WORKING" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: true, sessions: ["s"] });
    await service.update("s", { lifecycle: "ended" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: false, sessions: [] });
    await service.update("s", { lifecycle: "parsed" });
    expect(service.sessions.get("s")).toMatchObject({ lifecycle: "parsed", live: false });
  });

  test("leaves a resumed session nothing of its first life", async () => {
    await using service = await withSessions();
    await service.begin("s", {
      activity: "WORKING",
      runtimePhase: "running",
      pendingRequest: "user_question",
    });
    await service.update("s", { lifecycle: "ended" });
    await service.update("s", { processState: "alive" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: false, pending: null, sessions: ["s"] });
    expect(service.sessions.get("s")).toMatchObject({ live: true, activity: "IDLE", runtimePhase: "idle" });
  });

  test("steps after the end leave a resumed session alive", async () => {
    await using service = await withSessions();
    await service.begin("s", { lifecycle: "ended" });
    await service.update("s", { processState: "alive", activity: "WORKING" });
    await service.update("s", { lifecycle: "summarized", summary: "the first part" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: true, sessions: ["s"] });
  });

  const CRASH = {
    lifecycle: "ended",
    lastExit: { code: 137, timestamp: "2026-08-01T12:00:00Z", unexpected: true },
  } as const;

  test("in error stays on the card until somebody clears it", async () => {
    await using service = await withSessions();
    await service.begin("s", CRASH);
    await rest();
    expect(service.card()).toMatchObject({ reason: "SESSION_ERROR", sessions: ["s"] });
    await service.update("s", { lastExit: null });
    await rest();
    expect(service.card()).toMatchObject({ reason: "READY_FOR_NEXT_PROMPT", sessions: [] });
  });

  test("in error leaves the card when a new session begins after it", async () => {
    await using service = await withSessions();
    await service.begin("s", CRASH);
    await vi.advanceTimersByTimeAsync(1_000);
    await service.begin("t", { activity: "WORKING" });
    await rest();
    expect(service.card()).toMatchObject({ reason: "AGENT_WORKING", sessions: ["t"] });
  });
});

describe("a session whose workspace is not known yet", () => {
  test("waits for it, and is applied when it appears", async () => {
    await using service = await withSessions();
    const answer = await service.update("s", { workspaceId: "new", activity: "WORKING" });
    expect(answer).toMatchObject({ accepted: true, changed: true });
    await service.update("s", { pendingRequest: "user_question" });
    await rest();
    expect(service.sessions).toMatchObject({ size: 1, waiting: 1 });
    expect(service.sessions.get("s")).toMatchObject({ projectId: null });
    expect(service.log.loud()).toEqual([]);

    await service.live.workspaces.upsert("new", { projectId: "q", status: "READY" });
    await vi.advanceTimersByTimeAsync(0);
    expect(service.card("new")).toMatchObject({ isWorking: true, pending: "user_question", sessions: ["s"] });
    expect(service.sessions.get("s")).toMatchObject({ projectId: "q" });
    expect(service.sessions.waiting).toBe(0);
  });

  test("is one of at most so many: the workspace named first gives way", async () => {
    await using service = await withSessions({ sessions: { waiting: 3 } });
    for (let n = 0; n < 5; n += 1) await service.update(`s${n}`, { workspaceId: `unknown-${n}` });
    await vi.advanceTimersByTimeAsync(0);
    expect(["s0", "s1", "s2", "s3", "s4"].filter((id) => service.sessions.get(id))).toEqual([
      "s2",
      "s3",
      "s4",
    ]);
    await service.begin("known");
    expect(service.sessions.get("known")).toBeDefined();
  });
});

describe("the workspace of a session", () => {
  test("that is removed takes its sessions along", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await service.begin("t");
    await service.live.workspaces.remove(W);
    await rest();
    expect(service.sessions.size).toBe(0);
    expect(service.live.workspaces.getByWorkspaceId(W), "what waited does not bring it back").toBeUndefined();
    expect(service.log.loud()).toEqual([]);
  });

  test("that was removed is not brought back by older news of a session, and newer news waits for it", async () => {
    await using service = await withSessions();
    await service.begin("s");
    const before = Date.now();
    await vi.advanceTimersByTimeAsync(10);
    await service.live.workspaces.remove(W);
    await rest();
    expect(await service.begin("s", { activity: "WORKING", observedAt: before })).toMatchObject({
      accepted: false,
    });
    expect(service.sessions.size).toBe(0);
    await service.begin("s", { activity: "WORKING" });
    await rest();
    expect(service.sessions).toMatchObject({ size: 1, waiting: 1 });
    expect(service.live.workspaces.getByWorkspaceId(W)).toBeUndefined();
  });

  test("that is hidden keeps them, and shows them when it comes back", async () => {
    await using service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await service.live.workspaces.upsert(W, { status: "ARCHIVING" });
    await rest();
    expect(service.sessions.size).toBe(1);
    await service.live.workspaces.upsert(W, { status: "READY" });
    await rest();
    expect(service.card()).toMatchObject({ isWorking: true, sessions: ["s"] });
  });

  test("that was hidden when it was removed is noticed by the next look", async () => {
    await using service = await withSessions();
    await service.begin("s");
    await service.live.workspaces.upsert(W, { status: "ARCHIVING" });
    await service.live.workspaces.remove(W);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(service.sessions.size).toBe(0);
  });

  test("that moves to another project takes them along", async () => {
    await using service = await withSessions();
    await service.begin("s");
    await service.live.workspaces.upsert(W, { projectId: "q" });
    await rest();
    expect(service.sessions.get("s")).toMatchObject({ projectId: "q" });
  });
});

describe("what is kept", () => {
  test("the newest so many of a workspace; those that are over go first", async () => {
    await using service = await withSessions({ sessions: { perWorkspace: 3 } });
    await service.begin("live", { activity: "WORKING" });
    for (let n = 0; n < 5; n += 1) await service.begin(`over-${n}`, { lifecycle: "complete" });
    await rest();
    expect(service.sessions.ofWorkspace(W).map(({ sessionId }) => sessionId)).toEqual([
      "live",
      "over-3",
      "over-4",
    ]);
  });

  test("not more than so many in all", async () => {
    await using service = await withSessions({ sessions: { inAll: 10 } });
    for (let n = 0; n < 30; n += 1) {
      await service.live.workspaces.upsert(`w${n}`, { projectId: P });
      await service.update(`s${n}`, { workspaceId: `w${n}` });
    }
    await rest();
    expect(service.sessions.size).toBeLessThanOrEqual(10);
    expect(service.sessions.get("s29")).toBeDefined();
  });

  test("nothing of which so long nothing new was said", async () => {
    await using service = await withSessions({ sessions: { keepForMs: 10 * 3_600_000 } });
    await service.begin("s", { lifecycle: "complete" });
    await vi.advanceTimersByTimeAsync(9 * 3_600_000);
    await service.begin("t");
    expect(service.sessions.size).toBe(2);
    await vi.advanceTimersByTimeAsync(2 * 3_600_000);
    expect(service.sessions.get("s")).toBeUndefined();
    expect(service.sessions.get("t")).toBeDefined();
  });

  test("no timer is left when the service stops", async () => {
    const service = await withSessions();
    await service.begin("s", { activity: "WORKING" });
    await service.live.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(service.card().isWorking, "what waited was written").toBe(true);
  });
});
