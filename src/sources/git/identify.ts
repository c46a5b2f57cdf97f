/** From any path to the repository around it, or a refusal that says what to do. */
import { resolve } from "node:path";
import { SnapwireError } from "../../protocol/errors.ts";
import { canonical } from "./git-files.ts";
import { GitFailure, type GitRunner } from "./git-runner.ts";
import { parseWorktreeList } from "./worktree-listing.ts";

/** `git worktree list -z` came with it, and without `-z` a folder's name can forge lines. */
const OLDEST = [2, 36] as const;

export interface FoundRepository {
  readonly path: string;
  readonly commonDir: string;
  readonly mainPath: string | null;
}

/** @throws {@link SnapwireError} `unavailable` when there is no git, or an old one. */
export async function requireGit(runner: GitRunner): Promise<void> {
  const needed = OLDEST.join(".");
  let output: string;
  try {
    output = (await runner.run({ args: ["version"] })).output;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SnapwireError(
      "unavailable",
      `git could not be run (${why}). Install git ${needed} or newer, and see that it is on PATH.`,
      { cause },
    );
  }
  const [, major = "0", minor = "0"] = /(\d+)\.(\d+)/.exec(output) ?? [];
  if (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])) return;
  throw new SnapwireError(
    "unavailable",
    `${output.trim()} is too old: ${needed} or newer is needed, to list worktrees safely. Update git and start again.`,
  );
}

/**
 * @throws {@link SnapwireError} `invalid-input` for a path in no repository, or in one that git refuses to read. Git's own
 * check of the owner (`safe.directory`) happens here: everything later names the directories found here.
 */
export async function identifyRepository(runner: GitRunner, given: string): Promise<FoundRepository> {
  const path = resolve(given);
  // One question, one answer: paths may hold newlines, and `rev-parse` separates by newlines.
  const ask = async (...question: string[]): Promise<string> => {
    const args = ["-C", path, "rev-parse", "--path-format=absolute", ...question];
    return (await runner.run({ args })).output.replace(/\n$/, "");
  };
  try {
    const commonDir = await canonical(await ask("--git-common-dir"));
    const gitDir = await canonical(await ask("--git-dir"));
    const args = [`--git-dir=${commonDir}`, "worktree", "list", "--porcelain", "-z"];
    const [first] = parseWorktreeList((await runner.run({ args })).output);
    const listed = first === undefined ? commonDir : await canonical(first.path);
    if (first?.bare) return { path: listed, commonDir, mainPath: null };
    // Git derives the main folder from the name of the git directory, which is wrong for one that lies elsewhere.
    const own = gitDir === commonDir ? await ask("--show-toplevel").catch(() => undefined) : undefined;
    const mainPath = own ?? (listed === commonDir ? null : listed);
    return { path: mainPath ?? commonDir, commonDir, mainPath };
  } catch (cause) {
    throw refusal(path, cause);
  }
}

/** What git said about a path, for a person; whatever git did not say passes as it is. */
export function refusal(path: string, cause: unknown): unknown {
  if (!(cause instanceof GitFailure)) return cause;
  const shown = JSON.stringify(path);
  if (/not a git repository/i.test(cause.message)) {
    return new SnapwireError(
      "invalid-input",
      `${shown} is not in a git repository. Name a folder that is in one, or make one with: git -C ${shown} init`,
      { cause },
    );
  }
  if (/cannot change to/i.test(cause.message)) {
    return new SnapwireError(
      "invalid-input",
      `${shown} cannot be opened as a folder. See that it exists, is a folder, and may be read.`,
      { cause },
    );
  }
  const fix = /dubious ownership/i.test(cause.message)
    ? `It belongs to somebody else. If you trust it: git config --global --add safe.directory ${shown}`
    : "See what git itself says there.";
  return new SnapwireError("invalid-input", `git cannot read ${shown}: ${cause.message}. ${fix}`, { cause });
}
