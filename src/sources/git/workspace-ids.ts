/** Names that stay: of a project for the folder that it is in, of a workspace for git's own name of the worktree. */
import { createHash } from "node:crypto";
import { basename, dirname } from "node:path";

const MAIN = "main-worktree";
/** No ref-like name holds a `~`, and git makes the names of worktree directories ref-like. */
const LINKED_CALLED_MAIN = `${MAIN}~linked`;
const SHORTEST_SUFFIX = 6;

/** `null` is the main worktree. */
export function workspaceIdOf(projectId: string, name: string | null): string {
  const last = name === null ? MAIN : name === MAIN ? LINKED_CALLED_MAIN : name;
  return `${projectId}/${last}`;
}

/** The folder's own name; of a bare repository that hides beside its worktrees, the name of the folder around it. */
export function folderName(path: string): string {
  const name = basename(path);
  if (name === ".git" || name === ".bare") return folderName(dirname(path));
  return name === "" ? "root" : name;
}

/**
 * A project id for each folder. Where folders share a name the first by path keeps it, and the others get a piece of
 * their path's digest: the same ids after a restart, and in whatever order the folders were given.
 */
export function nameProjects(paths: readonly string[]): Map<string, string> {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  const later: string[] = [];
  for (const path of [...new Set(paths)].sort()) {
    const name = folderName(path);
    if (taken.has(name)) later.push(path);
    else ids.set(path, name);
    taken.add(name);
  }
  for (const path of later) {
    const digest = createHash("sha256").update(path).digest("hex");
    let length = SHORTEST_SUFFIX;
    const idOf = (): string => `${folderName(path)}-${digest.slice(0, length)}`;
    while (taken.has(idOf()) && length < digest.length) length += 1;
    taken.add(idOf());
    ids.set(path, idOf());
  }
  return ids;
}
