/** What `serve` answers to clients without tRPC: the endpoints that were chosen, webhooks where there is a secret, and hooks. */
import { HookIntake } from "../agent-hooks/index.ts";
import type { Logger } from "../log.ts";
import { joinEndpoints, type PlainEndpoints, plainEndpoints, sessionHooks } from "../server/index.ts";
import type { Snapwire } from "../snapwire.ts";
import type { GitSource } from "../sources/git/git-source.ts";
import type { LoadedConfig } from "./config.ts";
import type { GithubService } from "./serve-github.ts";

export interface ServedEndpointsOptions {
  readonly config: LoadedConfig;
  readonly live: Snapwire;
  readonly git: Pick<GitSource, "workspaceAt">;
  readonly github: Pick<GithubService, "endpoints">;
  readonly room: (name: string) => Logger;
}

export function servedEndpoints({ config, live, git, github, room }: ServedEndpointsOptions): PlainEndpoints {
  const names = (config.values.plain ?? []).filter((name) => name !== "none");
  const intake = new HookIntake({
    sessions: live.sessions,
    workspaceAt: (path) => git.workspaceAt(path),
    logger: room("hooks"),
    now: Date.now,
  });
  live.addCounters("session_hooks", () => intake.counts);
  return joinEndpoints(
    sessionHooks({ intake, projectOf: (workspaceId) => live.workspaces.projectOf(workspaceId) }),
    ...(github.endpoints ? [github.endpoints] : []),
    plainEndpoints(live, { endpoints: names, logger: room("server") }),
  );
}
