/**
 * The git service of one repository: everything that git is asked about it, single flight and cached, all repositories
 * behind the one limit of the runner.
 */
import { join } from "node:path";
import { type BaseAnswer, createBaseBranch } from "./base-branch.ts";
import { type ChangedLines, type ChangeMemo, readChangedLines } from "./change-stats.ts";
import { createFlight, type Flight } from "./flight.ts";
import type { GitSettings } from "./git-environment.ts";
import { symbolicRef } from "./git-files.ts";
import type { GitRunner } from "./git-runner.ts";
import { createOrigin } from "./origin.ts";
import { inWorktree, type Listing, type Repository, type Worktree } from "./repository.ts";
import { createRepositoryFilters, type FilterMemo } from "./repository-filters.ts";
import { parseStatus, STATUS_COMMAND, type Status } from "./status.ts";
import { traceOf, type WorkTreeTrace } from "./work-tree-trace.ts";
import { listWorktrees } from "./worktree-listing.ts";

/** What is remembered of one worktree between two reads; dropped when it leaves the list. */
export type WorktreeMemo = ChangeMemo & FilterMemo;

/** One look at a work tree: its status, and the files that the status names. */
export interface Look {
  readonly status: Status;
  readonly trace: WorkTreeTrace;
  readonly settings: GitSettings;
}

export interface RepositoryReads {
  readonly repository: Repository;
  readonly listing: Flight<Listing>;
  readonly base: Flight<BaseAnswer>;
  /** Where it was cloned from. Costs one process, none while its configuration stays as it is. */
  readonly origin: Flight<string | undefined>;
  /** Costs one process. */
  look(worktree: Worktree, memo: WorktreeMemo, signal?: AbortSignal): Promise<Look>;
  /** Costs at most two processes, none when nothing changed since the last answer. */
  changedLines(
    worktree: Worktree,
    look: Look,
    base: BaseAnswer,
    memo: WorktreeMemo,
    signal?: AbortSignal,
  ): Promise<ChangedLines>;
}

export function createRepositoryReads(
  runner: GitRunner,
  repository: Repository,
  now: () => number,
): RepositoryReads {
  const filters = createRepositoryFilters(runner, repository);
  return {
    repository,
    base: createBaseBranch(runner, repository),
    origin: createOrigin(runner, repository),
    listing: createFlight((signal) => listWorktrees(runner, repository, signal)),
    async look(worktree, memo, signal) {
      const began = now();
      const settings = await filters(worktree, memo, signal);
      const args = inWorktree(worktree, ...STATUS_COMMAND);
      const { output } = await runner.run({ args, settings, subject: worktree.gitDir }, signal);
      const status = await withBranch(worktree, parseStatus(output));
      return { status, trace: await traceOf(worktree.path, status, began), settings };
    },
    changedLines: (worktree, look, from, memo, signal) =>
      readChangedLines(runner, { worktree, ...look, base: from, memo }, signal),
  };
}

/** Git says `(detached)` where there is no branch, and a branch may be called just that. */
async function withBranch(worktree: Worktree, status: Status): Promise<Status> {
  if (status.branch !== "(detached)") return status;
  const head = await symbolicRef(join(worktree.gitDir, "HEAD"));
  return head === "refs/heads/(detached)" ? status : { ...status, branch: null };
}
