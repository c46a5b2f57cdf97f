/** One repository while the source lives: its last good list, whether it can be observed, what is known of each worktree. */

import type { Logger } from "../../log.ts";
import { exists } from "./git-files.ts";
import type { GitRunner } from "./git-runner.ts";
import type { Listing, Repository, Worktree } from "./repository.ts";
import { createRepositoryReads, type RepositoryReads } from "./repository-reads.ts";
import { createWorktreeRecord, type WorktreeRecord } from "./worktree-record.ts";

/** Shown to subscribers as the reason of a project that is not fresh. */
type Unreachable = "repository-gone" | "repository-unreadable";

export interface RepositoryState {
  readonly repository: Repository;
  readonly reads: RepositoryReads;
  /** The last good one: while the repository is away its worktrees are neither there nor gone. */
  readonly listing: Listing;
  readonly unreachable: Unreachable | undefined;
  /** The address of the remote `origin`, as of the last list. */
  readonly origin: string | undefined;
  /** Lists so far, good or not: news about the list that nobody acted on is not told again. */
  readonly refreshes: number;
  /**
   * Lists again. A repository that cannot be listed keeps its last list.
   * @returns the worktrees that were listed before and are other ones now: moved, or made anew under the same name.
   */
  refresh(signal?: AbortSignal): Promise<readonly Worktree[]>;
  markGone(): void;
  recordOf(worktree: Worktree): WorktreeRecord;
  find(workspaceId: string): Worktree | undefined;
}

export interface RepositoryStateOptions {
  readonly runner: GitRunner;
  readonly repository: Repository;
  readonly logger: Logger;
  readonly now: () => number;
  /** Hears when the repository goes away and when it is back. */
  readonly onReach: (state: RepositoryState) => void;
}

/** Lists once; rejects when that fails, since without a first list nobody could tell what is gone. */
export async function openRepository(options: RepositoryStateOptions): Promise<RepositoryState> {
  const { repository, logger } = options;
  const reads = createRepositoryReads(options.runner, repository, options.now);
  const records = new Map<string, WorktreeRecord>();
  let listing = await reads.listing();
  let origin = await reads.origin();
  let byId = index(listing);
  let unreachable: Unreachable | undefined;
  let refreshes = 1;

  function setReach(reason: Unreachable | undefined, error?: unknown): void {
    if (unreachable === reason) return;
    unreachable = reason;
    const facts = { projectId: repository.projectId, path: repository.path };
    if (reason === undefined) logger.info(facts, "a repository can be observed again");
    else logger.warn({ ...facts, reason, error: String(error ?? reason) }, "a repository cannot be observed");
    options.onReach(state);
  }

  const state: RepositoryState = {
    repository,
    reads,
    get listing() {
      return listing;
    },
    get unreachable() {
      return unreachable;
    },
    get origin() {
      return origin;
    },
    get refreshes() {
      return refreshes;
    },
    async refresh(signal) {
      refreshes += 1;
      try {
        listing = await reads.listing(signal);
        origin = await reads.origin(signal);
      } catch (error) {
        signal?.throwIfAborted();
        setReach((await exists(repository.commonDir)) ? "repository-unreadable" : "repository-gone", error);
        return [];
      }
      const before = byId;
      byId = index(listing);
      const others = listing.present.filter((worktree) => {
        const known = before.get(worktree.workspaceId);
        return known !== undefined && known.identity !== worktree.identity;
      });
      for (const { workspaceId } of others) records.delete(workspaceId);
      for (const id of records.keys()) if (!byId.has(id)) records.delete(id);
      setReach(undefined);
      return others;
    },
    markGone: () => setReach("repository-gone"),
    recordOf(worktree) {
      const known = records.get(worktree.workspaceId);
      if (known !== undefined) return known;
      const made = createWorktreeRecord();
      records.set(worktree.workspaceId, made);
      return made;
    },
    find: (workspaceId) => byId.get(workspaceId),
  };
  return state;
}

function index(listing: Listing): Map<string, Worktree> {
  return new Map(listing.present.map((worktree) => [worktree.workspaceId, worktree]));
}
