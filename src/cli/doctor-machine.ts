/** Looks at this machine: is what a server needs here. */
import { watch } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGitRunner } from "../sources/git/git-runner.ts";
import { identifyRepository, requireGit } from "../sources/git/identify.ts";
import { parseWorktreeList } from "../sources/git/worktree-listing.ts";
import { type Finding, ok, problem } from "./doctor-check.ts";
import { readHealth } from "./doctor-server.ts";

const OLDEST_NODE = [20, 19] as const;

export function nodeCheck(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const fine = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  if (fine) return ok(`Node ${version}`);
  return problem(
    `Node ${version} is too old`,
    `Install Node ${OLDEST_NODE.join(".")} or newer: https://nodejs.org`,
  );
}

const runner = () => createGitRunner({ concurrency: 2, timeoutMs: 10_000 });

export async function gitCheck(): Promise<Finding> {
  const git = runner();
  try {
    await requireGit(git);
  } catch (error) {
    return problem((error as Error).message, "Install git 2.36 or newer: https://git-scm.com/downloads");
  }
  return ok((await git.run({ args: ["version"] })).output.trim());
}

/**
 * What `serve` would serve from here.
 * @param needed - false where a server elsewhere is what is looked at
 */
export async function repositoryCheck(
  repositories: readonly string[],
  { needed }: { readonly needed: boolean },
): Promise<Finding> {
  const git = runner();
  const found: string[] = [];
  for (const given of repositories) {
    try {
      found.push((await identifyRepository(git, given)).path);
    } catch (error) {
      const { message } = error as Error;
      if (!needed) return ok(`none here, which only a server needs: ${message}`);
      return problem(message, "A server needs one: stand in it, or name it with --repo <folder>.");
    }
  }
  return ok([...new Set(found)].join(", "));
}

/** Per worktree its git directory and its log; per repository what they share. */
const WATCHES_PER_WORKTREE = 2;
const WATCHES_PER_REPOSITORY = 5;
/** Editors and others watch with the same limits: what is left to us is taken to be a quarter. */
const SHARE = 4;
const INOTIFY = "/proc/sys/fs/inotify";
const WATCHES_FIX =
  "Raise it: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512 (and keep it in /etc/sysctl.d).";

/** @param limits - where the limits stand; elsewhere than on Linux there are none to read. */
export async function watchLimitCheck(
  repositories: readonly string[],
  limits: string = INOTIFY,
): Promise<Finding> {
  const { worktrees, found } = await countWorktrees(repositories);
  const needed = worktrees * WATCHES_PER_WORKTREE + found * WATCHES_PER_REPOSITORY;
  const need = `${needed} needed for ${worktrees} ${worktrees === 1 ? "worktree" : "worktrees"}`;
  const [most, instances] = await Promise.all([
    readNumber(join(limits, "max_user_watches")),
    readNumber(join(limits, "max_user_instances")),
  ]);
  if (most !== undefined && needed * SHARE > most)
    return problem(`${need}, and the limit of all programs together is ${most}`, WATCHES_FIX);
  const refused = await refusedWatch();
  if (refused !== undefined)
    return problem(
      `${need}, and the system gives none now (${refused}): others have taken them all`,
      WATCHES_FIX,
    );
  if (most === undefined) return ok(`${need}; this system has no limit to read`);
  return ok(`${need}, the limit is ${most} (of ${instances ?? "?"} programs)`);
}

async function countWorktrees(
  repositories: readonly string[],
): Promise<{ worktrees: number; found: number }> {
  const git = runner();
  let worktrees = 0;
  let found = 0;
  for (const path of repositories) {
    try {
      const { commonDir } = await identifyRepository(git, path);
      const args = [`--git-dir=${commonDir}`, "worktree", "list", "--porcelain", "-z"];
      worktrees += parseWorktreeList((await git.run({ args })).output).length;
      found += 1;
    } catch {
      // No repository, or no git: the doctor may be run anywhere, and `git` has a check of its own.
    }
  }
  return { worktrees, found };
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch(() => "");
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

/** Limits say what could be had; only asking for one says what is left. */
async function refusedWatch(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "snapwire-doctor-"));
  try {
    watch(folder, { persistent: false }, () => undefined).close();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function portCheck(host: string, port: number): Promise<Finding> {
  const code = await listenError(host, port);
  const place = `port ${port} of ${host}`;
  if (code === undefined) return ok(`${place} is free`);
  if (code !== "EADDRINUSE")
    return problem(`${place} cannot be used (${code})`, "Choose another: --port <number>, --host 127.0.0.1.");
  const near =
    host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
  const health = await readHealth(`http://${near}:${port}`).catch(() => undefined);
  if (health) return ok(`${place} is served by Snapwire ${health.version}`);
  return problem(
    `${place} is in use by another program`,
    "Stop that one, or choose another port: --port <number>.",
  );
}

function listenError(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}

const LOOK_MS = 50;
const APART_MS = 25;
const BUILT = Date.UTC(2025, 0, 1);
const CLOCK_FIX = "Let the system keep its clock: sudo timedatectl set-ntp true.";

export interface Clocks {
  wall(): number;
  steady(): number;
}

const systemClocks: Clocks = { wall: () => Date.now(), steady: () => performance.now() };

/** Two clocks over the same moment: one that jumps or runs at another rate makes news look old. */
export async function steadyClockCheck(clocks: Clocks = systemClocks): Promise<Finding> {
  const [wall, steady] = [clocks.wall(), clocks.steady()];
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const apart = Math.abs(clocks.wall() - wall - (clocks.steady() - steady));
  if (apart > APART_MS)
    return problem(`the clock jumped by ${Math.round(apart)} ms while it was looked at`, CLOCK_FIX);
  const shown = new Date(wall).toISOString();
  if (wall < BUILT) return problem(`the clock says ${shown}`, CLOCK_FIX);
  return ok(shown);
}
