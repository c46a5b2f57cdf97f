/**
 * Real repositories in temporary folders, and a listener that stands where the reconciler stands.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { vi } from "vitest";
import type { SourceContext, SourceRow, UnreadableRow } from "../../src/sources/source.ts";

// Neither the settings of the machine nor those of the person who runs the tests.
process.env.GIT_CONFIG_GLOBAL = "/dev/null";
process.env.GIT_CONFIG_NOSYSTEM = "1";

export const WHO = {
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.invalid",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.invalid",
};

export interface TemporaryFolder extends Disposable {
  readonly path: string;
}

export function temporaryFolder(): TemporaryFolder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "snapwire-git-")));
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}

export function git(folder: string, ...args: string[]): string {
  return execFileSync("git", ["-C", folder, ...args], {
    encoding: "utf8",
    env: { ...process.env, ...WHO },
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}

export function write(folder: string, file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), content);
}

/** A named pipe that nobody writes to. */
export function pipe(path: string): void {
  execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", path]);
}

/** Lines 1 to `count`. */
export function lines(count: number): string {
  return Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join("");
}

export interface TestRepository extends Disposable {
  /** Holds the repository and whatever a test puts beside it. */
  readonly room: string;
  readonly path: string;
  /** Runs git in the main folder. */
  git(...args: string[]): string;
  /** Writes, stages and commits one file, in the main folder or another one. */
  commit(file: string, content: string | Uint8Array, folder?: string): string;
  /** Adds a worktree beside the main folder, on a branch of its own name. */
  worktree(name: string, ...args: string[]): string;
}

/** A repository called `app` on `main`, with one commit of `readme` unless it is to be empty. */
export function createRepository({ name = "app", empty = false, bare = false } = {}): TestRepository {
  const folder = temporaryFolder();
  const path = join(folder.path, name);
  mkdirSync(path, { recursive: true });
  execFileSync("git", ["init", "-q", "-b", "main", ...(bare ? ["--bare"] : []), path]);
  const repository: TestRepository = {
    room: folder.path,
    path,
    git: (...args) => git(path, ...args),
    commit(file, content, into = path) {
      write(into, file, content);
      git(into, "add", "--", file);
      git(into, "commit", "-qm", `change ${JSON.stringify(file)}`);
      return git(into, "rev-parse", "HEAD");
    },
    worktree(worktreeName, ...args) {
      const target = join(folder.path, worktreeName);
      git(path, "worktree", "add", "-q", ...(args.length > 0 ? args : ["-b", worktreeName]), target);
      return target;
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
  if (!empty && !bare) repository.commit("readme", lines(10));
  return repository;
}

export interface RecordedContext extends SourceContext {
  /** Ids in the order in which they were invalidated. */
  readonly invalidated: string[];
  readonly fresh: (readonly [projectId: string, fresh: boolean, reason: string | undefined])[];
  lists: number;
  clear(): void;
}

export function recordedContext(): RecordedContext {
  const context: RecordedContext = {
    invalidated: [],
    fresh: [],
    lists: 0,
    invalidate: (workspaceId) => void context.invalidated.push(workspaceId),
    invalidateList() {
      context.lists += 1;
    },
    report() {},
    setFresh: (projectId, fresh, reason) => void context.fresh.push([projectId, fresh, reason]),
    clear() {
      context.invalidated.length = 0;
      context.fresh.length = 0;
      context.lists = 0;
    },
  };
  return context;
}

/** No signal of a test is ever aborted, unless the test is about that. */
export const never = new AbortController().signal;

function isRow(row: SourceRow | UnreadableRow | undefined): row is SourceRow {
  return row !== undefined && !("error" in row);
}

type Reader = { read(ids: readonly string[], signal: AbortSignal): unknown };

/** Waits for a fact, for as long as a busy machine may need. */
export async function eventually(fact: () => unknown, interval = 20): Promise<void> {
  await vi.waitFor(fact, { timeout: 20_000, interval });
}

/** The row of one workspace; throws when there is none. */
export async function rowOf(source: Reader, workspaceId: string): Promise<SourceRow> {
  const rows = (await source.read([workspaceId], never)) as readonly (SourceRow | UnreadableRow)[];
  const [row] = rows;
  if (!isRow(row)) throw new Error(`no row of ${workspaceId}: ${JSON.stringify(rows)} ${String(row?.error)}`);
  return row;
}
