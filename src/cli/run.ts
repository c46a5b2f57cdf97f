/** `snapwire run`: a command as it is, and beside it a server that knows how it does. */
import { realpathSync } from "node:fs";
import type { Command, Invocation } from "./command.ts";
import { usageFailure } from "./exit-codes.ts";
import { say } from "./io.ts";
import { ownToken } from "./own-token.ts";
import { createRemote, endpointOf } from "./remote.ts";
import { RunReporter, type RunServer } from "./run-reporter.ts";
import { safeText } from "./safe-text.ts";
import { isServerUrl } from "./web-url.ts";
import { exitCodeOf, runWrapped } from "./wrapped.ts";

/** For the last words, once the command has ended, in milliseconds. */
const FAREWELL_MS = 500;
/** By which a process of Node's may end itself, without leaving a core behind. */
const PLAIN_DEATHS: readonly string[] = [
  ...["SIGHUP", "SIGINT", "SIGKILL", "SIGALRM", "SIGTERM", "SIGUSR1", "SIGUSR2"],
];

export const runCommand: Command = {
  name: "run",
  summary: "Run a command, and show how it does and what it prints",
  synopsis: "[--name <name>] [--workspace <id>] -- <command> [arguments]",
  maxArguments: Number.POSITIVE_INFINITY,
  settings: ["workspace", "url", "token"],
  flags: {
    name: { type: "string", value: "<name>", help: "which of the workspace's scripts it is (default run)" },
    "no-output": {
      type: "boolean",
      help: "tell nothing of what it prints: it gets the terminal itself, colours and all",
    },
  },
  notes: [
    "Input, output, signals and the exit code are the command's own. It runs whether there is a server or not.",
    "The last 64 KiB that it printed can be read live, by runScripts.onOutput.",
  ],
  examples: ["snapwire run -- npm run dev", "snapwire run --name test --no-output -- npm test"],
  defaults: () => ({ url: "http://127.0.0.1:4747" }),
  run,
};

async function run({ io, args, config }: Invocation): Promise<number> {
  const command = args.positionals;
  const [name = ""] = command;
  if (command.length === 0) throw usageFailure("Which command? Write: snapwire run -- npm run dev");
  if (isServerUrl(name))
    throw usageFailure(
      `${safeText(name)} is no command. The server's url goes by --url: snapwire run --url ${safeText(name)} -- npm run dev`,
    );
  const reporter = new RunReporter({
    server: serverOf({ io, config }, args.text("name")),
    now: Date.now,
  });
  reporter.say("STARTING");
  const end = await runWrapped({
    command,
    io,
    captures: !args.has("no-output"),
    onStart: () => reporter.say("RUNNING"),
    onAsked: () => reporter.say("STOPPING"),
    onOutput: (chunk, stream) => reporter.print(chunk, stream),
  });
  if (end.error) {
    const why = end.error.code === "ENOENT" ? "there is no such command" : end.error.message;
    say(io.stderr, `snapwire: ${safeText(name)} cannot be run: ${safeText(why)}`);
  }
  // Who stops a server that runs for ever has not seen it fail.
  reporter.say(end.code === 0 || (end.wasAsked && !end.error) ? "COMPLETED" : "FAILED");
  await reporter.close(FAREWELL_MS);
  if (end.signal !== null && PLAIN_DEATHS.includes(end.signal)) io.dieBy?.(end.signal);
  return exitCodeOf(end);
}

function serverOf({ io, config }: Pick<Invocation, "io" | "config">, name: string | undefined): RunServer {
  const { url = "", workspace, token = ownToken(io.env) } = config.values;
  // Not the signal of this process: it is the command's, and there is something to be told after it.
  const remote = createRemote(endpointOf(url), token, new AbortController().signal);
  const named = name === undefined ? {} : { name };
  return {
    workspace: async () => {
      if (workspace !== undefined) return workspace;
      return (await remote.runScripts.at.query({ path: realpathSync(io.cwd) }))?.workspaceId;
    },
    status: async (workspaceId, status, observedAt) => {
      await remote.runScripts.update.mutate({ workspaceId, status, observedAt });
    },
    output: async (report) => {
      await remote.runScripts.output.mutate({ ...report, ...named });
    },
  };
}
