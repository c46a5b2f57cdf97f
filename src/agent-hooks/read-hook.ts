/** From the JSON of a hook to a report. */
import { z } from "zod";
import type { PendingRequestType } from "../protocol/workspace.ts";
import { WORKSPACE_LIMITS } from "../workspace/schema.ts";
import { pendingRequestTypeOf } from "../workspace/session-signals.ts";
import {
  ASKING_TOOLS,
  agentOf,
  HOOK_AGENTS,
  HOOK_EVENTS,
  type HookAgent,
  type HookMeaning,
} from "./hook-table.ts";

export interface HookReport {
  readonly agent: HookAgent;
  readonly meaning: HookMeaning;
  readonly sessionId: string;
  /** The sub-agent that it is about; absent: the session itself. */
  readonly subAgent?: { readonly id: string; readonly name: string | null };
  readonly cwd: string | undefined;
  /** Given in place of a directory, where the server cannot see it. */
  readonly workspaceId: string | undefined;
  /** When the hook began, in milliseconds since 1970. */
  readonly observedAt: number | undefined;
  readonly request: { readonly type: PendingRequestType; readonly toolName: string | null } | undefined;
  readonly errorMessage: string | undefined;
  readonly model: string | undefined;
}

const id = z.string().min(1).max(200);
const short = z.string().max(4_096);
const label = z.string().max(WORKSPACE_LIMITS.name);
/** The last one that a Date can hold. */
const LAST_MS = 8.64e15;
/** A broken detail costs no more than itself. */
const detail = <Schema extends z.ZodType>(schema: Schema) => schema.optional().catch(undefined);

const hookSchema = z.object({
  session_id: id,
  hook_event_name: z.string().min(1).max(100),
  agent: detail(z.enum(HOOK_AGENTS)),
  cwd: detail(short),
  workspace_id: detail(z.string().min(1).max(512)),
  observed_at: detail(z.number().min(0).max(LAST_MS)),
  transcript_path: detail(short),
  source: detail(short),
  tool_name: detail(label),
  tool_input: detail(z.unknown()),
  request_type: detail(z.enum(["plan_approval", "user_question", "permission_request"])),
  notification_type: detail(short),
  message: detail(z.string()),
  error: detail(z.string()),
  agent_id: detail(id),
  agent_type: detail(label),
  model: detail(label),
});

type Hook = z.output<typeof hookSchema>;

/** @returns undefined for what is no hook's input, or an event that means nothing here. */
export function readHook(input: unknown): HookReport | undefined {
  const parsed = hookSchema.safeParse(input);
  if (!parsed.success) return undefined;
  const hook = parsed.data;
  const agent = hook.agent ?? agentOf(hook.hook_event_name, hook.transcript_path);
  const events = agent && HOOK_EVENTS[agent];
  const told =
    events && Object.hasOwn(events, hook.hook_event_name) ? events[hook.hook_event_name] : undefined;
  if (!agent || !told) return undefined;
  const meaning = meaningOf(told, hook);
  if (!meaning) return undefined;
  return {
    agent,
    meaning,
    sessionId: hook.session_id,
    ...(hook.agent_id !== undefined && {
      subAgent: { id: hook.agent_id, name: hook.agent_type ?? null },
    }),
    cwd: hook.cwd,
    workspaceId: hook.workspace_id,
    observedAt: hook.observed_at,
    request: meaning === "asks" ? requestOf(hook) : undefined,
    errorMessage: meaning === "fails" ? (hook.error ?? hook.message)?.slice(0, 1_000) : undefined,
    model: hook.model,
  };
}

/** Some events say by their details what they mean. */
function meaningOf(told: HookMeaning, hook: Hook): HookMeaning | undefined {
  switch (told) {
    case "uses-tool":
      return ASKING_TOOLS.has(hook.tool_name ?? "") ? "asks" : "works";
    case "begins":
      return hook.source === "compact" ? undefined : "begins"; // in mid-work
    case "notifies":
      return isPermissionNotice(hook) ? "asks" : isIdleNotice(hook) ? "rests" : undefined;
    case "sub-begins":
    case "sub-ends":
      return hook.agent_id === undefined ? undefined : told;
    case "works":
    case "asks":
    case "rests":
    case "fails":
    case "ends":
      return told;
  }
}

function isPermissionNotice({ notification_type: type, message = "" }: Hook): boolean {
  if (type !== undefined) return /^(permission_prompt|elicitation_dialog|ToolPermission)$/.test(type);
  return /needs your (permission|approval)/i.test(message);
}

function isIdleNotice({ notification_type: type, message = "" }: Hook): boolean {
  if (type !== undefined) return type === "idle_prompt";
  return /waiting for your input/i.test(message);
}

function requestOf(hook: Hook): NonNullable<HookReport["request"]> {
  const named = /permission to use ([\w.-]+)/i.exec(hook.message ?? "")?.[1];
  const toolName = hook.tool_name ?? named ?? null;
  if (hook.request_type !== undefined) return { type: hook.request_type, toolName };
  const isElicitation =
    hook.hook_event_name === "Elicitation" || hook.notification_type === "elicitation_dialog";
  if (isElicitation || toolName === "request_user_input") return { type: "user_question", toolName };
  return { type: pendingRequestTypeOf({ toolName, input: hook.tool_input }), toolName };
}

/**
 * What has to be sent of a hook's input: none of its prompts, inputs and outputs. Kept beside {@link readHook}, which
 * reads either.
 */
export function withoutWords(input: unknown): Record<string, unknown> | undefined {
  const parsed = hookSchema.safeParse(input);
  if (!parsed.success) return undefined;
  const { tool_input, message, ...rest } = parsed.data;
  const report = readHook(input);
  return {
    ...rest,
    ...(report?.request && {
      request_type: report.request.type,
      tool_name: report.request.toolName ?? undefined,
    }),
    ...(rest.notification_type === undefined && message !== undefined && report?.meaning === "rests"
      ? { notification_type: "idle_prompt" }
      : {}),
    ...(rest.notification_type === undefined && message !== undefined && report?.meaning === "asks"
      ? { notification_type: "permission_prompt" }
      : {}),
  };
}
