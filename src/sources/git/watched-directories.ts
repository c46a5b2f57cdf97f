/**
 * Which directories are watched, and what a name that changes in one of them means. Two for each worktree and at most
 * five for each repository, all inside git directories: never a work tree, whatever its size.
 */
import { basename, dirname, join } from "node:path";
import type { Base } from "./base-branch.ts";
import type { Repository, Worktree } from "./repository.ts";

export type Place = "common" | "worktrees" | "git-dir" | "logs" | "heads" | "base";

export type Meaning =
  /** This worktree's HEAD or index. */
  | "worktree"
  /** A worktree came, went or moved. */
  | "list"
  /** The default branch may have moved. */
  | "base"
  /** The branch of that name moved: whoever has it checked out is affected. */
  | "branch"
  /** A directory that is wanted may have come into being. */
  | "directories"
  /** The system lost track. */
  | "everything"
  | "nothing";

export interface WatchedDirectory {
  readonly path: string;
  readonly place: Place;
  /** Whose HEAD and index are here. */
  readonly worktree?: Worktree | undefined;
}

const IN_COMMON: ReadonlyMap<string, Meaning> = new Map([
  ["HEAD", "worktree"],
  ["index", "worktree"],
  ["packed-refs", "base"],
  ["FETCH_HEAD", "base"],
  ["config", "base"],
  ["shallow", "base"],
  ["worktrees", "list"],
  ["refs", "directories"],
  ["logs", "directories"],
]);

const IN_GIT_DIR: ReadonlyMap<string, Meaning> = new Map([
  ["HEAD", "worktree"],
  ["index", "worktree"],
  ["gitdir", "list"],
  ["locked", "list"],
  ["FETCH_HEAD", "base"],
  ["logs", "directories"],
]);

export function meaningOf(place: Place, name: string | null): Meaning {
  if (name === null) return "everything";
  // Git writes beside the file and renames: the lock says nothing that the rename does not say.
  if (name.endsWith(".lock")) return "nothing";
  switch (place) {
    case "common":
      return IN_COMMON.get(name) ?? "nothing";
    case "git-dir":
      return IN_GIT_DIR.get(name) ?? "nothing";
    case "logs":
      return name === "HEAD" ? "worktree" : "nothing";
    case "worktrees":
      return "list";
    case "heads":
      return "branch";
    case "base":
      return "base";
  }
}

export function watchedDirectories(
  repository: Repository,
  worktrees: readonly Worktree[],
  base: Base | null,
): WatchedDirectory[] {
  const { commonDir } = repository;
  const directories: WatchedDirectory[] = [];
  const heads = join(commonDir, "refs", "heads");
  const origin = join(commonDir, "refs", "remotes", "origin");
  const ofBase = base === null ? origin : join(commonDir, dirname(base.ref));
  for (const worktree of worktrees) {
    directories.push({ path: worktree.gitDir, place: worktree.main ? "common" : "git-dir", worktree });
    directories.push({ path: join(worktree.gitDir, "logs"), place: "logs", worktree });
  }
  if (!worktrees.some((worktree) => worktree.main)) directories.push({ path: commonDir, place: "common" });
  directories.push({ path: join(commonDir, "worktrees"), place: "worktrees" });
  directories.push({ path: heads, place: "heads" });
  if (origin !== heads) directories.push({ path: origin, place: "base" });
  if (ofBase !== heads && ofBase !== origin) directories.push({ path: ofBase, place: "base" });
  return directories;
}

/** Whether a branch directly below `refs/heads` is the one that is compared with. */
export function isBase(base: Base | null, name: string): boolean {
  return base !== null && basename(base.ref) === name && dirname(base.ref) === "refs/heads";
}
