/**
 * Which worktrees a repository has. Git says which there are, and in what condition; the name of each one's directory
 * below `.git/worktrees/`, which no git command prints, comes from the directories themselves.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { canonical, exists, folderOf, ownerOf, stampOf } from "./git-files.ts";
import type { GitRunner } from "./git-runner.ts";
import { inRepository, type Listing, type Repository, type Worktree } from "./repository.ts";
import { workspaceIdOf } from "./workspace-ids.ts";

/** Files open at a time: far below what a process may hold, with any number of worktrees. */
const FILES_AT_A_TIME = 32;

export interface ListedWorktree {
  readonly path: string;
  readonly bare: boolean;
  readonly locked: boolean;
  readonly prunable: boolean;
}

/** Reads `git worktree list --porcelain -z`: a line ends with a NUL, a worktree with one more; reasons hold any text. */
export function parseWorktreeList(output: string): ListedWorktree[] {
  const listed: ListedWorktree[] = [];
  let lines: string[] = [];
  for (const line of output.split("\0")) {
    if (line !== "") {
      lines.push(line);
      continue;
    }
    const path = lines.find((one) => one.startsWith("worktree "))?.slice("worktree ".length);
    const has = (word: string): boolean => lines.some((one) => one === word || one.startsWith(`${word} `));
    if (path !== undefined) {
      listed.push({ path, bare: has("bare"), locked: has("locked"), prunable: has("prunable") });
    }
    lines = [];
  }
  return listed;
}

export async function listWorktrees(
  runner: GitRunner,
  repository: Repository,
  signal?: AbortSignal,
): Promise<Listing> {
  const files = pLimit(FILES_AT_A_TIME);
  const directory = (name: string): string => join(repository.commonDir, "worktrees", name);
  // Before git looks, so that whatever changes during the look shows as outdated afterwards.
  const stamps = await files.map(await namesIn(repository), async (name) => ({
    name,
    stamp: await stampOf(join(directory(name), "gitdir")),
  }));
  const args = inRepository(repository, "worktree", "list", "--porcelain", "-z");
  const { output } = await runner.run({ args, subject: repository.commonDir }, signal);
  const [first, ...others] = parseWorktreeList(output);
  const byPath = new Map(others.map((one) => [one.path, one]));
  const find = async (folder: string): Promise<ListedWorktree | undefined> => {
    const listed = byPath.get(folder);
    if (listed !== undefined) return listed;
    // Named through a link, by git or by the file: few are, so only these are looked up.
    const target = await canonical(folder);
    for (const one of others) if ((await canonical(one.path)) === target) return one;
    return undefined;
  };

  const present: Worktree[] = [];
  const vanished: Worktree[] = [];
  if (first !== undefined && !first.bare && repository.mainPath !== null) {
    const main = worktreeOf(repository, null, repository.mainPath, false, "");
    ((await exists(main.path)) ? present : vanished).push(main);
  }
  const marks = await files.map(stamps, async ({ name, stamp }) => {
    const gitDir = directory(name);
    const folder = await folderOf(gitDir);
    const owner = folder === undefined ? "nobody" : await ownerOf(folder, gitDir);
    const mark = { name, stamp, folder, there: owner !== "nobody" };
    const listed = folder === undefined ? undefined : await find(folder);
    // Without a folder or unknown to git: being made, or being removed. And a folder that was made anew, or copied
    // together with its repository, belongs to the one that its `.git` file names.
    if (folder === undefined || listed === undefined || owner === "another") return mark;
    const worktree = worktreeOf(repository, name, folder, listed.locked, stamp);
    // A locked one counts although its folder is away: that is what locking is for (a disk that is not always there).
    (listed.locked || (owner === "this" && !listed.prunable) ? present : vanished).push(worktree);
    return mark;
  });
  const byName = (a: Worktree, b: Worktree): number =>
    Number(b.main) - Number(a.main) || (a.gitDir < b.gitDir ? -1 : 1);
  return { present: present.sort(byName), vanished: vanished.sort(byName), marks };
}

/** Whether the worktrees are other ones than when this was listed. Starts no git. */
export async function isOutdated(repository: Repository, listing: Listing): Promise<boolean> {
  const names = await namesIn(repository);
  if (names.join("\0") !== listing.marks.map((mark) => mark.name).join("\0")) return true;
  const changed = await pLimit(FILES_AT_A_TIME).map(listing.marks, async (mark) => {
    const stamp = await stampOf(join(repository.commonDir, "worktrees", mark.name, "gitdir"));
    if (stamp !== mark.stamp) return true;
    return mark.folder !== undefined && (await exists(join(mark.folder, ".git"))) !== mark.there;
  });
  return changed.includes(true);
}

/** Whether the folder of a listed worktree is where it was. */
export async function isThere(worktree: Worktree): Promise<boolean> {
  return worktree.locked || (await exists(worktree.main ? worktree.path : join(worktree.path, ".git")));
}

/** Whether a listed worktree is away by now: what a failed read asks before it calls itself a failure. */
export async function hasVanished(worktree: Worktree): Promise<boolean> {
  if (worktree.main) return (await exists(worktree.gitDir)) && !(await exists(worktree.path));
  if (!(await exists(worktree.repository.commonDir))) return false;
  if (!(await exists(worktree.gitDir))) return true;
  return !worktree.locked && (await ownerOf(worktree.path, worktree.gitDir)) !== "this";
}

/** Whether git has a directory for it: says so without a git. */
export async function isKnownToGit(repository: Repository, workspaceId: string): Promise<boolean> {
  const names = await namesIn(repository);
  return names.some((name) => workspaceIdOf(repository.projectId, name) === workspaceId);
}

async function namesIn(repository: Repository): Promise<string[]> {
  const found = await readdir(join(repository.commonDir, "worktrees")).catch(() => []);
  return found.sort();
}

function worktreeOf(
  repository: Repository,
  name: string | null,
  path: string,
  locked: boolean,
  identity: string,
): Worktree {
  return {
    workspaceId: workspaceIdOf(repository.projectId, name),
    repository,
    path,
    gitDir: name === null ? repository.commonDir : join(repository.commonDir, "worktrees", name),
    main: name === null,
    locked,
    identity,
  };
}
