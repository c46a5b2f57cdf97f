/**
 * `snapwire hook`: tells the server what a coding agent tells its hooks. Whatever happens, it says nothing on stdout, ends
 * well and soon: an agent waits for its hooks. Without any package.
 */
import { HOOK_AGENTS, HOOK_EVENTS } from "../agent-hooks/hook-table.ts";
import { hookTarget, sendHook } from "./hook-send.ts";
import { hookWords } from "./hook-words.ts";
import { ownToken } from "./own-token.ts";

export interface HookRun {
  /** After `hook`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly cwd: () => string;
  /** When this process began, in milliseconds since 1970. */
  readonly observedAt: number;
  /** Says what is wrong with the command line itself; an agent shows it to nobody, or in its log. */
  readonly complain: (line: string) => void;
}

const DEFAULT_URL = "http://127.0.0.1:4747";
/** More than this is no event that we want to hold; agents hand over outputs of tools too. */
const MAX_BYTES = 8 * 1024 * 1024;
/** For an agent to hand over its words, in milliseconds. It has them ready. */
const INPUT_MS = 500;

export async function runHook({ args, env, stdin, cwd, observedAt, complain }: HookRun): Promise<void> {
  const said = flagOf(args, "--agent");
  const agent = HOOK_AGENTS.find((one) => one === said);
  if (agent === undefined) return complain(`--agent must be one of ${HOOK_AGENTS.join(", ")}`);
  const url = flagOf(args, "--url") ?? (env.SNAPWIRE_URL || DEFAULT_URL);
  const target = hookTarget(url);
  if (!target) return complain("--url must be one of this machine, like http://127.0.0.1:4747");
  if (stdin.isTTY) return complain("an agent runs this and hands it JSON; see: snapwire hook install");
  const input = parsed(await textOf(stdin));
  if (input === undefined) return;
  const words = hookWords({
    ...input,
    agent,
    observed_at: observedAt,
    ...(typeof input.cwd !== "string" && { cwd: cwd() }),
    ...(env.SNAPWIRE_WORKSPACE && { workspace_id: env.SNAPWIRE_WORKSPACE }),
  });
  if (!words || !Object.hasOwn(HOOK_EVENTS[agent], String(words.hook_event_name))) return;
  await sendHook(target, JSON.stringify(words), ownToken(env));
}

function flagOf(args: readonly string[], name: string): string | undefined {
  const inline = args.find((arg) => arg.startsWith(`${name}=`));
  if (inline !== undefined) return inline.slice(name.length + 1);
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

function parsed(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined: too much, too late, or broken off. */
function textOf(stdin: NodeJS.ReadableStream): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => resolve(undefined), INPUT_MS);
    const end = (text: string | undefined): void => {
      clearTimeout(timer);
      resolve(text);
    };
    stdin.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) end(undefined);
      else chunks.push(chunk);
    });
    stdin.on("end", () => end(Buffer.concat(chunks).toString("utf8")));
    stdin.on("error", () => end(undefined));
  });
}
