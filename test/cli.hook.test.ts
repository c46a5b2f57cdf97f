/** `snapwire hook` as coding agents run it: a process of its own, whatever becomes of the server. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { HOOK_AGENTS, HOOK_EVENTS, withoutWords } from "../src/agent-hooks/index.ts";
import { hookTarget } from "../src/cli/hook-send.ts";
import { hookWords } from "../src/cli/hook-words.ts";
import { bundleInto, cleanEnvironment } from "./helpers/cli-process.ts";
import { serveRepository } from "./helpers/cli-serve.ts";
import { type TemporaryFolder, temporaryFolder } from "./helpers/git-repository.ts";

let folder: TemporaryFolder;
let file = "";
beforeAll(() => {
  folder = temporaryFolder();
  file = bundleInto(folder.path);
});
afterAll(() => folder[Symbol.dispose]());

interface HookEnd {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** @param input - `undefined`: nothing is said, and the pipe stays open. */
async function hook(
  args: readonly string[],
  input: string | Buffer | undefined,
  env: NodeJS.ProcessEnv = {},
): Promise<HookEnd> {
  const child = spawn(process.execPath, [file, "hook", ...args], {
    cwd: folder.path,
    env: { ...cleanEnvironment(folder.path), ...env },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  child.stdin.on("error", () => undefined); // it may not want to hear all of it
  if (input !== undefined) child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

const QUIET: HookEnd = { code: 0, out: "", err: "" };
const START = { session_id: "s", hook_event_name: "SessionStart", source: "startup" };
const start = (cwd = "/somewhere"): string => JSON.stringify({ ...START, cwd });

const SECRET_WORDS = "words that stay here";

/** What two agents hand over in one session, shortened. */
const RECORDED = {
  claude: [
    { hook_event_name: "SessionStart", source: "startup", transcript_path: "/home/x/.claude/t.jsonl" },
    { hook_event_name: "UserPromptSubmit", prompt: SECRET_WORDS },
    { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: SECRET_WORDS } },
    { hook_event_name: "PermissionRequest", tool_name: "Bash", tool_input: { command: SECRET_WORDS } },
    { hook_event_name: "PostToolUse", tool_name: "Bash", tool_input: {}, tool_response: SECRET_WORDS },
    { hook_event_name: "Stop", stop_hook_active: false, last_assistant_message: SECRET_WORDS },
  ],
  codex: [
    { hook_event_name: "SessionStart", source: "startup", transcript_path: null, model: "gpt" },
    { hook_event_name: "UserPromptSubmit", prompt: SECRET_WORDS, turn_id: "t" },
    { hook_event_name: "PreToolUse", tool_name: "Bash", tool_input: { command: SECRET_WORDS }, turn_id: "t" },
    { hook_event_name: "PermissionRequest", tool_name: "Bash", tool_input: { command: SECRET_WORDS } },
    { hook_event_name: "PostToolUse", tool_name: "Bash", tool_response: SECRET_WORDS },
    { hook_event_name: "Stop", last_assistant_message: SECRET_WORDS },
  ],
};

/** What a card shows after each of them. */
const SHOWN = [
  "READY_FOR_NEXT_PROMPT",
  "AGENT_WORKING",
  "AGENT_WORKING",
  "NEEDS_PERMISSION",
  "AGENT_WORKING",
  "READY_FOR_NEXT_PROMPT",
];

describe("a recorded session", () => {
  test.each(["claude", "codex"] as const)("of %s goes over the board as the tables say", async (agent) => {
    await using served = await serveRepository();
    const { path } = served.repository;
    for (const [index, said] of RECORDED[agent].entries()) {
      const input = JSON.stringify({ session_id: "s-1", cwd: path, ...said });
      expect(await hook(["--agent", agent, "--url", served.url], input)).toEqual(QUIET);
      await served.shows("app/main-worktree", { statusReason: { code: SHOWN[index] } });
    }
    const { sessions } = await served.remote.sessions.list.query({ workspaceId: "app/main-worktree" });
    expect(sessions).toMatchObject([{ sessionId: "s-1", provider: agent.toUpperCase() }]);
    expect(JSON.stringify(sessions)).not.toContain(SECRET_WORDS);
  });

  test("of a server with tokens counts with the token of the environment or of a file that is ours alone", async () => {
    await using served = await serveRepository([], { env: { SNAPWIRE_TOKEN: "swt_own" }, token: "swt_own" });
    const args = ["--agent", "claude", "--url", served.url];
    const send = (session: string, env: NodeJS.ProcessEnv) =>
      hook(args, JSON.stringify({ ...START, session_id: session, cwd: served.repository.path }), env);
    const config = join(folder.path, ".config", "snapwire");
    mkdirSync(config, { recursive: true });
    writeFileSync(join(config, "token"), "swt_own\n");
    chmodSync(join(config, "token"), 0o644);
    expect(await send("nobody", {})).toEqual(QUIET);
    expect(await send("wrong", { SNAPWIRE_TOKEN: "swt_other" })).toEqual(QUIET);
    chmodSync(join(config, "token"), 0o600);
    expect(await send("by-file", {})).toEqual(QUIET);
    expect(await send("by-environment", { SNAPWIRE_TOKEN: "swt_own", HOME: "/nowhere" })).toEqual(QUIET);
    await vi.waitFor(async () => {
      const { sessions } = await served.remote.sessions.list.query({ workspaceId: "app/main-worktree" });
      expect(sessions.map(({ sessionId }) => sessionId).sort()).toEqual(["by-environment", "by-file"]);
    });
  });
});

describe("what is sent", () => {
  test("holds the time of the hook's beginning, the agent, the workspace where one is named, and no words", async () => {
    const bodies: Record<string, unknown>[] = [];
    const server = createHttpServer((request: IncomingMessage, response) => {
      let body = "";
      request.on("data", (chunk) => (body += String(chunk)));
      request.on("end", () => {
        bodies.push({ ...JSON.parse(body), path: request.url, method: request.method });
        response.writeHead(202).end();
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const before = Date.now() - 1;
    const said = { ...RECORDED.claude[3], session_id: "s", extra: SECRET_WORDS };
    await hook(["--agent=claude"], JSON.stringify(said), { SNAPWIRE_URL: url, SNAPWIRE_WORKSPACE: "app/x" });
    await hook(
      ["--agent", "claude", "--url", url],
      JSON.stringify({ ...START, hook_event_name: "PreCompact" }),
    );
    await vi.waitFor(() => expect(bodies).toHaveLength(1));
    const [body] = bodies;
    expect(body).toEqual({
      path: "/hooks/session",
      method: "POST",
      session_id: "s",
      agent: "claude",
      hook_event_name: "PermissionRequest",
      request_type: "permission_request",
      tool_name: "Bash",
      cwd: folder.path,
      workspace_id: "app/x",
      observed_at: expect.any(Number),
    });
    expect(body?.observed_at).toBeGreaterThanOrEqual(before);
    expect(body?.observed_at).toBeLessThanOrEqual(Date.now());
    server.close();
  });

  test("means the same as what the server would have kept, for any input", () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom(
        ...[
          "",
          "Claude needs your permission to use Bash",
          "Claude is waiting for your input",
          "ExitPlanMode",
        ],
        ...[
          "AskUserQuestion",
          "request_user_input",
          "permission_prompt",
          "idle_prompt",
          "elicitation_dialog",
        ],
        ...[
          "ToolPermission",
          "compact",
          "plan_approval",
          "user_question",
          "/home/x/.codex/t",
          "/x/.gemini/t",
        ],
        "x".repeat(201),
        "x".repeat(5_000),
      ),
    );
    const anything = fc.oneof(text, fc.jsonValue({ maxDepth: 2 }));
    const names = HOOK_AGENTS.flatMap((agent) => Object.keys(HOOK_EVENTS[agent]));
    const optional = ["cwd", "workspace_id", "transcript_path", "source", "tool_name", "request_type"];
    const more = ["notification_type", "message", "error", "agent_id", "agent_type", "model", "prompt"];
    const input = fc.record(
      {
        session_id: fc.oneof({ weight: 9, arbitrary: fc.constant("s") }, anything),
        hook_event_name: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, anything),
        agent: fc.oneof(fc.constantFrom(...HOOK_AGENTS), anything),
        observed_at: fc.oneof(fc.nat(), fc.double(), anything),
        tool_input: fc.oneof(fc.constantFrom({ questions: [] }, { type: "ExitPlanMode" }), anything),
        ...Object.fromEntries([...optional, ...more].map((name) => [name, anything])),
      },
      { requiredKeys: ["session_id", "hook_event_name"], noNullPrototype: true },
    );
    const plain = (value: unknown): unknown =>
      value === undefined ? undefined : JSON.parse(JSON.stringify(value));
    fc.assert(
      fc.property(fc.oneof({ weight: 20, arbitrary: input }, fc.jsonValue()), (one) => {
        expect(plain(hookWords(one))).toEqual(plain(withoutWords(one)));
      }),
      { numRuns: 3_000 },
    );
  });
});

/** Accepts, and then does as it is told. */
async function listening(onSocket: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    sockets,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("ends well and says nothing", () => {
  test("when nobody is there", async () => {
    await using gone = await listening(() => undefined);
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    expect(await hook(["--agent", "claude", "--url", url], start())).toEqual(QUIET);
  });

  test("when the server takes the words and never answers", async () => {
    let heard = "";
    await using hanging = await listening((socket) => socket.on("data", (chunk) => (heard += String(chunk))));
    expect(await hook(["--agent", "claude", "--url", hanging.url], start())).toEqual(QUIET);
    await vi.waitFor(() => expect(heard).toContain('"hook_event_name":"SessionStart"'));
  });

  test("when the server reads nothing", async () => {
    await using deaf = await listening((socket) => socket.pause());
    expect(await hook(["--agent", "claude", "--url", deaf.url], start())).toEqual(QUIET);
  });

  test("when the server hangs up at once, or says no, or something else than HTTP", async () => {
    for (const answer of [
      (socket: Socket) => socket.resetAndDestroy(),
      (socket: Socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"),
      (socket: Socket) => socket.end("\x00\xff what?"),
    ]) {
      await using rude = await listening(answer);
      expect(await hook(["--agent", "claude", "--url", rude.url], start())).toEqual(QUIET);
    }
  });

  test.each([
    ["nothing", ""],
    ["no JSON", "{"],
    ["a list", "[]"],
    ["no session", JSON.stringify({ hook_event_name: "Stop" })],
    ["bytes that are no text", Buffer.from([0xff, 0xfe, 0x00])],
    ["far too much", Buffer.alloc(9 * 1024 * 1024, 0x20)],
  ])("when an agent hands it %s", async (_what, input) => {
    await using server = await listening(() => undefined);
    expect(await hook(["--agent", "claude", "--url", server.url], input)).toEqual(QUIET);
    expect(server.sockets).toHaveLength(0);
  });

  test("when an agent hands it nothing and stays", async () => {
    expect(await hook(["--agent", "claude"], undefined)).toEqual(QUIET);
  });

  test.each([
    [["--agent", "cursor"], "--agent must be one of claude, codex, gemini"],
    [["--agent"], "--agent must be one of"],
    [["--agent", "claude", "--url", "https://a.example"], "--url must be one of this machine"],
    [["--agent", "claude", "--url", "http://a.example"], "--url must be one of this machine"],
  ])("but a word on stderr when whoever wrote the line was wrong: %j", async (args, message) => {
    const { code, out, err } = await hook(args, start());
    expect([code, out]).toEqual([0, ""]);
    expect(err).toContain(message);
  });
});

test("a token is carried to this machine only", () => {
  expect(hookTarget("http://localhost:4747/trpc")).toEqual({
    host: "127.0.0.1",
    port: 4747,
    authority: "localhost:4747",
    path: "/hooks/session",
  });
  expect(hookTarget("http://[::1]:1/")).toMatchObject({ host: "::1", path: "/hooks/session" });
  for (const url of [
    "http://127.0.0.1.evil.example",
    "http://localhost@evil.example",
    "ws://localhost",
    "localhost",
  ])
    expect(hookTarget(url)).toBeUndefined();
});

test("the file that agents wait for needs Node's own modules only", async () => {
  const { readFileSync } = await import("node:fs");
  const text = readFileSync(join(folder.path, "snapwire-hook.mjs"), "utf8");
  const imported = [...text.matchAll(/^import .* from "(.*)";$/gm)].map(([, name]) => name);
  expect(imported.length).toBeGreaterThan(0);
  for (const name of imported) expect(name).toMatch(/^node:(net|fs|path)$/);
  expect(text.length).toBeLessThan(32 * 1024);
});
