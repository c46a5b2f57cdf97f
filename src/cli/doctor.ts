/** `snapwire doctor`: what could stand in the way, here and on the way to a server. */
import type { Command, Invocation } from "./command.ts";
import { type Check, type Finding, problem } from "./doctor-check.ts";
import { dataCheck, newDataEpoch } from "./doctor-data.ts";
import { journalCheck, newEpoch } from "./doctor-journal.ts";
import {
  gitCheck,
  nodeCheck,
  portCheck,
  repositoryCheck,
  steadyClockCheck,
  watchLimitCheck,
} from "./doctor-machine.ts";
import { remoteClockCheck, serverCheck, tokenCheck, upgradeCheck } from "./doctor-server.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { say, unlessAborted } from "./io.ts";
import { endpointOf, wordsOf } from "./remote.ts";
import { jsonLine, safeText } from "./safe-text.ts";

export const doctorCommand: Command = {
  name: "doctor",
  summary: "Look for what stands in the way: git, watches, port, clock, proxy, token",
  synopsis: "[url] [flags]",
  maxArguments: 1,
  arguments: ["url"],
  settings: ["url", "token", "port", "host", "repo", "data", "journal"],
  flags: {
    json: { type: "boolean", help: "one JSON line per check" },
    "new-epoch": {
      type: "boolean",
      help: "begin a new epoch, in the data folder or the journal: after a backup was put back unnoticed",
    },
  },
  notes: [
    "Each line says ok or problem, what was looked at, what was found, and what to do.",
    "With a url it looks at the server there too: whether it answers, whether a WebSocket gets through, its clock,",
    "and what the token may do. With --journal it looks at the servers of a shared journal.",
  ],
  examples: ["snapwire doctor", "snapwire doctor https://live.example.com"],
  defaults: (io) => ({ port: 4747, host: "127.0.0.1", repo: [io.cwd] }),
  run: doctor,
};

async function doctor({ io, args, config }: Invocation): Promise<ExitCode> {
  const { url, token, port = 4747, host = "127.0.0.1", repo = [io.cwd], data, journal } = config.values;
  const place = { env: io.env, repositories: repo };
  const checks: Check[] = [
    { name: "node", look: nodeCheck },
    { name: "git", look: gitCheck },
    { name: "repository", look: () => repositoryCheck(repo, { needed: url === undefined }) },
    { name: "watches", look: () => watchLimitCheck(repo) },
    { name: "port", look: () => portCheck(host, port) },
    { name: "clock", look: steadyClockCheck },
  ];
  if (journal === undefined) checks.push({ name: "data", look: () => dataCheck(data, place) });
  else checks.push({ name: "journal", look: () => journalCheck(journal) });
  if (args.has("new-epoch"))
    checks.push({
      name: "epoch",
      look: () => (journal === undefined ? newDataEpoch(data, place) : newEpoch(journal)),
    });
  if (url !== undefined) {
    const endpoint = endpointOf(url);
    checks.push(
      { name: "server", look: () => serverCheck(endpoint) },
      { name: "upgrade", look: () => upgradeCheck(endpoint) },
      { name: "server clock", look: () => remoteClockCheck(endpoint) },
      { name: "token", look: () => tokenCheck(endpoint, token, io.signal) },
    );
  }
  const width = Math.max(...checks.map(({ name }) => name.length));
  let allWell = true;
  for (const { name, look } of checks) {
    const found = await unlessAborted(io.signal, lookAt(look));
    if (!found) return io.signal.reason === "SIGINT" ? EXIT.interrupted : EXIT.failure;
    if (found.status === "problem") allWell = false;
    say(io.stdout, args.has("json") ? jsonLine({ name, ...found }) : lineOf(name, width, found));
  }
  return allWell ? EXIT.ok : EXIT.failure;
}

/** A check that breaks is a finding, and the others go on. */
async function lookAt(look: Check["look"]): Promise<Finding> {
  try {
    return await look();
  } catch (error) {
    return problem(wordsOf(error), "This could not be looked at; see what the message says.");
  }
}

function lineOf(name: string, width: number, found: Finding): string {
  const fix = found.status === "problem" ? `   ${safeText(found.fix)}` : "";
  return `${found.status.padEnd(7)}  ${name.padEnd(width)}  ${safeText(found.detail)}${fix}`;
}
