/** What this room knows of a repository and of a worktree, and how a git is pointed at them. */

export interface Repository {
  readonly projectId: string;
  /** The main folder, or the bare repository itself. */
  readonly path: string;
  /** Where refs, objects and the worktrees' own directories are; absolute, links resolved. */
  readonly commonDir: string;
  /** The main worktree, if there is one and we know where. */
  readonly mainPath: string | null;
}

export interface Worktree {
  readonly workspaceId: string;
  readonly repository: Repository;
  readonly path: string;
  /** HEAD, index and the log of HEAD are here: the common directory for the main worktree, else one below `worktrees/`. */
  readonly gitDir: string;
  readonly main: boolean;
  readonly locked: boolean;
  /** Differs when another worktree came under the same name, or this one was moved. */
  readonly identity: string;
}

/** A directory below `worktrees/` as it was just before git listed. */
interface ListingMark {
  readonly name: string;
  /** Of its `gitdir` file, which says where the worktree is. */
  readonly stamp: string;
  readonly folder: string | undefined;
  /** Whether the folder had its `.git`. */
  readonly there: boolean;
}

export interface Listing {
  readonly present: readonly Worktree[];
  /** Known to git, but their folder is away: not listed, and looked for, since it may come back. */
  readonly vanished: readonly Worktree[];
  /** By what a later look finds out, without git, whether it is time to list again. */
  readonly marks: readonly ListingMark[];
}

/** An object name: the only thing read from git that is given to git again as an argument. */
const OBJECT_NAME = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function isObjectName(text: string): boolean {
  return OBJECT_NAME.test(text);
}

export function inRepository(repository: Repository, ...args: string[]): string[] {
  return [`--git-dir=${repository.commonDir}`, ...args];
}

/**
 * Names both directories. If git had to find them, a worktree inside another's folder that loses its `.git` file would
 * silently be read as that other one.
 */
export function inWorktree(worktree: Worktree, ...args: string[]): string[] {
  return ["-C", worktree.path, `--git-dir=${worktree.gitDir}`, `--work-tree=${worktree.path}`, ...args];
}
