/**
 * Takes the teeth out of a repository's own filters.
 *
 * To compare a file git may run `filter.<name>.clean` from the configuration, and git has no switch against it. A
 * person's own filters (such as the usual one for large files, set up once for all repositories) stay; one that only the
 * repository's configuration names is replaced by the person's own of that name, else by none.
 */
import { join } from "node:path";
import { createFlight } from "./flight.ts";
import type { GitSettings } from "./git-environment.ts";
import { exists, stampsOf } from "./git-files.ts";
import type { GitRunner } from "./git-runner.ts";
import type { Repository, Worktree } from "./repository.ts";

/** What is said in place of a repository's own value, when the person has none: nothing, but for the one truth value. */
const harmless = (name: string): string => (name.endsWith(".required") ? "false" : "");
const OF_THE_REPOSITORY: ReadonlySet<string> = new Set(["local", "worktree"]);

/** Reads `git config --show-scope -z --get-regexp '^filter\.'`: scope NUL name NEWLINE value NUL, in order of weight. */
export function harmlessFilters(output: string): GitSettings {
  const settings = new Map<string, string>();
  const own = new Map<string, string>();
  const parts = output.split("\0");
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const scope = parts[index] ?? "";
    const entry = parts[index + 1] ?? "";
    const end = entry.indexOf("\n");
    const name = end < 0 ? entry : entry.slice(0, end);
    // A name without a value means true; no command is called that.
    const value = end < 0 ? "true" : entry.slice(end + 1);
    if (!OF_THE_REPOSITORY.has(scope)) own.set(name, value);
    else settings.set(name, own.get(name) ?? harmless(name));
  }
  return [...settings];
}

export interface FilterMemo {
  filters?: { readonly stamp: string; readonly settings: GitSettings } | undefined;
}

/** The settings under which a comparison in the worktree runs no program of the repository's choice. */
export type RepositoryFilters = (
  worktree: Worktree,
  memo: FilterMemo,
  signal?: AbortSignal,
) => Promise<GitSettings>;

export function createRepositoryFilters(runner: GitRunner, repository: Repository): RepositoryFilters {
  const sharedMemo: FilterMemo = {};
  const shared = createFlight((signal) => read(repository.commonDir, sharedMemo, signal));

  async function read(gitDir: string, memo: FilterMemo, signal?: AbortSignal): Promise<GitSettings> {
    const stamp = await stampsOf([join(repository.commonDir, "config"), join(gitDir, "config.worktree")]);
    if (memo.filters?.stamp === stamp) return memo.filters.settings;
    const args = [`--git-dir=${gitDir}`, "config", "--show-scope", "-z", "--get-regexp", "^filter\\."];
    const { output } = await runner.run({ args, answers: [0, 1], subject: gitDir }, signal);
    const settings = harmlessFilters(output);
    memo.filters = { stamp, settings };
    return settings;
  }

  return async (worktree, memo, signal) => {
    // Settings of a single worktree are rare: without them one answer serves the whole repository.
    const own = !worktree.main && (await exists(join(worktree.gitDir, "config.worktree")));
    return own ? await read(worktree.gitDir, memo, signal) : await shared(signal);
  };
}
