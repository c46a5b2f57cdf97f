/** What the events of coding agents mean. Names are the agents' own. */
import type { SessionProvider } from "../protocol/workspace.ts";

export const HOOK_AGENTS = ["claude", "codex", "gemini"] as const;
export type HookAgent = (typeof HOOK_AGENTS)[number];

export type HookMeaning =
  /** The session is there, and rests. */
  | "begins"
  /** It works: on a prompt, or on with a tool that is done. */
  | "works"
  /** It is about to use a tool; some tools are questions. */
  | "uses-tool"
  /** A person has to allow something. */
  | "asks"
  /** It tells a person something, perhaps that it waits. */
  | "notifies"
  /** It is done with the prompt. */
  | "rests"
  /** It broke off. */
  | "fails"
  | "ends"
  | "sub-begins"
  | "sub-ends";

/** @see the hook references of Claude Code, Codex CLI and Gemini CLI, as of November 2026. */
export const HOOK_EVENTS: Readonly<Record<HookAgent, Readonly<Record<string, HookMeaning>>>> = {
  claude: {
    SessionStart: "begins",
    UserPromptSubmit: "works",
    PreToolUse: "uses-tool",
    PermissionRequest: "asks",
    PermissionDenied: "works",
    PostToolUse: "works",
    PostToolUseFailure: "works",
    Elicitation: "asks",
    ElicitationResult: "works",
    Notification: "notifies",
    SubagentStart: "sub-begins",
    SubagentStop: "sub-ends",
    Stop: "rests",
    StopFailure: "fails",
    SessionEnd: "ends",
  },
  codex: {
    SessionStart: "begins",
    UserPromptSubmit: "works",
    PreToolUse: "uses-tool",
    PermissionRequest: "asks",
    PostToolUse: "works",
    SubagentStart: "sub-begins",
    SubagentStop: "sub-ends",
    Stop: "rests",
    SessionEnd: "ends",
  },
  gemini: {
    SessionStart: "begins",
    BeforeAgent: "works",
    BeforeTool: "uses-tool",
    AfterTool: "works",
    Notification: "notifies",
    AfterAgent: "rests",
    SessionEnd: "ends",
  },
};

export const PROVIDER_OF: Readonly<Record<HookAgent, SessionProvider | null>> = {
  claude: "CLAUDE",
  codex: "CODEX",
  gemini: null,
};

/** Tools that put a question to a person by themselves: no permission is asked for them. */
export const ASKING_TOOLS: ReadonlySet<string> = new Set([
  "AskUserQuestion",
  "ExitPlanMode",
  "request_user_input",
]);

/** Which agent speaks, where the hook does not say: only some names are one agent's own. */
export function agentOf(event: string, transcriptPath: string | undefined): HookAgent | undefined {
  if (transcriptPath !== undefined && /[/\\]\.codex[/\\]/.test(transcriptPath)) return "codex";
  if (transcriptPath !== undefined && /[/\\]\.gemini[/\\]/.test(transcriptPath)) return "gemini";
  return HOOK_AGENTS.find((agent) => Object.hasOwn(HOOK_EVENTS[agent], event));
}
