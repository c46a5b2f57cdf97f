/** What coding agents tell their hooks, and what a card shows of it. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { HOOK_EVENTS, HookIntake, readHook, withoutWords } from "../src/agent-hooks/index.ts";
import { silentLogger } from "../src/log.ts";
import { authenticateTokens, createToken, sessionHooks } from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import { createSnapwire } from "../src/snapwire.ts";
import { temporaryFolder } from "./helpers/git-repository.ts";
import { serve } from "./helpers/served.ts";

async function board(folder = "/repo/w") {
  let now = 1_000_000;
  const live = createSnapwire({ now: () => now });
  await live.start();
  await live.workspaces.upsert("w", { projectId: "p", status: "READY" });
  const intake = new HookIntake({
    sessions: live.sessions,
    workspaceAt: (path) => (path === folder || path.startsWith(`${folder}/`) ? "w" : undefined),
    logger: silentLogger,
    now: () => now,
  });
  return {
    live,
    intake,
    /** Each hook a second after the one before. */
    hook: (input: Record<string, unknown>) => {
      now += 1_000;
      return intake.take({
        session_id: "s",
        cwd: folder,
        transcript_path: "/home/x/.claude/t.jsonl",
        ...input,
      });
    },
    entry: () => live.workspaces.getByWorkspaceId("w"),
    shows: (column: string, code: string) =>
      vi.waitFor(() =>
        expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({
          kanbanColumn: column,
          statusReason: { code },
        }),
      ),
    [Symbol.asyncDispose]: () => live.stop(),
  };
}

/** Of a real session each: what the agent hands to its hooks, shortened. */
const RECORDED = {
  claude: [
    { hook_event_name: "SessionStart", source: "startup", model: "some-model" },
    { hook_event_name: "UserPromptSubmit", prompt: "make it so", permission_mode: "default" },
    {
      hook_event_name: "PreToolUse",
      tool_name: "Bash",
      tool_input: { command: "npm test" },
      tool_use_id: "t1",
    },
    { hook_event_name: "PermissionRequest", tool_name: "Bash", tool_input: { command: "npm test" } },
    {
      hook_event_name: "Notification",
      message: "Claude needs your permission to use Bash",
      notification_type: "permission_prompt",
    },
    { hook_event_name: "PostToolUse", tool_name: "Bash", tool_input: {}, tool_response: { stdout: "ok" } },
    { hook_event_name: "Stop", stop_hook_active: false },
    { hook_event_name: "SessionEnd", reason: "prompt_input_exit" },
  ],
  codex: [
    { hook_event_name: "SessionStart", source: "startup" },
    { hook_event_name: "UserPromptSubmit", prompt: "make it so", turn_id: "1" },
    { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: "npm test" }, turn_id: "1" },
    {
      hook_event_name: "PermissionRequest",
      tool_name: "Bash",
      tool_input: { command: "npm test" },
      turn_id: "1",
    },
    { hook_event_name: "PostToolUse", tool_name: "Bash", tool_response: "ok", turn_id: "1" },
    { hook_event_name: "Stop", turn_id: "1", last_assistant_message: "done" },
  ],
  gemini: [
    { hook_event_name: "SessionStart", source: "startup", timestamp: "2026-11-01T00:00:00Z" },
    { hook_event_name: "BeforeAgent", prompt: "make it so" },
    { hook_event_name: "BeforeTool", tool_name: "run_shell_command", tool_input: { command: "npm test" } },
    {
      hook_event_name: "Notification",
      notification_type: "ToolPermission",
      message: "Tool run_shell_command requires approval",
      details: {},
    },
    { hook_event_name: "AfterTool", tool_name: "run_shell_command", tool_response: { llmContent: "ok" } },
    { hook_event_name: "AfterAgent", prompt: "make it so", prompt_response: "done" },
    { hook_event_name: "SessionEnd", reason: "exit" },
  ],
} as const;

