/**
 * What the worktrees of a repository are compared with: `origin/<default>`, else the local default branch.
 *
 * Cached, and believed only as long as none of the files that could change the answer has changed. Watches only make
 * that visible sooner: without any, the answer is the same.
 */
import { join } from "node:path";
import { createFlight, type Flight } from "./flight.ts";
import { stampOf, stampsOf, symbolicRef } from "./git-files.ts";
import type { GitRunner } from "./git-runner.ts";
import { inRepository, isObjectName, type Repository } from "./repository.ts";

export interface Base {
  /** The whole name, such as `refs/remotes/origin/main`. */
  readonly ref: string;
  readonly commit: string;
}

export interface BaseAnswer {
  /** Null: there is no default branch, or it has no commit yet. */
  readonly base: Base | null;
  /** Where history ends in a shallow clone: moves when more of it was fetched, and with it merge bases. */
  readonly historyStamp: string;
}

const ORIGIN = "refs/remotes/origin/";
const LOCAL = "refs/heads/";
const USUAL_NAMES = ["main", "master"];

export function createBaseBranch(runner: GitRunner, repository: Repository): Flight<BaseAnswer> {
  const file = (name: string): string => join(repository.commonDir, name);
  const bare = repository.mainPath === null;
  const always = [
    "packed-refs",
    "config",
    `${ORIGIN}HEAD`,
    "reftable/tables.list",
    ...(bare ? ["HEAD"] : []),
  ];
  let cached:
    | { readonly stamp: string; readonly refs: readonly string[]; readonly answer: BaseAnswer }
    | undefined;

  const stampWith = (refs: readonly string[]): Promise<string> => stampsOf([...always, ...refs].map(file));

  return createFlight(async (signal) => {
    const historyStamp = await stampOf(file("shallow"));
    if (cached !== undefined && cached.answer.historyStamp === historyStamp) {
      if (cached.stamp === (await stampWith(cached.refs))) return cached.answer;
    }
    const headOfOrigin = (await symbolicRef(file(`${ORIGIN}HEAD`))) ?? "";
    const named = headOfOrigin.startsWith(ORIGIN) ? headOfOrigin.slice(ORIGIN.length) : undefined;
    // A bare repository has no work of its own: its HEAD is there to name the default branch.
    const head = bare ? await symbolicRef(file("HEAD")) : undefined;
    const usual = head?.startsWith(LOCAL) ? [head.slice(LOCAL.length), ...USUAL_NAMES] : USUAL_NAMES;
    let refs = candidates(named, usual);
    // Taken before git looks: a change during the look is then seen as one by the next call.
    let stamp = await stampWith(refs);
    let base = await firstOf(runner, repository, refs, signal);
    const configured = base === null ? await initialBranch(runner, repository, signal) : undefined;
    if (configured !== undefined) {
      refs = candidates(named, [...usual, configured]);
      stamp = await stampWith(refs);
      base = await firstOf(runner, repository, refs, signal);
    }
    // What comes after the one that was found cannot change the answer.
    const found = refs.indexOf(base?.ref ?? "");
    if (found >= 0) {
      refs = refs.slice(0, found + 1);
      stamp = stamp
        .split(" ")
        .slice(0, always.length + refs.length)
        .join(" ");
    }
    const answer = { base, historyStamp };
    cached = { stamp, refs, answer };
    return answer;
  });
}

/** In order of preference: what origin names, what origin has, what there is here. */
function candidates(named: string | undefined, usual: readonly string[]): string[] {
  const certain = named === undefined ? [] : [ORIGIN + named, LOCAL + named];
  return [
    ...new Set([...certain, ...usual.map((name) => ORIGIN + name), ...usual.map((name) => LOCAL + name)]),
  ];
}

async function firstOf(
  runner: GitRunner,
  repository: Repository,
  refs: readonly string[],
  signal: AbortSignal,
): Promise<Base | null> {
  const format = "--format=%(refname)%00%(objectname)%00%(symref)";
  const args = inRepository(repository, "for-each-ref", format, `${ORIGIN}HEAD`, ...refs);
  const { output } = await runner.run({ args, subject: repository.commonDir }, signal);
  const commits = new Map<string, string>();
  let preferred = refs;
  for (const line of output.split("\n")) {
    const [ref = "", commit = "", target = ""] = line.split("\0");
    if (!isObjectName(commit)) continue;
    commits.set(ref, commit);
    if (ref !== `${ORIGIN}HEAD` || target === "") continue;
    // Where refs are not files, only git can say what origin's HEAD names.
    commits.set(target, commit);
    preferred = [target, ...refs];
  }
  for (const ref of preferred) {
    const commit = commits.get(ref);
    if (commit !== undefined) return { ref, commit };
  }
  return null;
}

async function initialBranch(
  runner: GitRunner,
  repository: Repository,
  signal: AbortSignal,
): Promise<string | undefined> {
  const args = inRepository(repository, "config", "--get", "init.defaultBranch");
  const { output } = await runner.run({ args, answers: [0, 1], subject: repository.commonDir }, signal);
  const name = output.replace(/\n$/, "");
  return name === "" ? undefined : name;
}
