/** `snapwire watch`: projects as they change. A table on a terminal, one JSON line per frame in a pipe. */
import { createSnapwireClient } from "../../client/index.ts";
import type { SnapwireRouter } from "../router/index.ts";
import type { Command, Invocation } from "./command.ts";
import { EXIT, type ExitCode, usageFailure } from "./exit-codes.ts";
import { say } from "./io.ts";
import { createPausableSockets } from "./pausable-sockets.ts";
import { knownProjects } from "./project-names.ts";
import { endpointOf } from "./remote.ts";
import { jsonLine, safeText } from "./safe-text.ts";
import { openScreen, type Page, type Screen } from "./watch-screen.ts";
import { renderTable } from "./watch-table.ts";
import { denied, firstFailure, pending, tooLate } from "./watch-verdict.ts";
import { watchProjects } from "./watched-projects.ts";

/** How long `--once` waits for what it wants to print, in milliseconds. */
const ONCE_MS = 30_000;
/** How long a word about an empty project may take, in milliseconds. */
const EXPLAIN_MS = 3_000;

export const watchCommand: Command = {
  name: "watch",
  summary: "Watch projects: a table on a terminal, JSON lines in a pipe",
  synopsis: "[url] [flags]",
  maxArguments: 1,
  arguments: ["url"],
  settings: ["project", "url", "token"],
  flags: {
    json: { type: "boolean", help: "JSON lines on a terminal too" },
    once: { type: "boolean", help: "print what there is, once, and end" },
  },
  notes: [
    'A JSON line is a frame of `snapshots.onProject` and its position: {"position":"...","type":"snapshot_full",...}.',
    "Without --project it is all projects, and those that come later.",
    "A first connection that fails ends it (3); one that was lost later is made again, for as long as it takes.",
  ],
  examples: [
    "snapwire watch",
    "snapwire watch https://live.example.com --project app",
    "snapwire watch --once --json | jq '.entries[].branchName'",
  ],
  defaults: () => ({ url: "http://127.0.0.1:4747" }),
  run: watch,
};

async function watch({ io, args, config, outputGone }: Invocation): Promise<ExitCode> {
  const { url = "", token, project } = config.values;
  const [word = ""] = args.positionals;
  if (/^[\w-]+$/.test(word) && word !== "localhost")
    throw usageFailure(
      `${word} is no url like http://127.0.0.1:4747. To watch the project ${word}: snapwire watch --project ${word}`,
    );
  const endpoint = endpointOf(url);
  const once = args.has("once");
  const asTable = io.isTTY && !args.has("json");
  const verdict = pending<ExitCode>();
  const sockets = createPausableSockets();
  const fulls = new Set<string>();
  let wasOpen = false;
  let hint: string | undefined;
  let explained: Promise<void> | undefined;
  let screen: Screen | undefined;

  // Whoever holds us back also loses us the connection in the end: that is not news.
  const warn = (message: string): void => {
    if (!asTable && !sockets.paused) say(io.stderr, `snapwire: ${safeText(message)}`);
  };
  const client = createSnapwireClient<SnapwireRouter>({
    url: endpoint.ws,
    token,
    WebSocket: sockets.WebSocket,
    onWarning: warn,
  });
  const watched = watchProjects(client, project, {
    onFrame(projectId, position, frame) {
      const isFull = frame.type === "snapshot_full";
      if (once && (!isFull || fulls.has(projectId))) return;
      if (isFull) fulls.add(projectId);
      if (isFull && projectId === project && frame.entries.length === 0 && frame.complete)
        explained ??= explainEmpty(project);
      // The frame as it is, literally.
      if (!asTable && !io.stdout.write(`${jsonLine({ position, ...frame })}\n`)) sockets.pause();
    },
    onChange: () => look(),
    onDenied: (message, reason) => verdict.reject(denied(message, reason)),
    onWarning: warn,
  });

  /** An empty project is a project; so is one whose name was mistyped, and that is worth a word. */
  async function explainEmpty(asked: string): Promise<void> {
    const answer = await client.trpc.snapshots.projects
      .query(undefined, { signal: AbortSignal.timeout(EXPLAIN_MS) })
      .catch(() => undefined);
    if (!answer || answer.projects.includes(asked)) return;
    hint = `No workspace is known in the project ${safeText(asked)}.${knownProjects(asked, answer.projects)}`;
    warn(hint);
    screen?.refresh();
  }

  /** Whether there is anything left to watch. */
  function look(): void {
    screen?.refresh();
    const { all, listed } = watched;
    const over = all.filter(({ replica }) => replica.status === "denied" || replica.status === "ended");
    if (once && listed && all.every((one) => fulls.has(one.projectId) || over.includes(one)))
      verdict.resolve(EXIT.ok);
    if (over.length === 0 || over.length < all.length) return;
    const refused = over.find(({ replica }) => replica.reason !== "project-gone")?.replica;
    if (refused) verdict.reject(denied(refused.detail, refused.reason));
    else if (project !== undefined) verdict.resolve(EXIT.ok); // the server said that it is over
  }

  function onConnection(): void {
    const { status, reason, detail } = client.connection.getState();
    if (status === "open") {
      if (wasOpen) warn("connected again");
      wasOpen = true;
      if (asTable && !once) screen ??= openScreen(io.stdout, page);
    } else if (!wasOpen && reason !== undefined) {
      verdict.reject(firstFailure(endpoint.http, detail ?? reason));
    } else if (status === "reconnecting") {
      warn(`the connection is lost (${detail ?? reason}); trying again`);
    }
    screen?.refresh();
  }

  const page = ({ columns, rows, last }: Page): string[] =>
    renderTable({
      url: endpoint.http.replace(/\/trpc$/, ""),
      projects: watched.all.map(({ replica, staleSince }) => ({
        snapshot: replica.getSnapshot(),
        staleSince,
      })),
      listed: watched.listed,
      connection: client.connection.getState(),
      lastHeard: client.connection.lastProofOfLife,
      now: Date.now(),
      columns,
      rows,
      last,
      hint,
      color: !io.env.NO_COLOR,
    });

  const onSignal = (): void => verdict.resolve(io.signal.reason === "SIGINT" ? EXIT.interrupted : EXIT.ok);
  const onDrain = (): void => sockets.resume();
  const deadline = once
    ? setTimeout(() => verdict.reject(tooLate(endpoint.http, ONCE_MS)), ONCE_MS)
    : undefined;
  client.connection.subscribe(onConnection);
  io.stdout.on("drain", onDrain);
  const ends = [
    [io.signal, onSignal],
    [outputGone, () => verdict.resolve(EXIT.ok)],
  ] as const;
  for (const [signal, end] of ends) {
    if (signal.aborted) end();
    signal.addEventListener("abort", end);
  }
  try {
    const exitCode = await verdict.promise;
    if (once) await explained;
    if (asTable && once)
      for (const line of page({ columns: io.stdout.columns || 80, rows: undefined, last: false }))
        say(io.stdout, line);
    return exitCode;
  } finally {
    for (const [signal, end] of ends) signal.removeEventListener("abort", end);
    clearTimeout(deadline);
    io.stdout.off("drain", onDrain);
    screen?.leave();
    sockets.resume(); // or the other side's part of the closing handshake would not be read
    await watched.close();
    await client.close();
  }
}
