/** From a worktree to its row. One bad worktree gives a poorer row, or an unreadable one, and never harms another. */
import { basename, join } from "node:path";
import type { Logger } from "../../log.ts";
import type { SourceRow, UnreadableRow } from "../source.ts";
import { exists, isTellable, lastMoveOfHead, madeAt, rfc3339, symbolicRef, textOf } from "./git-files.ts";
import type { Worktree } from "./repository.ts";
import type { Look, RepositoryReads } from "./repository-reads.ts";
import { hasVanished, isThere } from "./worktree-listing.ts";
import { type GitDirTrace, traceOfGitDir, type WorktreeRecord } from "./worktree-record.ts";

const BRANCHES = "refs/heads/";

export interface RowOptions {
  readonly reads: RepositoryReads;
  readonly worktree: Worktree;
  readonly record: WorktreeRecord;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** @returns undefined when the worktree is gone. */
export async function readRow(options: RowOptions): Promise<SourceRow | UnreadableRow | undefined> {
  const { reads, worktree, record, logger, signal } = options;
  const { workspaceId } = worktree;
  const complain = (error: unknown, message: string): void => {
    if (!record.complained) logger.warn({ workspaceId, error: String(error) }, message);
    record.complained = true;
  };
  if (!(await isThere(worktree))) return undefined;
  const gitDir = await traceOfGitDir(worktree);
  record.gitDirStamp = gitDir.stamp;
  record.createdAt ??= await madeAt(worktree.gitDir, worktree.main);
  const row: SourceRow = {
    workspaceId,
    projectId: worktree.repository.projectId,
    name: basename(worktree.path) || worktree.path,
    status: "READY",
    ...(record.createdAt === undefined ? {} : { createdAt: record.createdAt }),
  };
  if (gitDir.index.writtenMs === undefined && (await isBeingMade(worktree))) {
    record.seen = { state: "failed" };
    return { ...row, ...(await branchByFile(worktree)) };
  }

  let look: Look;
  try {
    look = await reads.look(worktree, record.memo, signal);
  } catch (error) {
    signal.throwIfAborted();
    record.seen = { state: "failed" };
    if (await hasVanished(worktree)) return undefined;
    complain(error, "a worktree could not be read; its last good values stay");
    // A worktree that never could be read is still there, and its card says what is certain.
    if (record.everRead) return { workspaceId, error };
    return { ...row, ...(await branchByFile(worktree)) };
  }
  const { status, trace } = look;
  const activity = await lastActivity(worktree, record, gitDir, trace.newestMs);
  const read: SourceRow = {
    ...row,
    branchName: status.branch,
    ...(activity === undefined ? {} : { lastActivityAt: activity }),
  };
  record.everRead = true;
  record.branch = status.branch;
  try {
    const base = await reads.base(signal);
    const lines = await reads.changedLines(worktree, look, base, record.memo, signal);
    record.seen = { state: "read", digest: trace.digest };
    record.complained = false;
    const hasUncommitted = status.changed.length > 0 || status.untracked;
    return { ...read, gitStats: { ...lines, hasUncommitted } };
  } catch (error) {
    signal.throwIfAborted();
    record.seen = { state: "failed" };
    if (await hasVanished(worktree)) return undefined;
    complain(error, "the changes of a worktree could not be counted; the last good numbers stay");
    return read;
  }
}

/**
 * The newest of: HEAD moved (by its log, else by the file), something was staged (the index), a changed tracked file was
 * written. All of them stand still while nobody works; none is the time of our look.
 */
async function lastActivity(
  worktree: Worktree,
  record: WorktreeRecord,
  gitDir: GitDirTrace,
  newestFileMs: number,
): Promise<string | undefined> {
  const { head, index, log } = gitDir;
  if (record.moved?.stamp !== log.stamp) {
    record.moved = { stamp: log.stamp, ms: await lastMoveOfHead(worktree.gitDir) };
  }
  const times = [record.moved.ms ?? head.writtenMs, index.writtenMs, newestFileMs];
  return rfc3339(Math.max(...times.filter(isTellable)));
}

/** While git fills a new worktree there is no index yet, and every file would count as deleted. */
async function isBeingMade(worktree: Worktree): Promise<boolean> {
  if (worktree.main) return false;
  if (await exists(join(worktree.gitDir, "index.lock"))) return true;
  return (await textOf(join(worktree.gitDir, "locked")))?.trim() === "initializing";
}

async function branchByFile(worktree: Worktree): Promise<{ branchName?: string | null }> {
  const head = await symbolicRef(join(worktree.gitDir, "HEAD"));
  if (head === undefined) return {};
  return { branchName: head?.startsWith(BRANCHES) ? head.slice(BRANCHES.length) : null };
}
