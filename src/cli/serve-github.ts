/** GitHub, as `serve` knows it: which repository is which project, its webhooks, and the poll. */
import { GithubPoll, repositoryName } from "../github/index.ts";
import type { Counters } from "../health.ts";
import type { Logger } from "../log.ts";
import { githubWebhooks, type PlainEndpoints } from "../server/index.ts";
import type { Snapwire } from "../snapwire.ts";
import type { GitSource } from "../sources/git/git-source.ts";
import type { LoadedConfig } from "./config.ts";
import { durationMs } from "./duration.ts";
import { usageFailure } from "./exit-codes.ts";

/** @throws {@link CliFailure} with the code for usage, for settings of which one is missing. */
export function checkGithubSettings({ values, origins }: LoadedConfig): void {
  if (values.githubPoll === undefined || values.githubToken !== undefined) return;
  throw usageFailure(
    `To ask GitHub (${origins.githubPoll}) needs a token of GitHub's: SNAPWIRE_GITHUB_TOKEN=<token>.`,
  );
}

export interface GithubProjects {
  /** `owner/name` in lower case to project id: what was said, before what git knows. */
  readonly repositories: () => ReadonlyMap<string, string>;
  /** Whether a name is one on GitHub: another forge may have a repository of the same name. */
  isOnGithub(repository: string): boolean;
}

export function githubProjects(
  { github = [], githubApi }: LoadedConfig["values"],
  git: Pick<GitSource, "origins">,
): GithubProjects {
  const said = new Map<string, string>();
  for (const one of github) {
    const at = one.indexOf("=");
    const name = repositoryName(one.slice(0, at));
    if (name !== undefined) said.set(name, one.slice(at + 1));
  }
  const hosts = hostsOf(githubApi);
  return {
    repositories: () => {
      const all = new Map<string, string>();
      for (const [projectId, origin] of git.origins()) {
        const name = repositoryName(origin);
        if (name !== undefined && !all.has(name)) all.set(name, projectId);
      }
      for (const [name, projectId] of said) all.set(name, projectId);
      return all;
    },
    isOnGithub: (repository) =>
      said.has(repository) ||
      [...git.origins().values()].some(
        (origin) => repositoryName(origin) === repository && hosts.has(hostOf(origin)),
      ),
  };
}

export interface GithubService {
  /** Undefined: no secret, so no webhooks. */
  readonly endpoints: PlainEndpoints | undefined;
  readonly polls: boolean;
  /** Begins to ask, where that was wished. */
  start(): void;
  stop(): Promise<void>;
}

export function githubService(
  { values }: LoadedConfig,
  live: Snapwire,
  projects: GithubProjects,
  logger: Logger,
): GithubService {
  const { github } = live;
  const { githubSecret: secrets, githubPoll, githubToken: token, githubApi: api } = values;
  if (!github)
    return { endpoints: undefined, polls: false, start: () => undefined, stop: async () => undefined };
  live.addCounters("github_deliveries", () => github.counts);
  const webhooks = secrets && githubWebhooks({ github, secrets, logger });
  if (webhooks) live.addCounters("github_webhooks", () => webhooks.counts as unknown as Counters);
  const everyMs = githubPoll === undefined ? undefined : durationMs(githubPoll);
  const poll =
    everyMs === undefined || token === undefined
      ? undefined
      : new GithubPoll({
          github: {
            observe: (repository, observations) => github.observe(repository, observations),
            branches: () =>
              new Map([...github.branches()].filter(([repository]) => projects.isOnGithub(repository))),
          },
          token,
          everyMs,
          logger,
          now: Date.now,
          ...(api === undefined ? {} : { api: api.replace(/\/+$/, "") }),
        });
  return {
    endpoints: webhooks,
    polls: poll !== undefined,
    start: () => poll?.start(),
    stop: async () => poll?.stop(),
  };
}

/** An Enterprise server's API is on its own host. */
function hostsOf(api: string | undefined): ReadonlySet<string> {
  const own = api === undefined ? "" : new URL(api).hostname;
  return new Set(own === "" || own === "api.github.com" ? ["github.com", "ssh.github.com"] : [own]);
}

function hostOf(origin: string): string {
  const scp = /^(?:[^@/\s]+@)?([^:/\s]+):(?!\/\/)/.exec(origin)?.[1];
  if (scp !== undefined) return scp.toLowerCase();
  return URL.canParse(origin) ? new URL(origin).hostname.toLowerCase() : "";
}