describe("recorded hooks, replayed", () => {
  test.each(Object.keys(RECORDED) as (keyof typeof RECORDED)[])(
    "of %s take a card from working over a question to ready for the next prompt",
    async (agent) => {
      await using b = await board();
      expect(b.entry()?.statusReason.code).toBe("NO_SESSION_STARTED");
      const seen: string[] = [];
      for (const input of RECORDED[agent]) {
        expect(["taken", "ignored"]).toContain(await b.hook({ ...input, agent }));
        const { meaning } = readHook({ session_id: "s", ...input, agent }) ?? {};
        if (meaning === "works") await b.shows("WORKING", "AGENT_WORKING");
        if (meaning === "asks") await b.shows("WAITING", "NEEDS_PERMISSION");
        if (meaning === "rests" || meaning === "ends") await b.shows("WAITING", "READY_FOR_NEXT_PROMPT");
        const code = b.entry()?.statusReason.code ?? "";
        if (seen.at(-1) !== code) seen.push(code);
      }
      expect(seen.filter((code) => code !== "NO_SESSION_STARTED")).toEqual([
        ...(seen.includes("READY_FOR_NEXT_PROMPT") &&
        seen.indexOf("READY_FOR_NEXT_PROMPT") < seen.indexOf("AGENT_WORKING")
          ? ["READY_FOR_NEXT_PROMPT"]
          : []),
        "AGENT_WORKING",
        "NEEDS_PERMISSION",
        "AGENT_WORKING",
        "READY_FOR_NEXT_PROMPT",
      ]);
    },
  );

  test("in any order end as in order: the time of the hook counts, not that of its arrival", async () => {
    const inputs = RECORDED.claude.map((input, at) => ({
      session_id: "s",
      cwd: "/repo/w",
      agent: "claude",
      observed_at: 1_000_000 + at,
      ...input,
    }));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([...inputs], { minLength: inputs.length }), async (shuffled) => {
        await using b = await board();
        for (const input of shuffled) await b.intake.take(input);
        expect(b.live.sessions.get("s")).toMatchObject({
          lifecycle: "ended",
          activity: "IDLE",
          processState: "stopped",
          pendingRequest: null,
        });
      }),
      { numRuns: 20 },
    );
  });
});

describe("a question", () => {
  test("is a plan, an answer or a permission, by its tool; a notice does not take the better word away", async () => {
    await using b = await board();
    await b.hook({
      hook_event_name: "PreToolUse",
      tool_name: "ExitPlanMode",
      tool_input: { plan: "secret" },
    });
    await b.shows("WAITING", "NEEDS_PLAN_APPROVAL");
    expect(
      await b.hook({
        hook_event_name: "Notification",
        notification_type: "permission_prompt",
        message: "...",
      }),
    ).toBe("ignored");
    await b.shows("WAITING", "NEEDS_PLAN_APPROVAL");
    await b.hook({
      hook_event_name: "PreToolUse",
      tool_name: "AskUserQuestion",
      tool_input: { questions: [] },
    });
    await b.shows("WAITING", "NEEDS_ANSWER");
    await b.hook({ hook_event_name: "PostToolUse", tool_name: "AskUserQuestion" });
    await b.shows("WORKING", "AGENT_WORKING");
    expect(JSON.stringify(b.live.sessions.get("s"))).not.toContain("secret");
  });

  test("of an older agent is told by its notice alone", async () => {
    await using b = await board();
    await b.hook({ hook_event_name: "Notification", message: "Claude needs your permission to use Write" });
    await b.shows("WAITING", "NEEDS_PERMISSION");
    expect(b.live.sessions.get("s")?.pendingRequest).toEqual({
      type: "permission_request",
      toolName: "Write",
    });
    await b.hook({ hook_event_name: "UserPromptSubmit" });
    await b.shows("WORKING", "AGENT_WORKING");
    await b.hook({ hook_event_name: "Notification", message: "Claude is waiting for your input" });
    await b.shows("WAITING", "READY_FOR_NEXT_PROMPT");
  });

  test("of one sub-agent is not answered by what another does", async () => {
    await using b = await board();
    await b.hook({ hook_event_name: "UserPromptSubmit" });
    await b.hook({ hook_event_name: "SubagentStart", agent_id: "a", agent_type: "explore" });
    await b.hook({
      hook_event_name: "PermissionRequest",
      tool_name: "Bash",
      agent_id: "a",
      agent_type: "explore",
    });
    await b.hook({ hook_event_name: "PostToolUse", tool_name: "Read", agent_id: "b", agent_type: "explore" });
    await b.hook({ hook_event_name: "PostToolUse", tool_name: "Read" });
    await b.shows("WAITING", "NEEDS_PERMISSION");
    await b.hook({ hook_event_name: "PostToolUse", tool_name: "Bash", agent_id: "a" });
    await b.shows("WORKING", "AGENT_WORKING");
    await b.hook({ hook_event_name: "SessionEnd", reason: "other" });
    await b.shows("WAITING", "READY_FOR_NEXT_PROMPT");
    expect(b.live.sessions.ofWorkspace("w").filter(({ live }) => live)).toEqual([]);
  });
});

