/**
 * What no watch tells: edits in a work tree that were not staged, folders that were deleted, repositories that went away.
 * And, where watches ran out, everything else. Says only *that* something changed, and only once for each change.
 */
import pLimit from "p-limit";
import type { Logger } from "../../log.ts";
import type { SourceContext } from "../source.ts";
import { exists } from "./git-files.ts";
import type { Worktree } from "./repository.ts";
import type { RepositoryState } from "./repository-state.ts";
import { isOutdated } from "./worktree-listing.ts";
import { rest, traceOfGitDir, type WorktreeRecord, wake } from "./worktree-record.ts";

/** Looks at a time: few, so that a read that somebody waits for does not stand in line behind them. */
const LOOKS_AT_A_TIME = 2;

export interface PollOptions {
  readonly context: SourceContext;
  readonly logger: Logger;
  /** At which of its lists a repository's was last said to be outdated. */
  readonly toldLists: Map<RepositoryState, number>;
  /** Says that a repository is away. */
  readonly onUnreachable: (state: RepositoryState) => void;
}

/** Looks at one repository without git: whether it is there, and whether its worktrees are the listed ones. */
export async function pollListing(state: RepositoryState, options: PollOptions): Promise<void> {
  const there = await exists(state.repository.commonDir);
  if (!there) {
    if (state.unreachable === undefined) options.onUnreachable(state);
    return;
  }
  const { refreshes } = state;
  if (options.toldLists.get(state) === refreshes) return;
  if (state.unreachable === undefined && !(await isOutdated(state.repository, state.listing))) return;
  options.toldLists.set(state, refreshes);
  options.context.invalidateList();
}

/** Where events cannot be relied on: whether HEAD or index changed. Without git. */
export async function pollGitDirs(state: RepositoryState, options: PollOptions): Promise<void> {
  for (const worktree of state.listing.present) {
    const record = state.recordOf(worktree);
    const { stamp } = await traceOfGitDir(worktree);
    const known = record.toldStamp ?? record.gitDirStamp;
    if (stamp !== record.gitDirStamp && stamp !== record.toldStamp) {
      record.toldStamp = stamp;
      if (known !== undefined) tell(worktree, record, options);
    }
  }
}

/** One `git status` for each worktree that is due. */
export async function pollWorkTrees(
  states: readonly RepositoryState[],
  options: PollOptions,
  signal: AbortSignal,
): Promise<void> {
  const due: (readonly [RepositoryState, Worktree, WorktreeRecord])[] = [];
  for (const state of states) {
    if (state.unreachable !== undefined) continue;
    for (const worktree of state.listing.present) {
      const record = state.recordOf(worktree);
      if (record.rest > 0) record.rest -= 1;
      // One that cannot be read is tried again by the reconciler, and when its git directory changes.
      else if (!record.complained) due.push([state, worktree, record]);
    }
  }
  await pLimit(LOOKS_AT_A_TIME).map(due, async ([state, worktree, record]) => {
    if (signal.aborted) return;
    try {
      const { trace } = await state.reads.look(worktree, record.memo, signal);
      if (signal.aborted) return;
      compare(worktree, record, trace.digest, options);
    } catch (error) {
      if (signal.aborted) return;
      options.logger.debug({ workspaceId: worktree.workspaceId, error: String(error) }, "a look failed");
    }
  });
}

function compare(worktree: Worktree, record: WorktreeRecord, digest: string, options: PollOptions): void {
  const isNews = record.seen.state !== "read" || record.seen.digest !== digest;
  if (!isNews || record.told === digest) {
    record.quiet += 1;
    rest(record);
    return;
  }
  // Before the first read there is nothing to compare with: whoever reads first will see this.
  const first = record.seen.state === "unread" && record.told === undefined;
  record.told = digest;
  if (!first) tell(worktree, record, options);
}

function tell(worktree: Worktree, record: WorktreeRecord, options: PollOptions): void {
  wake(record);
  options.context.invalidate(worktree.workspaceId, "chatter");
}
