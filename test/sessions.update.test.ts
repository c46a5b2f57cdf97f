/** What an update of a session changes, what it leaves alone, and what it is refused for. */
import { describe, expect, test } from "vitest";
import { SESSION_LIFECYCLES, type SessionLifecycle } from "../src/protocol/sessions.ts";
import { W, withSessions } from "./helpers/session-service.ts";
import { reasonFrom } from "./helpers/store-parts.ts";

describe("the lifecycle", () => {
  const STEPS = ["detected", "ended", "transcript_ready", "parsed", "summarized", "complete"] as const;
  /** Read from the sentence "forward, by any number of steps; failed from anywhere". */
  const mayGo = (from: SessionLifecycle, to: SessionLifecycle): boolean => {
    if (to === "failed" || from === to) return true;
    if (from === "failed") return false;
    return STEPS.indexOf(to) > STEPS.indexOf(from);
  };
  const pairs = SESSION_LIFECYCLES.flatMap((from) =>
    SESSION_LIFECYCLES.map((to) => [from, to, mayGo(from, to)] as const),
  );

  test.each(pairs)("%s -> %s: %s", async (from, to, legal) => {
    await using service = await withSessions();
    await service.begin("s", { lifecycle: from, summary: "before" });
    const attempt = service.update("s", { lifecycle: to, summary: "after" });
    if (legal) expect(await attempt).toMatchObject({ accepted: true });
    else expect(await reasonFrom(attempt)).toBe("backward-lifecycle");
    expect(service.sessions.get("s"), "all of it, or nothing").toMatchObject(
      legal ? { lifecycle: to, summary: "after" } : { lifecycle: from, summary: "before" },
    );
  });

  test("what is refused names the steps that are legal, and costs no other update anything", async () => {
    await using service = await withSessions();
    await service.begin("s", { lifecycle: "parsed" });
    const [backward, beside] = await Promise.allSettled([
      service.update("s", { lifecycle: "ended" }),
      service.update("s", { summary: "what it did" }),
    ]);
    expect(backward).toMatchObject({
      status: "rejected",
      reason: { message: expect.stringContaining("From parsed: summarized, complete, failed.") },
    });
    expect(beside.status).toBe("fulfilled");
    expect(service.sessions.get("s")).toMatchObject({ lifecycle: "parsed", summary: "what it did" });
  });

  test("capturing is another name for detected", async () => {
    await using service = await withSessions();
    await service.begin("s", { lifecycle: "capturing" });
    expect(service.sessions.get("s")?.lifecycle).toBe("detected");
    await service.update("s", { lifecycle: "ended" });
    expect(await reasonFrom(service.update("s", { lifecycle: "capturing" }))).toBe("backward-lifecycle");
  });

  test("an earlier step that was observed earlier is late, not backward: it is left", async () => {
    await using service = await withSessions();
    const t = Date.now();
    await service.begin("s", { observedAt: t - 20 });
    await service.update("s", { lifecycle: "parsed", observedAt: t });
    expect(await service.update("s", { lifecycle: "ended", observedAt: t - 10 })).toMatchObject({
      accepted: false,
      changed: false,
    });
    expect(service.sessions.get("s")?.lifecycle).toBe("parsed");
  });

  test("a later step that was observed earlier is taken all the same", async () => {
    await using service = await withSessions();
    const t = Date.now();
    await service.begin("s", { lifecycle: "ended", observedAt: t });
    await service.update("s", { lifecycle: "parsed", observedAt: t - 10 });
    expect(service.sessions.get("s")?.lifecycle).toBe("parsed");
  });
});

