/** One line in the settings of somebody else's program: shown, written, found again, and taken back to the last byte. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HOOK_AGENTS, HOOK_EVENTS } from "../src/agent-hooks/index.ts";
import { runCli } from "../src/cli/cli.ts";
import { hasHooks, withHooks, withoutHooks } from "../src/cli/hook-settings.ts";
import type { CliIo } from "../src/cli/io.ts";
import { appended, plainValue, readJson } from "../src/cli/json-edit.ts";
import { lineDiff } from "../src/cli/line-diff.ts";
import { run } from "./helpers/cli-run.ts";
import { temporaryFolder } from "./helpers/git-repository.ts";

const LINE = "snapwire hook --agent claude || true";

let folder: ReturnType<typeof temporaryFolder>;
let state: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  state = temporaryFolder();
});
afterEach(() => {
  folder[Symbol.dispose]();
  state[Symbol.dispose]();
});

const at = (...parts: string[]): string => join(folder.path, ...parts);
const read = (...parts: string[]): string => readFileSync(at(...parts), "utf8");
function put(text: string, ...parts: string[]): string {
  mkdirSync(at(...parts.slice(0, -1)), { recursive: true });
  writeFileSync(at(...parts), text);
  return text;
}
const cli = (...argv: string[]) =>
  run(["hook", ...argv], {
    env: { HOME: folder.path, XDG_STATE_HOME: state.path, PATH: "/nowhere" },
    cwd: folder.path,
  });

/** As people have them: own hooks, comments, odd indents, numbers that JavaScript would write otherwise. */
const SETTINGS = [
  "{}",
  "{}\n",
  '{ "model": "opus" }',
  '{\n\t"model": "opus",\n\t"cleanupPeriodDays": 1.0,\n\t"id": 12345678901234567890\n}\n',
  '{\r\n    "permissions": { "allow": ["Bash(npm test)"], "deny": [ ] }\r\n}\r\n',
  '{\n  "hooks": {}\n}\n',
  '{\n  "hooks": { "Stop": [ { "hooks": [ { "type": "command", "command": "say done" } ] } ] }\n}\n',
  '{\n  "hooks": {\n    "Stop": [],\n    "PreToolUse": [{ "matcher": "Bash", "hooks": [] }]\n  },\n  "z": 1\n}',
  '{\n  // of mine\n  "a": 1, /* b */\n  "hooks": { "SessionEnd": [], }, // last\n}\n',
];

describe("the line", () => {
  test.each(SETTINGS)("goes into %j for each event, and leaves everything else", (text) => {
    const next = withHooks(text, "claude", LINE);
    const { hooks } = plainValue(readJson(next)) as { hooks: Record<string, { hooks: unknown[] }[]> };
    for (const event of Object.keys(HOOK_EVENTS.claude))
      expect(hooks[event]?.at(-1)).toEqual({ hooks: [{ type: "command", command: LINE, timeout: 5 }] });
    expect(withHooks(next, "claude", LINE)).toBe(next);
  });

  test.each(SETTINGS)("comes out of %j again", (text) => {
    const left = withoutHooks(withHooks(text, "claude", LINE));
    expect(hasHooks(left)).toBe(false);
    const plain = (one: string): object => {
      const { hooks = {}, ...rest } = plainValue(readJson(one)) as { hooks?: Record<string, unknown[]> };
      const kept = Object.entries(hooks).filter(([, groups]) => groups.length > 0);
      return { ...rest, hooks: Object.fromEntries(kept) };
    };
    expect(plain(left)).toEqual(plain(text));
  });

  test("of an older install gives way to the new one, and one beside others goes alone", () => {
    const mixed = JSON.stringify({
      hooks: {
        Stop: [
          {
            matcher: "",
            hooks: [
              { type: "command", command: "mine" },
              { type: "command", command: `npx ${LINE}` },
            ],
          },
        ],
      },
    });
    const next = withHooks(mixed, "claude", `${LINE} # 2`);
    expect(next.match(/npx snapwire/g)).toBeNull();
    expect(plainValue(readJson(withoutHooks(next)))).toEqual({
      hooks: { Stop: [{ matcher: "", hooks: [{ type: "command", command: "mine" }] }] },
    });
  });

  test("goes into and comes out of any settings, to the last byte where no empty list was there", () => {
    const setting = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true });
    const other = fc.record({ type: fc.constant("command"), command: fc.string() });
    const groups = fc.array(fc.record({ hooks: fc.array(other, { minLength: 1 }) }), {
      minLength: 1,
      maxLength: 2,
    });
    const event = fc.constantFrom("Stop", "SessionStart", "Other");
    const hooks = fc.dictionary(event, groups, { minKeys: 1, noNullPrototype: true });
    fc.assert(
      fc.property(setting, fc.option(hooks), fc.constantFrom(0, 2, "\t"), (rest, own, indent) => {
        const { hooks: _, ...others } = rest as Record<string, unknown>;
        const text = JSON.stringify({ ...others, ...(own && { hooks: own }) }, null, indent);
        if (hasHooks(text)) return;
        const next = withHooks(text, "claude", LINE);
        expect(Object.keys(JSON.parse(next))).toEqual(
          expect.arrayContaining(Object.keys(JSON.parse(text) as object)),
        );
        expect(withoutHooks(next)).toBe(text);
      }),
    );
  });
});

