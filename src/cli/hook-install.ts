/** `snapwire hook install` and `uninstall`: one line in the settings of a coding agent, shown before it is written. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { HOOK_AGENTS, type HookAgent } from "../agent-hooks/index.ts";
import { askYes } from "./ask.ts";
import type { Command, Invocation } from "./command.ts";
import { CliFailure, EXIT, type ExitCode, usageFailure } from "./exit-codes.ts";
import { hookCommandLine } from "./hook-command-line.ts";
import { hookTarget } from "./hook-send.ts";
import {
  AGENT_SETTINGS,
  ForeignSettings,
  type HookScope,
  hasHooks,
  settingsFolder,
  withHooks,
  withoutHooks,
} from "./hook-settings.ts";
import { say } from "./io.ts";
import { JsonSyntaxError } from "./json-edit.ts";
import { lineDiff } from "./line-diff.ts";
import { madeFolders } from "./made-folders.ts";
import { safeText } from "./safe-text.ts";
import { backupOf, readSettings, removeSettings, writeSettings } from "./settings-file.ts";

const FLAGS = {
  agent: {
    type: "string",
    value: "<agent>",
    help: `one of ${HOOK_AGENTS.join(", ")} (default: those that are here)`,
  },
  user: { type: "boolean", help: "in your own settings, for all projects (the default)" },
  project: { type: "boolean", help: "in the settings of the project in this folder" },
  yes: { type: "boolean", short: "y", help: "do not ask, and do not show what changes" },
} as const;

export const hookInstallCommand: Command = {
  name: "hook install",
  summary: "Let a coding agent tell what it does",
  synopsis: "[--agent <agent>] [--user|--project] [--yes] [flags]",
  maxArguments: 0,
  settings: [],
  flags: {
    ...FLAGS,
    url: {
      type: "string",
      value: "<url>",
      help: "the server, on this machine (default http://127.0.0.1:4747)",
    },
  },
  notes: [
    "Shows what changes in the agent's settings, and asks. Everything else in them stays as it is; what was there",
    "before is kept beside them.",
  ],
  examples: ["snapwire hook install", "snapwire hook install --agent claude --project --yes"],
  defaults: () => ({}),
  run: install,
};

export const hookUninstallCommand: Command = {
  name: "hook uninstall",
  summary: "Take that back",
  synopsis: "[--agent <agent>] [--user|--project] [--yes] [flags]",
  maxArguments: 0,
  settings: [],
  flags: FLAGS,
  examples: ["snapwire hook uninstall"],
  defaults: () => ({}),
  run: uninstall,
};

interface Place {
  readonly agent: HookAgent;
  readonly path: string;
  /** Undefined: there is no such file. */
  readonly text: string | undefined;
}

async function install(invocation: Invocation): Promise<ExitCode> {
  const { io, args } = invocation;
  const url = args.text("url");
  if (url !== undefined && !hookTarget(url))
    throw usageFailure(`--url ${safeText(url)} must be one of this machine, like http://127.0.0.1:4747`);
  const { places, named } = placesOf(invocation);
  const present = places.filter(({ path }) => named || existsSync(path.replace(/[^\\/]+$/, "")));
  if (present.length === 0)
    throw new CliFailure(
      EXIT.failure,
      `No coding agent is known here. Name one: --agent ${HOOK_AGENTS.join("|")}`,
    );
  for (const place of present) {
    const { agent, path, text = "" } = place;
    const { line, isFleeting } = hookCommandLine(agent, url, { env: io.env });
    const next = edited(path, () => {
      const same = withHooks(text, agent, line);
      return same === text || !hasHooks(text) ? same : withHooks(beforeUs(place, text) ?? "", agent, line);
    });
    if (next === text) {
      say(io.stdout, `${AGENT_SETTINGS[agent].label}: ${safeText(path)} has it already.`);
      continue;
    }
    if (isFleeting)
      say(io.stdout, "It was fetched by npx, which may delete it. To keep it: npm install --global snapwire");
    if (!(await agreed(invocation, place, next))) return EXIT.failure;
    const backup = backupOf(path);
    const isThere = edited(path, () => hasHooks(text));
    // What was there before any line of ours is what is worth keeping: an older copy, or nothing where there was no file.
    const keepsOlder = isThere && (existsSync(backup) || beforeUs(place, text) === undefined);
    written(path, () => {
      if (!isThere) madeFolders(io.env).make(dirname(path));
      if (place.text !== undefined && !keepsOlder) writeSettings(backup, text);
      writeSettings(path, next);
    });
    say(io.stdout, `Written. ${AGENT_SETTINGS[agent].afterwards ?? ""}`.trim());
  }
  return EXIT.ok;
}

