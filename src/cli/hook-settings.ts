/** Our line in the settings of a coding agent: where they are, how it is written there, and how it is found again. */
import { join } from "node:path";
import { HOOK_EVENTS, type HookAgent } from "../agent-hooks/index.ts";
import { appended, type JsonNode, memberOf, plainValue, readJson, removedAt } from "./json-edit.ts";

export type HookScope = "user" | "project";

interface AgentSettings {
  readonly label: string;
  /** The folder of a person's settings, and the variable that names another. */
  readonly folder: string;
  readonly variable?: string;
  readonly file: string;
  /** How long the agent waits at most, in its own unit: ours is over long before. */
  readonly timeout: number;
  readonly afterwards?: string;
}

/** @see the settings references of Claude Code, Codex CLI and Gemini CLI, as of November 2026. */
export const AGENT_SETTINGS: Readonly<Record<HookAgent, AgentSettings>> = {
  claude: {
    label: "Claude Code",
    folder: ".claude",
    variable: "CLAUDE_CONFIG_DIR",
    file: "settings.json",
    timeout: 5, // seconds
    afterwards: "It takes effect in new sessions.",
  },
  codex: {
    label: "Codex",
    folder: ".codex",
    variable: "CODEX_HOME",
    file: "hooks.json",
    timeout: 3, // seconds; the most that it allows at the end of a session
    afterwards: "Codex runs it once you have trusted it: /hooks in a session.",
  },
  gemini: {
    label: "Gemini CLI",
    folder: ".gemini",
    file: "settings.json",
    timeout: 5_000, // milliseconds
    afterwards: "It takes effect in new sessions.",
  },
};

/** Undefined: there is no home folder. */
export function settingsFolder(
  agent: HookAgent,
  scope: HookScope,
  { env, cwd }: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): string | undefined {
  const { folder, variable } = AGENT_SETTINGS[agent];
  if (scope === "project") return join(cwd, folder);
  const other = variable === undefined ? undefined : env[variable];
  return other || (env.HOME ? join(env.HOME, folder) : undefined);
}

/** The settings are JSON of another shape than the agent's. */
export class ForeignSettings extends Error {
  override readonly name = "ForeignSettings";
}

/**
 * The same settings with our line for each event of the agent, once; an older line of ours gives way.
 * @throws JsonSyntaxError; {@link ForeignSettings}
 */
export function withHooks(text: string, agent: HookAgent, command: string): string {
  const { timeout } = AGENT_SETTINGS[agent];
  const group = { hooks: [{ type: "command", command, timeout }] };
  const wanted = Object.keys(HOOK_EVENTS[agent]);
  if (text.trim() === "")
    return `${JSON.stringify({ hooks: Object.fromEntries(wanted.map((event) => [event, [group]])) }, null, 2)}\n`;
  if (isWhole(text, wanted, group)) return text;
  let next = withoutHooks(text);
  if (!memberOf(rootOf(next), HOOKS))
    return appended(next, rootOf(next), Object.fromEntries(wanted.map((event) => [event, [group]])), HOOKS);
  for (const event of wanted) {
    const hooks = hooksOf(next);
    if (!hooks) continue;
    const groups = memberOf(hooks, event)?.value;
    if (groups && groups.kind !== "array") throw new ForeignSettings(`"hooks"."${event}" is no list`);
    next = groups ? appended(next, groups, group) : appended(next, hooks, [group], event);
  }
  return next;
}

/** The same settings without any line of ours. @throws JsonSyntaxError; {@link ForeignSettings} */
export function withoutHooks(text: string): string {
  if (text.trim() === "") return text;
  let next = text;
  // Each look finds one to take away, and what that leaves empty.
  for (let again: string | undefined = next; again !== undefined; again = withoutOne(next)) next = again;
  return next;
}

export function hasHooks(text: string): boolean {
  return withoutHooks(text) !== text;
}

const HOOKS = "hooks";

function rootOf(text: string): JsonNode {
  const root = readJson(text);
  if (root.kind !== "object") throw new ForeignSettings("it is no object");
  return root;
}

function hooksOf(text: string): JsonNode | undefined {
  const hooks = memberOf(rootOf(text), HOOKS)?.value;
  if (hooks && hooks.kind !== "object") throw new ForeignSettings('"hooks" is no object');
  return hooks;
}

/** Every event has exactly the line that it should have, and no other event has one. */
function isWhole(text: string, events: readonly string[], group: object): boolean {
  const hooks = hooksOf(text);
  if (hooks?.kind !== "object") return false;
  const right = JSON.stringify(group);
  const found = hooks.members.flatMap(({ key, value }) =>
    value.kind !== "array"
      ? []
      : value.items
          .filter((one) => one.kind === "object" && handlersOf(one).some(isOurs))
          .map((one) => (JSON.stringify(plainValue(one)) === right ? key : "")),
  );
  return found.length === events.length && events.every((event) => found.includes(event));
}

function handlersOf(group: JsonNode): readonly JsonNode[] {
  const handlers = memberOf(group, HOOKS)?.value;
  return handlers?.kind === "array" ? handlers.items : [];
}

/** A command line that runs `snapwire hook`, from wherever. */
function isOurs(handler: JsonNode): boolean {
  const command = memberOf(handler, "command")?.value;
  if (command?.kind !== "scalar" || typeof command.value !== "string") return false;
  return /\bsnapwire(?:(?:\.mjs)?["']? hook|-hook\.mjs["']?) --agent (?:claude|codex|gemini)\b/.test(
    command.value,
  );
}

function withoutOne(text: string): string | undefined {
  const root = rootOf(text);
  const hooks = hooksOf(text);
  if (hooks?.kind !== "object" || root.kind !== "object") return undefined;
  for (const [eventIndex, { value: groups }] of hooks.members.entries()) {
    if (groups.kind !== "array") continue;
    for (const [groupIndex, group] of groups.items.entries()) {
      const handlers = handlersOf(group);
      const index = handlers.findIndex(isOurs);
      const list = memberOf(group, HOOKS)?.value;
      if (index < 0 || !list) continue;
      if (handlers.length > 1) return removedAt(text, list, index);
      if (groups.items.length > 1) return removedAt(text, groups, groupIndex);
      if (hooks.members.length > 1) return removedAt(text, hooks, eventIndex);
      const at = root.members.findLastIndex(({ key }) => key === HOOKS);
      return removedAt(text, root, at);
    }
  }
  return undefined;
}