describe("install", () => {
  test.each(HOOK_AGENTS)("and uninstall of %s leave no trace where there was nothing", async (agent) => {
    const { code, out } = await cli("install", "--agent", agent, "--yes");
    expect(code).toBe(0);
    const path = agent === "codex" ? [".codex", "hooks.json"] : [`.${agent}`, "settings.json"];
    const { hooks } = JSON.parse(read(...path));
    expect(Object.keys(hooks)).toEqual(Object.keys(HOOK_EVENTS[agent]));
    expect(hooks.SessionStart[0].hooks[0].command).toContain(`--agent ${agent}`);
    expect(out).toMatch(/^[^\n]*\.json: \d+ lines added, 0 removed\.\nWritten\. [^\n]*\n$/);
    expect((await cli("uninstall", "--agent", agent, "--yes")).code).toBe(0);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("and uninstall leave a folder that was there, or into which somebody else put something", async () => {
    mkdirSync(at(".claude"));
    await cli("install", "--agent", "claude", "--yes");
    await cli("uninstall", "--agent", "claude", "--yes");
    expect(readdirSync(at(".claude"))).toEqual([]);
    await cli("install", "--agent", "gemini", "--yes");
    put("mine", ".gemini", "notes");
    await cli("uninstall", "--agent", "gemini", "--yes");
    expect(readdirSync(at(".gemini"))).toEqual(["notes"]);
  });

  test("and uninstall leave a folder that we made once, and somebody else removed and made again", async () => {
    await cli("install", "--agent", "claude", "--yes");
    rmSync(at(".claude"), { recursive: true });
    mkdirSync(at(".claude"));
    await cli("install", "--agent", "claude", "--yes");
    await cli("uninstall", "--agent", "claude", "--yes");
    expect(readdirSync(at(".claude"))).toEqual([]);
  });

  test("again, with another url, and uninstall leave no trace where there was nothing", async () => {
    await cli("install", "--agent", "claude", "--yes");
    await cli("install", "--agent", "claude", "--url", "http://127.0.0.1:5000", "--yes");
    expect(read(".claude", "settings.json")).toContain(":5000");
    await cli("uninstall", "--agent", "claude", "--yes");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test.each(SETTINGS)("and uninstall give %j back to the last byte, with its mode", async (text) => {
    put(text, ".claude", "settings.json");
    const { mode } = statSync(at(".claude", "settings.json"));
    await cli("install", "--agent", "claude", "--yes");
    expect(read(".claude", "settings.json")).not.toBe(text);
    expect(read(".claude", "settings.json.before-snapwire")).toBe(text);
    const second = await cli("install", "--agent", "claude", "--yes");
    expect(second.out).toContain("has it already");
    // Another url is another line; what was there before us is still what comes back.
    await cli("install", "--agent", "claude", "--yes", "--url", "http://localhost:5000");
    expect(read(".claude", "settings.json")).toContain("--url http://localhost:5000");
    expect((await cli("uninstall", "--agent", "claude", "--yes")).code).toBe(0);
    expect(read(".claude", "settings.json")).toBe(text);
    expect(statSync(at(".claude", "settings.json")).mode).toBe(mode);
    expect(existsSync(at(".claude", "settings.json.before-snapwire"))).toBe(false);
  });

  test("keeps what somebody changed in between, and a link stays a link", async () => {
    put('{\n  "a": 1\n}\n', "dotfiles", "claude.json");
    mkdirSync(at(".claude"));
    symlinkSync(at("dotfiles", "claude.json"), at(".claude", "settings.json"));
    await cli("install", "--agent", "claude", "--yes");
    put(read("dotfiles", "claude.json").replace('"a": 1', '"a": 2'), "dotfiles", "claude.json");
    await cli("uninstall", "--agent", "claude", "--yes");
    expect(read("dotfiles", "claude.json")).toBe('{\n  "a": 2\n}\n');
  });

  test("without a name takes the agents that are here; --project the folder's own settings", async () => {
    mkdirSync(at(".gemini"));
    expect((await cli("install", "--yes")).code).toBe(0);
    expect([existsSync(at(".claude")), existsSync(at(".codex"))]).toEqual([false, false]);
    expect(existsSync(at(".gemini", "settings.json"))).toBe(true);
    mkdirSync(at("project"));
    const world = { env: { HOME: at("home") }, cwd: at("project") };
    const { code } = await run(["hook", "install", "--project", "--agent", "claude", "--yes"], world);
    expect([code, existsSync(at("project", ".claude", "settings.json"))]).toEqual([0, true]);
  });

  test.each([
    ['{ "hooks": ', "is not JSON (line 1, column 12)"],
    ["[]", "has another shape than we know: it is no object"],
    ['{ "hooks": [] }', '"hooks" is no object'],
    ['{ "hooks": { "Stop": {} } }', '"hooks"."Stop" is no list'],
    ['{ "a": 1 } x', "is not JSON (line 1, column 12)"],
    ['{ "a": 01 }', "is not JSON"],
  ])("never touches %j: it says what to do", async (text, message) => {
    put(text, ".claude", "settings.json");
    const { code, err } = await cli("install", "--agent", "claude", "--yes");
    expect(err).toContain(message);
    expect(err).toContain("Nothing was changed. Mend it, and run this again.");
    expect(code).toBe(1);
    expect(read(".claude", "settings.json")).toBe(text);
    expect(existsSync(at(".claude", "settings.json.before-snapwire"))).toBe(false);
  });

  test("never touches bytes that are no text", async () => {
    mkdirSync(at(".claude"));
    writeFileSync(at(".claude", "settings.json"), Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
    const { code, err } = await cli("install", "--agent", "claude", "--yes");
    expect([code, err]).toEqual([1, expect.stringContaining("cannot be read")]);
    expect(readFileSync(at(".claude", "settings.json"))).toEqual(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
  });

  test.each([
    [["install", "--agent", "cursor"], 2, "--agent must be one of claude, codex, gemini, not cursor"],
    [["install", "--user", "--project"], 2, "leave one of them out"],
    [["install", "--agent", "claude", "--url", "https://a.example"], 2, "must be one of this machine"],
    [["install", "--agent", "claude"], 2, "There is nobody to ask here. If it shall be done: --yes"],
    [["install", "--yes"], 1, "No coding agent is known here. Name one"],
  ])("%j ends with %j: %s", async (argv, code, message) => {
    const ran = await cli(...argv);
    expect(ran.err).toContain(message);
    expect(ran.code).toBe(code);
    expect(existsSync(at(".claude"))).toBe(false);
  });

  test.each([
    ["y\n", 0, true],
    ["\n", 1, false],
    ["no\n", 1, false],
  ])("asks, and %j is an answer", async (answer, code, there) => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const stdout = new PassThrough();
    const io = { stdin, stdout, stderr: new PassThrough(), env: { HOME: folder.path }, cwd: folder.path };
    const world = { ...io, isTTY: true, isStderrTTY: true, signal: new AbortController().signal };
    const done = runCli(["hook", "install", "--agent", "claude"], world as unknown as CliIo);
    stdin.write(answer);
    expect(await done).toBe(code);
    expect(existsSync(at(".claude", "settings.json"))).toBe(there);
    const shown = String(stdout.read());
    expect(shown).toContain("Write this? [y/N]");
    expect(shown).toContain(`+     "SessionStart": [`);
  });
});

test("an item is added to any text of JSON, and nothing else changes", () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue()),
      fc.jsonValue(),
      fc.constantFrom(0, 1, 2, "\t"),
      (items, item, indent) => {
        const text = JSON.stringify(items, null, indent);
        const next = appended(text, readJson(text), item);
        expect(JSON.parse(next)).toEqual(JSON.parse(JSON.stringify([...items, item])));
      },
    ),
  );
});

test("a difference says each line that comes and goes, once", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = lineDiff(before.join("\n"), after.join("\n"));
      const count = (mark: string) => lines.filter((line) => line.startsWith(`${mark} `)).length;
      const size = (one: string[]) =>
        one.join("\n") === "" ? 0 : one.join("\n").replace(/\n$/, "").split("\n").length;
      expect(count("+") - count("-")).toBe(size(after) - size(before));
    }),
  );
});