async function uninstall(invocation: Invocation): Promise<ExitCode> {
  const { io } = invocation;
  for (const place of placesOf(invocation).places) {
    const { agent, path, text } = place;
    if (text === undefined || !edited(path, () => hasHooks(text))) {
      say(io.stdout, `${AGENT_SETTINGS[agent].label}: there is nothing of ours in ${safeText(path)}.`);
      continue;
    }
    const before = edited(path, () => beforeUs(place, text));
    if (!(await agreed(invocation, place, before ?? ""))) return EXIT.failure;
    written(path, () => {
      if (before === undefined) removeSettings(path);
      else writeSettings(path, before);
      removeSettings(backupOf(path));
      madeFolders(io.env).takeBack(dirname(path));
    });
    say(io.stdout, before === undefined ? "Removed: nothing else was in it." : "Written.");
  }
  return EXIT.ok;
}

/** The very text from before, where nobody changed anything since; else what is left without us. Undefined: no file. */
function beforeUs({ agent, path }: Place, text: string): string | undefined {
  const left = withoutHooks(text);
  const line = ownLine(text);
  const backup = readSettings(backupOf(path));
  if (line === undefined) return left;
  // Without a copy there was no file.
  const candidate = backup ?? "";
  if (hasHooks(candidate) || withHooks(candidate, agent, line) !== text) return left;
  return backup;
}

/** The command line that was written last time. */
function ownLine(text: string): string | undefined {
  const found = /"command"\s*:\s*("(?:[^"\\]|\\.)*\bsnapwire(?:[^"\\]|\\.)* --agent (?:[^"\\]|\\.)*")/.exec(
    text,
  )?.[1];
  return found === undefined ? undefined : String(JSON.parse(found));
}

function placesOf({ io, args }: Invocation): { readonly places: readonly Place[]; readonly named: boolean } {
  if (args.has("user") && args.has("project"))
    throw usageFailure("--user and --project: leave one of them out.");
  const scope: HookScope = args.has("project") ? "project" : "user";
  const said = args.text("agent");
  const named = HOOK_AGENTS.find((agent) => agent === said);
  if (said !== undefined && named === undefined)
    throw usageFailure(`--agent must be one of ${HOOK_AGENTS.join(", ")}, not ${safeText(said)}`);
  const places = (named === undefined ? HOOK_AGENTS : [named]).map((agent): Place => {
    const folder = settingsFolder(agent, scope, io);
    if (folder === undefined)
      throw new CliFailure(
        EXIT.failure,
        "There is no home folder (HOME). Use --project, in the project's folder.",
      );
    const path = `${folder}/${AGENT_SETTINGS[agent].file}`;
    return { agent, path, text: edited(path, () => readSettings(path)) };
  });
  return { places, named: named !== undefined };
}

/** Whatever stands in the way is the person's to mend: nothing has been changed. */
function edited<T>(path: string, edit: () => T): T {
  try {
    return edit();
  } catch (error) {
    const what =
      error instanceof JsonSyntaxError
        ? `is not JSON (${error.message})`
        : error instanceof ForeignSettings
          ? `has another shape than we know: ${error.message}`
          : `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new CliFailure(
      EXIT.failure,
      `${safeText(path)} ${safeText(what)}. Nothing was changed. Mend it, and run this again.`,
      { cause: error },
    );
  }
}

function written(path: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliFailure(EXIT.failure, `${safeText(path)} cannot be written: ${safeText(why)}`, {
      cause: error,
    });
  }
}

async function agreed({ io, args }: Invocation, { path, text = "" }: Place, next: string): Promise<boolean> {
  const lines = lineDiff(text, next);
  if (args.has("yes")) {
    const count = (mark: string): number => lines.filter((line) => line.startsWith(mark)).length;
    say(io.stdout, `${safeText(path)}: ${count("+")} lines added, ${count("-")} removed.`);
    return true;
  }
  say(io.stdout, safeText(path));
  for (const line of lines) say(io.stdout, `  ${safeText(line)}`);
  if (!io.isTTY || !io.stdin?.isTTY)
    throw usageFailure("There is nobody to ask here. If it shall be done: --yes");
  if (await askYes(io, "Write this?")) return true;
  say(io.stdout, "Nothing was changed.");
  return false;
}
