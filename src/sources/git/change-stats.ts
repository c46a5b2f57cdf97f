/**
 * How far a worktree has gone from the default branch: files and lines since the merge base, uncommitted work included.
 *
 * What git was asked once is not asked again while the answer must be the same, so that reading an idle worktree costs
 * its one `git status`, and never more than three processes: status, merge base, comparison.
 */
import type { GitStats } from "../../protocol/workspace.ts";
import type { BaseAnswer } from "./base-branch.ts";
import type { GitSettings } from "./git-environment.ts";
import type { GitRunner } from "./git-runner.ts";
import { inWorktree, isObjectName, type Worktree } from "./repository.ts";
import type { Status } from "./status.ts";
import type { WorkTreeTrace } from "./work-tree-trace.ts";

/** The tree without files; git knows it without having it. */
const EMPTY_TREE = {
  sha1: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
  sha256: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
} as const;

/** Renames are found, so that the numbers are those of `git diff --stat` and of a pull request's page. */
const COMPARE = [
  "--numstat",
  "-z",
  "--find-renames",
  "--no-ext-diff",
  "--no-textconv",
  "--ignore-submodules=dirty",
];

export type ChangedLines = Omit<GitStats, "hasUncommitted">;

const NOTHING: ChangedLines = { total: 0, additions: 0, deletions: 0 };

/**
 * Reads `--numstat -z`: additions TAB deletions TAB path NUL, `-` for a binary file; after a rename the path is empty and
 * the two paths follow, each with its NUL.
 */
export function parseNumstat(output: string): ChangedLines {
  const records = output.split("\0");
  let total = 0;
  let additions = 0;
  let deletions = 0;
  for (let index = 0; index < records.length; index += 1) {
    const [, added, deleted, path] = /^(\d+|-)\t(\d+|-)\t([\s\S]*)$/.exec(records[index] ?? "") ?? [];
    if (added === undefined || deleted === undefined) continue;
    if (path === "") index += 2;
    total += 1;
    additions += added === "-" ? 0 : Number(added);
    deletions += deleted === "-" ? 0 : Number(deleted);
  }
  return { total, additions, deletions };
}

/** The last answers for one worktree. */
export interface ChangeMemo {
  mergeBase?: { readonly of: string; readonly commit: string | null } | undefined;
  committed?: { readonly of: string; readonly lines: ChangedLines } | undefined;
  uncommitted?: { readonly of: string; readonly lines: ChangedLines } | undefined;
}

export interface ChangeQuestion {
  readonly worktree: Worktree;
  readonly status: Status;
  readonly base: BaseAnswer;
  readonly trace: WorkTreeTrace;
  readonly settings: GitSettings;
  readonly memo: ChangeMemo;
}

export async function readChangedLines(
  runner: GitRunner,
  question: ChangeQuestion,
  signal?: AbortSignal,
): Promise<ChangedLines> {
  const { worktree, status, settings, trace, memo } = question;
  const ask = async (answers: readonly number[], ...args: string[]): Promise<string> => {
    const command = { args: inWorktree(worktree, ...args), settings, answers, subject: worktree.gitDir };
    return (await runner.run(command, signal)).output;
  };

  const from = await startingPoint(question, ask);
  if (status.changed.length === 0) {
    if (from === status.head || status.head === null) return NOTHING;
    const of = `${from} ${status.head}`;
    if (memo.committed?.of === of) return memo.committed.lines;
    const lines = parseNumstat(await ask([0], "diff-tree", "-r", ...COMPARE, from, status.head, "--"));
    memo.committed = { of, lines };
    return lines;
  }
  const of = `${from} ${trace.digest}`;
  if (memo.uncommitted?.of === of) return memo.uncommitted.lines;
  // Not `git diff`: that one writes the index whatever it is told about locks.
  const lines = parseNumstat(await ask([0], "diff-index", ...COMPARE, from, "--"));
  memo.uncommitted = trace.settled ? { of, lines } : undefined;
  return lines;
}

type Ask = (answers: readonly number[], ...args: string[]) => Promise<string>;

/** The merge base; without one the commit itself, so that the work tree alone counts; before any commit nothing. */
async function startingPoint(question: ChangeQuestion, ask: Ask): Promise<string> {
  const { status, base, memo } = question;
  if (status.head === null) {
    return EMPTY_TREE[status.objectFormat];
  }
  const { head } = status;
  if (base.base === null || base.base.commit === head) return head;
  const of = `${base.base.commit} ${head} ${base.historyStamp}`;
  if (memo.mergeBase?.of !== of) {
    const found = (await ask([0, 1], "merge-base", base.base.commit, head)).trim();
    memo.mergeBase = { of, commit: isObjectName(found) ? found : null };
  }
  return memo.mergeBase.commit ?? head;
}
