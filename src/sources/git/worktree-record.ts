/** What is remembered of a listed worktree between reads; dropped with the worktree. */
import { join } from "node:path";
import { type FileTrace, traceOfFile } from "./git-files.ts";
import type { Worktree } from "./repository.ts";
import type { WorktreeMemo } from "./repository-reads.ts";

export interface WorktreeRecord {
  readonly memo: WorktreeMemo;
  /** What the last read saw of the work tree; `unread` before the first one, `failed` after one that was not whole. */
  seen: { readonly state: "unread" | "failed" } | { readonly state: "read"; readonly digest: string };
  /** What the last read saw of HEAD and index. */
  gitDirStamp: string | undefined;
  createdAt: string | undefined;
  /** When HEAD last moved, as read from the log that had this stamp. */
  moved: { readonly stamp: string; readonly ms: number | undefined } | undefined;
  /** News that the poll already told: told once, whether or not anybody reads. */
  told: string | undefined;
  toldStamp: string | undefined;
  /** Its branch, as of the last read. */
  branch: string | null;
  everRead: boolean;
  /** In the log once, until it can be read again. */
  complained: boolean;
  /** Looks in a row that found nothing new. */
  quiet: number;
  /** Polls to leave out before the next look. */
  rest: number;
}

export function createWorktreeRecord(): WorktreeRecord {
  return {
    memo: {},
    seen: { state: "unread" },
    gitDirStamp: undefined,
    createdAt: undefined,
    moved: undefined,
    told: undefined,
    toldStamp: undefined,
    branch: null,
    everRead: false,
    complained: false,
    quiet: 0,
    rest: 0,
  };
}

const LOOKS_PER_STEP = 6;
const MOST_RARELY = 4;

/**
 * Where nobody works we look more rarely: six times at every poll, six times at every second, at every third, and from
 * then on at every fourth. A read counts as a look.
 */
export function rest(record: WorktreeRecord): void {
  record.rest = Math.min(MOST_RARELY, 1 + Math.floor(record.quiet / LOOKS_PER_STEP)) - 1;
}

export function wake(record: WorktreeRecord): void {
  record.quiet = 0;
  record.rest = 0;
}

/** HEAD and index without a git; a linked worktree's HEAD moves with its branch only in its log. */
export interface GitDirTrace {
  readonly stamp: string;
  readonly head: FileTrace;
  readonly index: FileTrace;
  readonly log: FileTrace;
}

export async function traceOfGitDir({ gitDir }: Worktree): Promise<GitDirTrace> {
  const [head, index, log] = await Promise.all([
    traceOfFile(join(gitDir, "HEAD")),
    traceOfFile(join(gitDir, "index")),
    traceOfFile(join(gitDir, "logs", "HEAD")),
  ]);
  return { stamp: `${head.stamp} ${index.stamp} ${log.stamp}`, head, index, log };
}