describe("a session", () => {
  test("that breaks off says why, until it works again; compaction in mid-work changes nothing", async () => {
    await using b = await board();
    await b.hook({ hook_event_name: "UserPromptSubmit" });
    await b.hook({ hook_event_name: "SessionStart", source: "compact" });
    await b.shows("WORKING", "AGENT_WORKING");
    await b.hook({ hook_event_name: "StopFailure", error: "rate_limit" });
    await b.shows("WAITING", "SESSION_ERROR");
    expect(b.live.sessions.get("s")?.errorMessage).toBe("rate_limit");
    await b.hook({ hook_event_name: "UserPromptSubmit" });
    await b.shows("WORKING", "AGENT_WORKING");
  });

  test("that is resumed after it was dealt with is live again, and ends again", async () => {
    await using b = await board();
    await b.hook({ hook_event_name: "SessionEnd" });
    await b.live.sessions.update({ sessionId: "s", lifecycle: "summarized" });
    await b.hook({ hook_event_name: "SessionStart", source: "resume" });
    await b.hook({ hook_event_name: "UserPromptSubmit" });
    await b.shows("WORKING", "AGENT_WORKING");
    expect(await b.hook({ hook_event_name: "SessionEnd" })).toBe("taken");
    expect(b.live.sessions.get("s")).toMatchObject({ lifecycle: "summarized", activity: "IDLE" });
  });

  test("belongs to the workspace that its folder is in, links followed, and stays there when it walks away", async () => {
    using room = temporaryFolder();
    mkdirSync(join(room.path, "w", "src"), { recursive: true });
    symlinkSync(join(room.path, "w"), join(room.path, "link"));
    await using b = await board(join(room.path, "w"));
    expect(await b.hook({ hook_event_name: "UserPromptSubmit", cwd: join(room.path, "link", "src") })).toBe(
      "taken",
    );
    expect(await b.hook({ hook_event_name: "Stop", cwd: "/" })).toBe("taken");
    expect(await b.hook({ hook_event_name: "Stop", cwd: "/", session_id: "else" })).toBe("unknown-workspace");
    expect(b.intake.counts).toMatchObject({ taken: 2, "unknown-workspace": 1 });
  });
});

test("whatever comes in, nothing is thrown and nobody fails", async () => {
  await using b = await board();
  const events = [...new Set(Object.values(HOOK_EVENTS).flatMap((table) => Object.keys(table)))];
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.anything(),
        fc.record(
          {
            session_id: fc.oneof(fc.string(), fc.anything()),
            hook_event_name: fc.oneof(fc.constantFrom(...events, "__proto__", "constructor"), fc.anything()),
            cwd: fc.oneof(fc.constant("/repo/w"), fc.anything()),
            agent: fc.anything(),
            tool_name: fc.anything(),
            tool_input: fc.anything(),
            message: fc.anything(),
            observed_at: fc.anything(),
            agent_id: fc.anything(),
          },
          { requiredKeys: [] },
        ),
      ),
      async (input) => {
        expect(["taken", "ignored", "unknown-workspace"]).toContain(await b.intake.take(input));
      },
    ),
    { numRuns: 300 },
  );
});

test("what is sent of a hook holds no prompt, no input and no output, and means the same", () => {
  for (const [agent, inputs] of Object.entries(RECORDED)) {
    for (const input of inputs) {
      const whole = {
        session_id: "s",
        agent,
        ...input,
        prompt: "WORDS",
        tool_input: { questions: ["WORDS"] },
        tool_response: "WORDS",
      };
      const sent = withoutWords(whole);
      expect(JSON.stringify(sent)).not.toContain("WORDS");
      expect(readHook(sent)).toEqual(readHook(whole));
    }
  }
  expect(withoutWords("nonsense")).toBeUndefined();
});

