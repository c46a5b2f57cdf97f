/** `snapwire serve`: the worktrees of one or more repositories, live, until it is told to end. */
import type { Logger } from "pino";
import { iterate } from "../feed/iterate.ts";
import type { WorkspaceEntry } from "../protocol/workspace.ts";
import { createSnapwireRouter } from "../router/index.ts";
import {
  assertSafeBind,
  createBoard,
  createSnapwireServer,
  DEFAULT_PLAIN,
  type SnapwireServer,
} from "../server/index.ts";
import { createSnapwire, type Snapwire } from "../snapwire.ts";
import { createGitSource, type FoundProject } from "../sources/git/git-source.ts";
import type { Command, Invocation } from "./command.ts";
import { checkDataSettings, chooseData, type DataChoice } from "./data-folder.ts";
import { CliFailure, EXIT, type ExitCode } from "./exit-codes.ts";
import { aborted, type CliIo, say, unlessAborted } from "./io.ts";
import { createLogger } from "./logger.ts";
import { mayOpenBrowser, openBrowser } from "./open-browser.ts";
import { withLoggedRefusal } from "./refusal-log.ts";
import { servedEndpoints } from "./serve-endpoints.ts";
import { checkGithubSettings, type GithubService, githubProjects, githubService } from "./serve-github.ts";
import { type Identities, identitiesOf } from "./serve-identity.ts";
import {
  addressLines,
  addressOf,
  dataLine,
  githubLines,
  plainLines,
  projectLines,
  sharedLine,
  strayGithubLines,
  tokenLine,
  watchLine,
  workspaceLines,
} from "./serve-lines.ts";
import { assertKnownHost, listen } from "./serve-listen.ts";
import { sayServedAt } from "./served-at.ts";
import { SETTINGS } from "./settings.ts";
import { sharedJournal, sourceName } from "./shared-journal.ts";
import { defaultTokenFile, tokensInForce } from "./tokens-in-force.ts";

/** Of the 10 s in which everything is over, what the clients get; the rest is for our own work in flight. */
const DRAIN_MS = 8_000;
const OVER_MS = 9_500;
const SEVERAL = " One server takes several repositories: --repo <folder> --repo <folder>.";

export const serveCommand: Command = {
  name: "serve",
  summary: "Serve the worktrees of git repositories, live",
  synopsis: "[flags]",
  maxArguments: 0,
  settings: [
    "port",
    "host",
    "repo",
    "data",
    "ephemeral",
    "durability",
    "journal",
    "open",
    "tokens",
    "token",
    "allowedOrigins",
    "allowedHosts",
    "jwtIssuer",
    "jwtAudience",
    "jwtKeys",
    "plain",
    "github",
    "githubSecret",
    "githubPoll",
    "githubToken",
    "githubApi",
    "logLevel",
  ],
  withoutFlag: {
    token: "one token of an admin, beside those of the token file",
    githubSecret: SETTINGS.githubSecret.help,
    githubToken: SETTINGS.githubToken.help,
  },
  flags: {},
  logs: true,
  notes: [
    "With a token in the token file or in SNAPWIRE_TOKEN every client must show one. Without any, only this",
    "machine may connect.",
    "What was published survives the end of the process, in the folder that --data names. With --journal it is shared",
    "with other nodes in place of that; with --ephemeral it is kept in memory only.",
    "SIGTERM or Ctrl-C ends it within 10 s: clients are sent elsewhere first. A second one ends it at once.",
  ],
  examples: ["snapwire", "snapwire serve --repo ~/code/app --repo ~/code/site", "snapwire serve --port 5000"],
  defaults: (io) => {
    const tokens = defaultTokenFile(io.env);
    return {
      port: 4747,
      host: "127.0.0.1",
      repo: [io.cwd],
      open: true,
      allowedOrigins: [],
      allowedHosts: [],
      plain: [...DEFAULT_PLAIN],
      github: [],
      logLevel: io.isStderrTTY ? "warn" : "info",
      ...(tokens === undefined ? {} : { tokens }),
    };
  },
  run: serve,
};

async function serve(invocation: Invocation): Promise<number> {
  const { io, config } = invocation;
  const root = createLogger(io.stderr, config.values.logLevel ?? "info");
  const logger = root.child({ room: "cli" });
  for (const warning of config.warnings) logger.warn({}, warning);
  return withLoggedRefusal(io, logger, async () => {
    const starting = start(invocation, root);
    const served = await unlessAborted(io.signal, starting);
    if (!served) {
      void starting.then(({ end }) => end()).catch(() => undefined); // the process does not wait for it
      return exitCodeBy(io.signal);
    }
    try {
      await announce(served, invocation, logger);
      await aborted(io.signal);
    } catch (error) {
      await served.end();
      throw error;
    }
    return await shutDown(served, io, logger);
  });
}

interface Served {
  readonly live: Snapwire;
  readonly server: SnapwireServer;
  readonly url: string;
  readonly hasBoard: boolean;
  /** Undefined: shared with other nodes. */
  readonly data: DataChoice | undefined;
  readonly projects: readonly FoundProject[];
  readonly identities: Identities;
  readonly plain: readonly string[];
  readonly github: GithubService;
  readonly repositories: ReadonlyMap<string, string>;
  /** Clients are sent elsewhere first. */
  drain(): Promise<void>;
  /** At once. Idempotent. */
  end(): Promise<void>;
}

