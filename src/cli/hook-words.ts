/**
 * What may leave of a hook's input: names, ids and times, nothing of what was said or written. The same as `withoutWords`
 * of the agent hooks, without a package: the command that uses it has to be over before anybody notices it.
 */
import {
  ASKING_TOOLS,
  agentOf,
  HOOK_AGENTS,
  HOOK_EVENTS,
  type HookAgent,
} from "../agent-hooks/hook-table.ts";
import type { PendingRequestType } from "../protocol/workspace.ts";
import { pendingRequestTypeOf } from "../workspace/session-signals.ts";

type Input = Readonly<Record<string, unknown>>;

const REQUEST_TYPES: readonly PendingRequestType[] = ["plan_approval", "user_question", "permission_request"];

/** Longest texts that are kept, in characters; a longer one is left out, and one of an id spoils the whole. */
const LONGEST = {
  session_id: 200,
  hook_event_name: 100,
  cwd: 4_096,
  workspace_id: 512,
  transcript_path: 4_096,
  source: 4_096,
  tool_name: 4_096,
  notification_type: 4_096,
  error: Number.POSITIVE_INFINITY,
  agent_id: 200,
  agent_type: 4_096,
  model: 4_096,
} as const;
type TextField = keyof typeof LONGEST;
const NEVER_EMPTY: readonly TextField[] = ["session_id", "hook_event_name", "workspace_id", "agent_id"];

/** The last moment that a date can say. */
const LATEST_MS = 8_640_000_000_000_000;

/** @returns undefined for what is no hook's input. */
export function hookWords(input: unknown): Record<string, unknown> | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const given = input as Input;
  const texts = Object.fromEntries(
    (Object.keys(LONGEST) as TextField[]).flatMap((name) => {
      const value = textOf(given, name);
      return value === undefined ? [] : [[name, value]];
    }),
  ) as Partial<Record<TextField, string>>;
  if (texts.session_id === undefined || texts.hook_event_name === undefined) return undefined;
  const message = typeof given.message === "string" ? given.message : undefined;
  const at = given.observed_at;
  const known = REQUEST_TYPES.find((type) => type === given.request_type);
  const said = HOOK_AGENTS.find((one) => one === given.agent);
  const agent = said ?? agentOf(texts.hook_event_name, texts.transcript_path);
  const notice = agent && noticeOf(agent, texts, message ?? "");
  return {
    ...texts,
    ...(said !== undefined && { agent: said }),
    ...(typeof at === "number" && at >= 0 && at <= LATEST_MS && { observed_at: at }),
    ...(known !== undefined && { request_type: known }),
    ...(notice === "asks" && requestOf(texts, message ?? "", known, given.tool_input)),
    ...(texts.notification_type === undefined && message !== undefined && notice !== undefined
      ? { notification_type: notice === "asks" ? "permission_prompt" : "idle_prompt" }
      : {}),
  };
}

function textOf(given: Input, name: TextField): string | undefined {
  const value = given[name];
  if (typeof value !== "string" || value.length > LONGEST[name]) return undefined;
  return value === "" && NEVER_EMPTY.includes(name) ? undefined : value;
}

/** Whether it is a question, or says that the agent rests; undefined for everything else. */
function noticeOf(
  agent: HookAgent,
  {
    hook_event_name: event = "",
    tool_name: tool = "",
    notification_type: type,
  }: Partial<Record<TextField, string>>,
  message: string,
): "asks" | "rests" | undefined {
  const told = Object.hasOwn(HOOK_EVENTS[agent], event) ? HOOK_EVENTS[agent][event] : undefined;
  if (told === "asks" || told === "rests") return told;
  if (told === "uses-tool") return ASKING_TOOLS.has(tool) ? "asks" : undefined;
  if (told !== "notifies") return undefined;
  const asks =
    type === undefined
      ? /needs your (permission|approval)/i.test(message)
      : /^(permission_prompt|elicitation_dialog|ToolPermission)$/.test(type);
  if (asks) return "asks";
  const rests = type === undefined ? /waiting for your input/i.test(message) : type === "idle_prompt";
  return rests ? "rests" : undefined;
}

function requestOf(
  texts: Partial<Record<TextField, string>>,
  message: string,
  known: PendingRequestType | undefined,
  input: unknown,
): { request_type: PendingRequestType; tool_name: string | undefined } {
  const tool = texts.tool_name ?? /permission to use ([\w.-]+)/i.exec(message)?.[1];
  const isQuestion =
    texts.hook_event_name === "Elicitation" ||
    texts.notification_type === "elicitation_dialog" ||
    tool === "request_user_input";
  const type =
    known ?? (isQuestion ? "user_question" : pendingRequestTypeOf({ toolName: tool ?? null, input }));
  return { request_type: type, tool_name: tool };
}