describe("absent and null", () => {
  const SAID = {
    stats: { totalMessages: 3, totalCostUsd: 0.5, durationMs: 1_000 },
    summary: "what it did",
    activity: "WORKING",
    runtimePhase: "running",
    processState: "alive",
    pendingRequest: "user_question",
    lastExit: { code: 1, timestamp: "2026-08-01T12:00:00Z", unexpected: true },
    errorMessage: "it broke",
    name: "fix the build",
    workflow: "bugfix",
    model: "large",
    provider: "CLAUDE",
  } as const;
  const CLEARED = {
    stats: null,
    summary: null,
    activity: "IDLE",
    runtimePhase: "idle",
    processState: "unknown",
    pendingRequest: null,
    lastExit: null,
    errorMessage: null,
    name: null,
    workflow: null,
    model: null,
    provider: null,
  } as const;
  const shownOf = (field: keyof typeof SAID): unknown =>
    field === "pendingRequest" ? { type: "user_question", toolName: null } : SAID[field];

  test.each(Object.keys(SAID) as (keyof typeof SAID)[])(
    "%s: absent and undefined leave it, null clears it",
    async (field) => {
      await using service = await withSessions();
      await service.begin("s", { [field]: SAID[field] });
      expect(service.sessions.get("s")?.[field]).toEqual(shownOf(field));
      await service.update("s", { lifecycle: "detected" });
      await service.update("s", { [field]: undefined });
      expect(service.sessions.get("s")?.[field]).toEqual(shownOf(field));
      expect(await service.update("s", { [field]: null })).toMatchObject({ changed: true });
      expect(service.sessions.get("s")?.[field]).toEqual(CLEARED[field]);
    },
  );

  test("each field is changed by itself", async () => {
    await using service = await withSessions();
    await service.begin("s", SAID);
    await service.update("s", { activity: "IDLE" });
    const shown = Object.fromEntries(
      Object.keys(SAID).map((key) => [key, shownOf(key as keyof typeof SAID)]),
    );
    expect(service.sessions.get("s")).toMatchObject({ ...shown, activity: "IDLE" });
  });

  test("an empty summary is a summary", async () => {
    await using service = await withSessions();
    await service.begin("s", { summary: "" });
    expect(service.sessions.get("s")?.summary).toBe("");
  });
});

