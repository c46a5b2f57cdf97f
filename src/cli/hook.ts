/** `snapwire hook` in the list of commands. As a process it is `hook-entry.ts`, which knows nothing of all this. */
import type { Command } from "./command.ts";
import { EXIT } from "./exit-codes.ts";
import { runHook } from "./hook-run.ts";
import { say } from "./io.ts";

export const hookCommand: Command = {
  name: "hook",
  summary: "Tell the server what a coding agent tells its hooks; agents run this",
  synopsis: "--agent <agent> [--url <url>] < input.json",
  maxArguments: 0,
  settings: [],
  flags: {
    agent: { type: "string", value: "<agent>", help: "which agent it is: claude, codex, gemini" },
    url: {
      type: "string",
      value: "<url>",
      help: "the server, on this machine (default http://127.0.0.1:4747)",
    },
  },
  notes: [
    "It prints nothing, always ends with 0, and never waits for the server. Prompts, and what tools",
    "read and write, stay where they are.",
    "The token is SNAPWIRE_TOKEN, or the first line of ~/.config/snapwire/token, which nobody else may be able to read.",
    "SNAPWIRE_URL and SNAPWIRE_WORKSPACE say where the server is and which workspace it is about.",
    "To let an agent run it: snapwire hook install",
  ],
  examples: ["snapwire hook --agent claude"],
  defaults: () => ({}),
  run: async ({ io, args }) => {
    const { stdin } = io;
    if (!stdin) return EXIT.ok;
    const flag = (name: string): string[] => args.texts(name).flatMap((value) => [`--${name}`, value]);
    await runHook({
      args: [...flag("agent"), ...flag("url")],
      env: io.env,
      stdin,
      cwd: () => io.cwd,
      observedAt: Date.now(),
      complain: (line) => say(io.stderr, `snapwire hook: ${line}`),
    });
    return EXIT.ok;
  },
};
