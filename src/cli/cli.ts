/**
 * cli: one run of the command line, from its words to its exit code.
 */
import { VERSION } from "../version.ts";
import { type ParsedArguments, parseArguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { describeConfig, type LoadedConfig, loadConfig } from "./config.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { type CliFailure, EXIT, failureOf, usageFailure } from "./exit-codes.ts";
import { githubCommand, githubDeliveriesCommand } from "./github.ts";
import { hookCommand } from "./hook.ts";
import { hookInstallCommand, hookUninstallCommand } from "./hook-install.ts";
import { type CliIo, say } from "./io.ts";
import { nearest, suggestion } from "./nearest.ts";
import { publishCommand } from "./publish.ts";
import { runCommand } from "./run.ts";
import { safeLines } from "./safe-text.ts";
import { serveCommand } from "./serve.ts";
import type { SettingKey } from "./settings.ts";
import { tokenCreateCommand, tokenListCommand } from "./token.ts";
import { flagsOf, helpFor, overview } from "./usage.ts";
import { watchCommand } from "./watch.ts";

const COMMANDS: readonly Command[] = [
  serveCommand,
  watchCommand,
  publishCommand,
  tokenCreateCommand,
  tokenListCommand,
  runCommand,
  hookCommand,
  hookInstallCommand,
  hookUninstallCommand,
  githubCommand,
  githubDeliveriesCommand,
  demoCommand,
  doctorCommand,
];

/** Runs the command that the words after the program's name ask for. Never throws. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const gone = new AbortController();
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED")
      say(io.stderr, `snapwire: stdout cannot be written: ${safeLines(error.message)}`);
    gone.abort(error);
  };
  io.stdout.on("error", onOutputError);
  try {
    return await dispatch(argv, io, gone.signal);
  } catch (error) {
    const { exitCode, message } = failureOf(error);
    say(io.stderr, `snapwire: ${safeLines(message)}`);
    return exitCode;
  } finally {
    io.stdout.off("error", onOutputError);
  }
}

async function dispatch(argv: readonly string[], io: CliIo, outputGone: AbortSignal): Promise<number> {
  const [first] = argv;
  if (first === "--version" || first === "version") {
    say(io.stdout, VERSION);
    return EXIT.ok;
  }
  if (first === "help") {
    say(io.stdout, helpOn(argv.slice(1)));
    return EXIT.ok;
  }
  if (first === "--help" || first === "-h") {
    say(io.stdout, overview(COMMANDS));
    return EXIT.ok;
  }
  if (asksForGroup(argv)) {
    say(io.stdout, helpOn(argv.slice(0, 1)));
    return EXIT.ok;
  }
  const { command, words } = findCommand(argv);
  const args = parseArguments(words, flagsOf(command), command.name);
  if (args.has("help")) {
    say(io.stdout, helpFor(command));
    return EXIT.ok;
  }
  refuseSurplus(command, args);
  const config = configOf(command, args, io);
  const isAsked = args.has("print-config");
  if (isAsked || !command.logs) for (const warning of config.warnings) say(io.stderr, `snapwire: ${warning}`);
  if (isAsked) {
    say(io.stdout, JSON.stringify(describeConfig(config), null, 2));
    return EXIT.ok;
  }
  return await command.run({ io, args, config, outputGone });
}

/** `token --help`: of a first word that is no command alone. */
function asksForGroup([first = "", second = ""]: readonly string[]): boolean {
  return (
    /^(--help|-h|help)$/.test(second) &&
    !COMMANDS.some(({ name }) => name === first) &&
    COMMANDS.some(({ name }) => name.startsWith(`${first} `))
  );
}

/** Without a command it is `serve`. */
function findCommand(argv: readonly string[]): { command: Command; words: readonly string[] } {
  const [first, second = ""] = argv;
  if (first === undefined || first.startsWith("-")) return { command: serveCommand, words: argv };
  const member = COMMANDS.find(({ name }) => name === `${first} ${second}`);
  if (member) return { command: member, words: argv.slice(2) };
  const command = COMMANDS.find(({ name }) => name === first);
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name);
  const isMistyped = /^[a-z]+$/i.test(second) && nearest(`${first} ${second}`, group) !== undefined;
  if (command && !isMistyped) return { command, words: argv.slice(1) };
  if (group.length > 0 && (second === "" || second.startsWith("-")))
    throw usageFailure(`\`snapwire ${first}\` is not whole. There is: ${listed(group)}.`);
  const asked = group.length > 0 ? `${first} ${second}` : first;
  throw unknownCommand(asked, group.length > 0 ? group : topLevel());
}

function helpOn(words: readonly string[]): string {
  const asked = words.filter((word) => !word.startsWith("-")).join(" ");
  if (asked === "") return overview(COMMANDS);
  const found = COMMANDS.filter(({ name }) => name === asked || name.startsWith(`${asked} `));
  if (found.length === 0) throw unknownCommand(asked, topLevel());
  return found.map(helpFor).join("\n\n");
}

function unknownCommand(asked: string, names: readonly string[]): CliFailure {
  const meant = isPath(asked)
    ? repositoryHint(asked)
    : suggestion(asked, names, (name) => `snapwire ${name}`);
  return usageFailure(`There is no command \`${asked}\`.${meant} See: snapwire help`);
}

function isPath(word: string): boolean {
  return /^\.{1,2}$|[\\/]/.test(word);
}

function repositoryHint(path: string): string {
  return ` A repository is named by a flag: snapwire serve --repo ${path}.`;
}

/** First words, and the whole names of two. */
function topLevel(): readonly string[] {
  return [...new Set(COMMANDS.flatMap(({ name }) => [name.split(" ")[0] ?? name, name])), "help", "version"];
}

function listed(names: readonly string[]): string {
  return names.map((name) => `snapwire ${name}`).join(", ");
}

function refuseSurplus(command: Command, { positionals }: ParsedArguments): void {
  const surplus = positionals[command.maxArguments];
  if (surplus === undefined) return;
  const isCommand = COMMANDS.some(({ name }) => name.split(" ")[0] === surplus);
  const what = isCommand
    ? `The command comes first: snapwire ${surplus} [flags].`
    : `\`snapwire ${command.name}\` takes ${command.maxArguments === 0 ? "no argument" : `${command.maxArguments} at most`}.`;
  const hint = command.settings.includes("repo") && isPath(surplus) ? repositoryHint(surplus) : "";
  throw usageFailure(`"${surplus}" is one word too many. ${what}${hint} See: snapwire help ${command.name}`);
}

function configOf(command: Command, args: ParsedArguments, io: CliIo): LoadedConfig {
  const named: Partial<Record<SettingKey, string>> = {};
  for (const [index, key] of (command.arguments ?? []).entries()) {
    const argument = args.positionals[index];
    if (key !== undefined && argument !== undefined) named[key] = argument;
  }
  return loadConfig({
    keys: command.settings,
    args,
    named,
    env: io.env,
    file: args.text("config"),
    cwd: io.cwd,
    defaults: command.defaults(io),
  });
}