describe("an update", () => {
  test("of an unknown session must say the workspace, later ones need not", async () => {
    await using service = await withSessions();
    expect(await reasonFrom(service.update("s", { activity: "WORKING" }))).toBe("workspace-required");
    await service.begin("s");
    await service.update("s", { activity: "WORKING" });
    expect(service.sessions.get("s")).toMatchObject({
      workspaceId: W,
      activity: "WORKING",
      projectId: "project",
    });
  });

  test("answers what it came to, and the version of its commit", async () => {
    await using service = await withSessions();
    const first = await service.begin("s", { activity: "WORKING" });
    expect(first).toMatchObject({
      accepted: true,
      changed: true,
      version: service.sessions.get("s")?.version,
    });
    const equal = await service.update("s", { activity: "WORKING" });
    expect(equal, "nothing was committed").toEqual({ ...first, changed: false });
    const next = await service.update("s", { activity: "IDLE" });
    expect(next.version).toBeGreaterThan(first.version);
  });

  test("that is older than what is known of a field is left, field by field", async () => {
    await using service = await withSessions();
    const t = Date.now();
    await service.begin("s", { activity: "WORKING", observedAt: t });
    const late = await service.update("s", { activity: "IDLE", summary: "late", observedAt: t - 10 });
    expect(late).toMatchObject({ accepted: true, changed: true });
    expect(service.sessions.get("s")).toMatchObject({ activity: "WORKING", summary: "late" });
  });

  test.each([
    ["an unknown key", { wrokspaceId: "w" }],
    ["an unknown step", { lifecycle: "finished" }],
    ["no step at all", { lifecycle: null }],
    ["an unknown activity", { activity: "BUSY" }],
    ["an unknown request", { pendingRequest: "lunch" }],
    ["a request with a key that nobody reads", { pendingRequest: { tool: "Bash" } }],
    ["statistics in another spelling", { stats: { total_messages: 1 } }],
    ["a negative cost", { stats: { totalCostUsd: -1 } }],
    ["a time that is none", { lastExit: { timestamp: "yesterday", unexpected: true } }],
    ["a summary beyond all measure", { summary: "x".repeat(16_385) }],
  ])("with %s is refused", async (_what, wrong) => {
    await using service = await withSessions();
    await service.begin("s");
    expect(await reasonFrom(service.update("s", wrong as never))).toBe("invalid-input");
  });

  test.each([
    [{ toolName: "ExitPlanMode" }, "plan_approval"],
    [{ input: { type: "ExitPlanMode" } }, "plan_approval"],
    [{ toolName: "AskUserQuestion" }, "user_question"],
    [{ input: { questions: [] } }, "user_question"],
    [{ toolName: "Bash", input: { command: "rm" } }, "permission_request"],
    [{ toolName: "Bash", type: "plan_approval" }, "plan_approval"],
  ] as const)("reads the type of a request from %j", async (pendingRequest, type) => {
    await using service = await withSessions();
    await service.begin("s", { pendingRequest });
    const toolName = "toolName" in pendingRequest ? pendingRequest.toolName : null;
    expect(service.sessions.get("s")?.pendingRequest, "and keeps nothing of the input").toEqual({
      type,
      toolName,
    });
  });

  test("shares nothing with what the caller holds, and what is handed out is frozen", async () => {
    await using service = await withSessions();
    const stats = { totalMessages: 1 };
    await service.begin("s", { stats });
    stats.totalMessages = 99;
    const session = service.sessions.get("s");
    expect(session?.stats).toEqual({ totalMessages: 1 });
    expect(Object.isFrozen(session) && Object.isFrozen(session?.stats)).toBe(true);
  });

  test("is refused when the service does not run", async () => {
    const service = await withSessions();
    await service.live.stop();
    expect(await reasonFrom(service.begin("s"))).toBe("unavailable");
  });
});

describe("a client key", () => {
  test("makes the second time harmless: the same answer, and nothing is done", async () => {
    await using service = await withSessions();
    const first = await service.begin("s", { activity: "WORKING", clientKey: "k" });
    await service.update("s", { activity: "IDLE" });
    expect(await service.begin("s", { activity: "WORKING", clientKey: "k" })).toEqual(first);
    expect(service.sessions.get("s")?.activity).toBe("IDLE");
  });

  test("works for calls that are under way together", async () => {
    await using service = await withSessions();
    const both = await Promise.all([
      service.begin("s", { summary: "one", clientKey: "k" }),
      service.begin("s", { summary: "two", clientKey: "k" }),
    ]);
    expect(service.sessions.get("s")?.summary).toBe("one");
    expect(both[1]).toEqual(both[0]);
  });

  test("belongs to one session", async () => {
    await using service = await withSessions();
    await service.begin("s", { clientKey: "k" });
    expect(await service.begin("t", { clientKey: "k" })).toMatchObject({ changed: true });
  });

  test("of an update that was refused may be used again", async () => {
    await using service = await withSessions();
    await service.begin("s", { lifecycle: "ended" });
    await reasonFrom(service.update("s", { lifecycle: "detected", clientKey: "k" }));
    expect(await service.update("s", { lifecycle: "parsed", clientKey: "k" })).toMatchObject({
      changed: true,
    });
  });

  test("is remembered with the session: the newest 64 of each", async () => {
    await using service = await withSessions();
    for (let n = 0; n < 66; n += 1) await service.begin("s", { summary: `${n}`, clientKey: `k${n}` });
    const stored = service.appended.filter(({ key }) => key === "s").at(-1)?.body as unknown as {
      state: { keys: [string, boolean, boolean][] };
    };
    expect(stored.state.keys.map(([key]) => key)).toEqual(Array.from({ length: 64 }, (_, n) => `k${n + 2}`));
  });
});