async function start({ config, io }: Invocation, root: Logger): Promise<Served> {
  checkDataSettings(config);
  checkGithubSettings(config);
  const { port = 4747, host = "127.0.0.1", repo = [io.cwd], allowedOrigins, allowedHosts } = config.values;
  const room = (name: string): Logger => root.child({ room: name });
  const tokens = tokensInForce({
    file: config.values.tokens,
    mustExist: config.origins.tokens !== "default",
    token: config.values.token,
    logger: room("server"),
  });
  const identities = identitiesOf(config, tokens);
  const { authenticate } = identities;
  await assertKnownHost(host);
  assertSafeBind({ host, hasTokens: authenticate !== undefined });
  const shared = sharedJournal(config.values.journal, room("journal"));
  const found = await createGitSource({ repositories: repo, logger: room("sources/git") });
  const git = { ...found, name: sourceName(config.values.journal) };
  const repository = git.repositoriesFound[0]?.path ?? io.cwd;
  const data = shared
    ? undefined
    : await chooseData(config, { env: io.env, repository, logger: room("journal") });
  const journal = shared ?? (data?.kind === "folder" ? data.journal : undefined);
  const projects = githubProjects(config.values, git);
  const { repositories } = projects;
  const live = createSnapwire({
    sources: [git],
    github: { repositories },
    workspaceAt: (path) => git.workspaceAt(path),
    logger: room("snapwire"),
    ...(journal && { journal }),
  });
  const github = githubService(config, live, projects, room("github"));
  const board = createBoard();
  const plain = servedEndpoints({ config, live, git, github, room });
  const server = createSnapwireServer({
    live,
    board,
    plain,
    router: createSnapwireRouter({ live, logger: room("router") }),
    authenticate,
    logger: room("server"),
    ...(allowedOrigins && { allowedOrigins }),
    ...(allowedHosts && { allowedHosts }),
  });
  let takeBack = (): void => undefined;
  const end = async (): Promise<void> => {
    await github.stop();
    await server.close();
    takeBack();
    await live.stop();
  };
  try {
    await live.start();
    const url = await listen(server, port, host, SEVERAL);
    if (data?.kind === "folder") takeBack = sayServedAt(data.folder, addressOf(url).near);
    return {
      live,
      server,
      url,
      hasBoard: board !== undefined,
      data,
      projects: git.repositoriesFound,
      identities,
      plain: [...plain.sockets.keys()],
      github,
      repositories: repositories(),
      drain: async () => {
        await github.stop();
        await server.drain({ deadlineMs: DRAIN_MS });
        takeBack();
        await live.stop();
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The addresses at once, the workspaces when the first look at the repositories is done. */
async function announce(served: Served, { io, config }: Invocation, logger: Logger): Promise<void> {
  const { live, url, hasBoard, data, projects, identities, plain, github, repositories } = served;
  const address = addressOf(url);
  const needsToken = identities.authenticate !== undefined;
  logger.info(
    { url, authentication: needsToken, projects: projects.map(({ projectId }) => projectId) },
    "serving",
  );
  for (const line of [...addressLines(address, hasBoard), ...plainLines(plain), ...projectLines(projects)])
    say(io.stdout, line);
  if (hasBoard && config.values.open && mayOpenBrowser(io)) openBrowser(address.near, logger);
  const found = await firstLook(live, projects, io.signal);
  if (found) {
    logger.info({ workspaces: found.entries.length, complete: found.complete }, "workspaces found");
    for (const line of workspaceLines(found.entries, found.complete)) say(io.stdout, line);
  }
  github.start(); // what it asks for is what is worked on: that had to be known first
  if (data) say(io.stdout, dataLine(data));
  else if (config.values.journal !== undefined) say(io.stdout, sharedLine(config.values.journal));
  for (const line of githubLines({ ...github, repositories })) say(io.stdout, line);
  for (const line of strayGithubLines(config.values.github ?? [], live.projects.all)) say(io.stdout, line);
  for (const line of [tokenLine(identities), watchLine(address, needsToken), ""]) say(io.stdout, line);
}

/** What a new subscriber of each project is told first; `undefined` when we are to end before that. */
async function firstLook(
  live: Snapwire,
  projects: readonly FoundProject[],
  signal: AbortSignal,
): Promise<{ entries: readonly WorkspaceEntry[]; complete: boolean } | undefined> {
  const fulls = projects.map(async ({ projectId }) => {
    const subscription = live.feed.join(projectId);
    const begin = (): Promise<void> => live.feed.begin(subscription, undefined);
    for await (const { data } of iterate(subscription, { begin, signal }))
      if (data.type === "snapshot_full") return data;
    return undefined;
  });
  const told = await unlessAborted(signal, Promise.all(fulls));
  if (!told) return undefined;
  return {
    entries: told.flatMap((full) => full?.entries ?? []),
    complete: told.every((full) => full?.complete),
  };
}

async function shutDown({ server, drain }: Served, io: CliIo, logger: Logger): Promise<ExitCode> {
  const by = String(io.signal.reason);
  const { sockets } = server.stats();
  logger.info({ signal: by, sockets }, "draining");
  const clients = sockets === 1 ? "1 client is" : `${sockets} clients are`;
  say(io.stdout, `Stopping.${sockets === 0 ? "" : ` ${clients} sent elsewhere.`} Once more ends it at once.`);
  const begun = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), OVER_MS);
  });
  const work = drain();
  const outcome = await Promise.race([work, late]);
  clearTimeout(timer);
  const ms = Math.round(performance.now() - begun);
  if (outcome === "late") {
    void work.catch(() => undefined);
    throw new CliFailure(
      EXIT.failure,
      `Not everything ended within ${OVER_MS / 1000} s; ending all the same.`,
    );
  }
  logger.info({ ms }, "stopped");
  say(io.stdout, "Stopped.");
  return exitCodeBy(io.signal);
}

function exitCodeBy(signal: AbortSignal): ExitCode {
  return signal.reason === "SIGINT" ? EXIT.interrupted : EXIT.ok;
}