test("POST /hooks/session takes a hook from a publisher of the project only, and answers 202 to what means nothing", async () => {
  const publisher = createToken({ role: "publisher", projects: ["p"] });
  const stranger = createToken({ role: "publisher", projects: ["q"] });
  const live = createSnapwire();
  const intake = new HookIntake({
    sessions: live.sessions,
    workspaceAt: () => "w",
    logger: silentLogger,
    now: Date.now,
  });
  await live.start();
  await live.workspaces.upsert("w", { projectId: "p" });
  await using served = await serve({
    server: {
      authenticate: authenticateTokens(storeOf(() => [publisher.record, stranger.record])),
      plain: sessionHooks({ intake, projectOf: (id) => live.workspaces.projectOf(id) }),
    },
  });
  const post = (body: string, token?: string) =>
    fetch(`${served.url}/hooks/session`, {
      method: "POST",
      body,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
  const hook = JSON.stringify({
    session_id: "s",
    hook_event_name: "UserPromptSubmit",
    cwd: "/x",
    agent: "claude",
  });
  expect((await post(hook)).status).toBe(401);
  expect((await post(hook, stranger.token)).status).toBe(403);
  expect(live.sessions.size).toBe(0);
  const taken = await post(hook, publisher.token);
  expect([taken.status, await taken.json()]).toEqual([202, { outcome: "taken" }]);
  expect((await post("{}", publisher.token)).status).toBe(202);
  expect((await post("not json", publisher.token)).status).toBe(400);
  expect(live.sessions.get("s")?.activity).toBe("WORKING");
  await live.stop();
});

test("P5 who may write to one project neither takes a session of another, nor speaks for a workspace that nobody knows", async () => {
  const owner = createToken({ role: "publisher", projects: ["p"] });
  const stranger = createToken({ role: "publisher", projects: ["q"] });
  const live = createSnapwire();
  const intake = new HookIntake({
    sessions: live.sessions,
    workspaceAt: () => undefined,
    logger: silentLogger,
    now: Date.now,
  });
  await live.start();
  await live.workspaces.upsert("p/w", { projectId: "p" });
  await live.workspaces.upsert("q/w", { projectId: "q" });
  await using served = await serve({
    server: {
      authenticate: authenticateTokens(storeOf(() => [owner.record, stranger.record])),
      plain: sessionHooks({ intake, projectOf: (id) => live.workspaces.projectOf(id) }),
    },
  });
  const post = async (body: object, { token }: { token: string }) => {
    const hook = { session_id: "s", hook_event_name: "UserPromptSubmit", agent: "claude", ...body };
    const answer = await fetch(`${served.url}/hooks/session`, {
      method: "POST",
      body: JSON.stringify(hook),
      headers: { authorization: `Bearer ${token}` },
    });
    return answer.status;
  };
  expect(await post({ workspace_id: "p/w" }, owner)).toBe(202);
  expect(await post({ workspace_id: "q/w" }, stranger)).toBe(403);
  expect(live.sessions.get("s")).toMatchObject({ workspaceId: "p/w", activity: "WORKING" });
  expect(await post({ workspace_id: "p/not-yet", session_id: "early" }, stranger)).toBe(403);
  expect(live.sessions.get("early")).toBeUndefined();
  await live.stop();
  expect(await post({ workspace_id: "p/w" }, owner)).toBe(503);
});

test("a detail that is broken costs no more than itself: a time out of all bounds, a name too long, a folder that is no path", async () => {
  await using b = await board();
  expect(await b.hook({ hook_event_name: "SessionEnd", observed_at: 1e300 })).toBe("taken");
  expect(
    await b.hook({
      hook_event_name: "SubagentStart",
      agent_id: "a",
      agent_type: "x".repeat(2_000),
      model: "m".repeat(2_000),
    }),
  ).toBe("taken");
  const here = join(process.cwd(), "test");
  await using elsewhere = await board(here);
  expect(await elsewhere.hook({ hook_event_name: "UserPromptSubmit", cwd: "test" })).toBe(
    "unknown-workspace",
  );
  expect(await elsewhere.hook({ hook_event_name: "UserPromptSubmit", cwd: here })).toBe("taken");
});
