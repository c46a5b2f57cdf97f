import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { GitStats } from "../src/protocol/workspace.ts";
import { createGitSource, type GitSource } from "../src/sources/git/index.ts";
import {
  createRepository,
  git,
  lines,
  never,
  pipe,
  rowOf,
  type TestRepository,
  write,
} from "./helpers/git-repository.ts";

const open = (repository: TestRepository): Promise<GitSource> =>
  createGitSource({ repositories: [repository.path] });

async function statsOf(source: GitSource, workspaceId: string): Promise<GitStats | null | undefined> {
  return (await rowOf(source, workspaceId)).gitStats;
}

const CLEAN = { total: 0, additions: 0, deletions: 0, hasUncommitted: false };
const MAIN = "app/main-worktree";

/** Makes `origin` the state of `main` as it is now. */
function addOrigin(app: TestRepository, branch = "main"): void {
  const origin = join(app.room, "origin.git");
  git(app.path, "init", "-q", "--bare", "-b", branch, origin);
  app.git("remote", "add", "origin", origin);
  app.git("push", "-q", "origin", `main:${branch}`);
  app.git("remote", "set-head", "origin", branch);
}

test("files and lines are counted against the merge base, staged and unstaged work included", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  app.commit("main-only", lines(5)); // after the merge base: not the feature's
  app.commit("committed", lines(3), feature);
  write(feature, "staged", lines(4));
  git(feature, "add", "staged");
  write(feature, "readme", lines(12));
  write(feature, "untracked", lines(50));
  const source = await open(app);
  expect(await statsOf(source, "app/feature")).toEqual({
    total: 3,
    additions: 3 + 4 + 2,
    deletions: 0,
    hasUncommitted: true,
  });
  expect(await statsOf(source, MAIN)).toEqual(CLEAN);
});

test("committed work alone is counted, and is not uncommitted", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  app.commit("readme", lines(4), feature);
  expect(await statsOf(await open(app), "app/feature")).toEqual({
    total: 1,
    additions: 0,
    deletions: 6,
    hasUncommitted: false,
  });
});

test("an untracked file is uncommitted and counts in no number", async () => {
  using app = createRepository();
  write(app.path, "new/file", lines(3));
  expect(await statsOf(await open(app), MAIN)).toEqual({ ...CLEAN, hasUncommitted: true });
});

test("an ignored file is nothing", async () => {
  using app = createRepository();
  app.commit(".gitignore", "ignored\n");
  write(app.path, "ignored", lines(3));
  expect(await statsOf(await open(app), MAIN)).toEqual(CLEAN);
});

test("a binary file counts as a file and has no lines", async () => {
  using app = createRepository();
  app.commit("image", new Uint8Array([0, 1, 2, 3]));
  write(app.path, "image", new Uint8Array([0, 9, 9]));
  expect(await statsOf(await open(app), MAIN)).toEqual({
    total: 1,
    additions: 0,
    deletions: 0,
    hasUncommitted: true,
  });
});

test("a deleted file, a changed mode and a conflict are each one changed file", async () => {
  using app = createRepository();
  app.commit("tool", "x\n");
  app.commit("clash", "base\n");
  app.worktree("other");
  app.commit("clash", "theirs\n", join(app.room, "other"));
  app.commit("clash", "ours\n");
  rmSync(join(app.path, "readme"));
  chmodSync(join(app.path, "tool"), 0o755);
  const source = await open(app);
  expect(await statsOf(source, MAIN)).toEqual({
    total: 2,
    additions: 0,
    deletions: 10,
    hasUncommitted: true,
  });
  expect(() => app.git("merge", "other")).toThrow();
  expect(await statsOf(source, MAIN)).toMatchObject({ total: 3, hasUncommitted: true });
});

test("a renamed file is one changed file, with the lines that changed in it", async () => {
  using app = createRepository();
  app.commit("1\t2\tforged", lines(3));
  app.git("mv", "readme", "other name\nof two lines");
  app.git("mv", "1\t2\tforged", "5\t5\t");
  write(app.path, "other name\nof two lines", lines(12));
  expect(await statsOf(await open(app), MAIN)).toEqual({
    total: 2,
    additions: 2,
    deletions: 0,
    hasUncommitted: true,
  });
});

test("a file that was only touched is no change, and reading it writes no index", async () => {
  using app = createRepository();
  app.commit("second", "two\n");
  write(app.path, "second", "changed\n");
  utimesSync(join(app.path, "readme"), 1_000_000, 1_000_000);
  const before = statSync(join(app.path, ".git/index"), { bigint: true });
  const source = await open(app);
  expect(await statsOf(source, MAIN)).toEqual({ total: 1, additions: 1, deletions: 1, hasUncommitted: true });
  const after = statSync(join(app.path, ".git/index"), { bigint: true });
  expect([after.ino, after.mtimeNs]).toEqual([before.ino, before.mtimeNs]);
});

test("origin's default branch is the base, and what was not pushed counts", async () => {
  using app = createRepository();
  addOrigin(app);
  app.commit("local", lines(2));
  const source = await open(app);
  expect(await statsOf(source, MAIN)).toMatchObject({ total: 1, additions: 2 });
  app.git("push", "-q", "origin", "main");
  expect(await statsOf(source, MAIN)).toEqual(CLEAN);
});

test("origin's HEAD says which branch is the default one", async () => {
  using app = createRepository();
  addOrigin(app, "trunk");
  app.commit("local", lines(2));
  const source = await open(app);
  expect(await statsOf(source, MAIN)).toMatchObject({ total: 1 });
  app.git("remote", "remove", "origin"); // now the local main counts
  expect(await statsOf(source, MAIN)).toEqual(CLEAN);
});

test("without a remote the local main or master is the base, else the configured first branch", async () => {
  using app = createRepository();
  const source = await open(app);
  for (const name of ["main", "master", "trunk"]) {
    app.git("branch", "-qM", name);
    app.git("config", "init.defaultBranch", "trunk");
    app.git("switch", "-qC", "work");
    app.commit(`file-${name}`, lines(2));
    expect(await statsOf(source, MAIN), name).toMatchObject({ total: 1, additions: 2 });
    app.git("switch", "-q", name);
    app.git("branch", "-qD", "work");
  }
});

test("a default branch that moves, also inside packed refs, is noticed by the next read", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  app.commit("one", lines(1), feature);
  const source = await open(app);
  expect(await statsOf(source, "app/feature")).toMatchObject({ total: 1 });
  app.git("merge", "-q", "--ff-only", "feature");
  expect(await statsOf(source, "app/feature")).toMatchObject({ total: 0 });
  app.commit("two", lines(1), feature);
  expect(await statsOf(source, "app/feature")).toMatchObject({ total: 1 });
  app.git("merge", "-q", "--ff-only", "feature");
  app.git("pack-refs", "--all");
  expect(await statsOf(source, "app/feature")).toMatchObject({ total: 0 });
});

test("without a merge base, and without a default branch, the work tree alone counts", async () => {
  using app = createRepository();
  app.git("switch", "-q", "--orphan", "island");
  app.commit("island", lines(3));
  write(app.path, "island", lines(5));
  const source = await open(app);
  const alone = { total: 1, additions: 2, deletions: 0, hasUncommitted: true };
  expect(await statsOf(source, MAIN)).toEqual(alone);
  app.git("branch", "-qD", "main");
  expect(await statsOf(source, MAIN)).toEqual(alone);
});

test("of several merge bases one is taken", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  const ours = app.commit("ours", lines(1));
  const theirs = app.commit("theirs", lines(1), feature);
  app.git("merge", "-q", "-m", "criss", theirs);
  git(feature, "merge", "-q", "-m", "cross", ours);
  app.commit("more", lines(2), feature);
  expect(await statsOf(await open(app), "app/feature")).toMatchObject({ hasUncommitted: false, total: 2 });
});

test("an unborn branch has a name, and what is staged counts", async () => {
  using app = createRepository({ empty: true });
  const source = await open(app);
  expect(await rowOf(source, MAIN)).toMatchObject({ branchName: "main", gitStats: CLEAN });
  write(app.path, "first", lines(3));
  expect(await statsOf(source, MAIN)).toEqual({ ...CLEAN, hasUncommitted: true });
  app.git("add", "first");
  expect(await statsOf(source, MAIN)).toEqual({ total: 1, additions: 3, deletions: 0, hasUncommitted: true });
});

test("a repository with SHA-256 names is read, before and after its first commit", async () => {
  using app = createRepository({ empty: true });
  rmSync(join(app.path, ".git"), { recursive: true });
  execFileSync("git", ["init", "-q", "-b", "main", "--object-format=sha256", app.path]);
  write(app.path, "first", lines(3));
  app.git("add", "first");
  const source = await open(app);
  expect(await statsOf(source, MAIN)).toMatchObject({ total: 1, additions: 3 });
  app.git("commit", "-qm", "first");
  const feature = app.worktree("feature");
  app.commit("second", lines(2), feature);
  expect(await statsOf(source, "app/feature")).toMatchObject({ total: 1, additions: 2 });
});

test("a detached head has no branch; a branch that is called so has", async () => {
  using app = createRepository();
  app.worktree("apart", "--detach");
  const source = await open(app);
  expect(await rowOf(source, "app/apart")).toMatchObject({ branchName: null, gitStats: CLEAN });
  git(join(app.room, "apart"), "switch", "-qc", "(detached)");
  expect(await rowOf(source, "app/apart")).toMatchObject({ branchName: "(detached)" });
});

test("a moved submodule counts, and nothing is run inside it", async () => {
  using app = createRepository();
  using library = createRepository({ name: "library" });
  app.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", library.path, "library");
  app.git("commit", "-qm", "with library");
  const source = await open(app);
  write(join(app.path, "library"), "readme", "changed\n");
  expect(await statsOf(source, MAIN)).toEqual(CLEAN);
  app.commit("inside", "x\n", join(app.path, "library"));
  expect(await statsOf(source, MAIN)).toMatchObject({ total: 1, hasUncommitted: true });
});

test("a read costs three processes at most, and one when nothing changed", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  const source = await createGitSource({ repositories: [app.path], now: () => Date.now() + 60_000 });
  const cost = async (): Promise<number> => {
    const before = source.stats().processes;
    await rowOf(source, "app/feature");
    return source.stats().processes - before;
  };
  await cost(); // the repository's own: which filters, which default branch
  expect(await cost()).toBe(1); // status
  app.commit("one", lines(1), feature);
  expect(await cost()).toBe(3); // status, merge base, comparison of two commits
  expect(await cost()).toBe(1);
  write(feature, "readme", lines(11));
  expect(await cost()).toBe(2); // status, comparison with the work tree
  expect(await cost()).toBe(1);
  write(feature, "readme", lines(13));
  expect(await cost()).toBe(2);
  app.commit("two", lines(1), feature);
  write(feature, "readme", lines(14));
  expect(await cost()).toBe(3);
  expect(source.stats().reads).toBe(8);
});

test("a file that is written twice in one instant is counted twice", async () => {
  using app = createRepository();
  const source = await open(app);
  for (let count = 11; count < 30; count += 1) {
    write(
      app.path,
      "readme",
      lines(count % 2 === 0 ? 9 : 11).replace("line 1\n", `line ${"x".repeat(count)}\n`),
    );
    expect((await statsOf(source, MAIN))?.total).toBe(1);
  }
  write(app.path, "readme", lines(10).replace("line 1\n", "line A\n"));
  expect(await statsOf(source, MAIN)).toMatchObject({ additions: 1, deletions: 1 });
  write(app.path, "readme", lines(10).replace("line 1\nline 2\n", "line A\nline B\n"));
  expect(await statsOf(source, MAIN)).toMatchObject({ additions: 2, deletions: 2 });
});

test("activity is the newest of head, index and changed files, and stands still while nobody works", async () => {
  using app = createRepository();
  const source = await open(app);
  const index = join(app.path, ".git/index");
  const activity = async (): Promise<string | null | undefined> => (await rowOf(source, MAIN)).lastActivityAt;
  const moved = Number(/> (\d+) /.exec(readFileSync(join(app.path, ".git/logs/HEAD"), "utf8"))?.[1]);
  utimesSync(index, moved - 100, moved - 100);
  expect(await activity()).toBe(new Date(moved * 1000).toISOString());
  expect(await activity()).toBe(new Date(moved * 1000).toISOString());
  utimesSync(index, moved + 100, moved + 100);
  expect(await activity()).toBe(new Date((moved + 100) * 1000).toISOString());
  write(app.path, "readme", lines(11));
  utimesSync(join(app.path, "readme"), moved + 200, moved + 200);
  expect(await activity()).toBe(new Date((moved + 200) * 1000).toISOString());
  app.git("-c", "gc.reflogExpire=now", "reflog", "expire", "--all"); // what `git gc` does on its own
  expect(await activity()).toBe(new Date((moved + 200) * 1000).toISOString());
});

test("a time that no file can have is not told", async () => {
  using app = createRepository();
  const source = await open(app);
  const before = (await rowOf(source, MAIN)).lastActivityAt;
  const line = `${"0".repeat(40)} ${"0".repeat(40)} A <a@b> 999999999999 +0000\tforged\n`;
  appendFileSync(join(app.path, ".git/logs/HEAD"), line);
  const { lastActivityAt = "" } = await rowOf(source, MAIN);
  expect(lastActivityAt).toBe(new Date(statSync(join(app.path, ".git/index")).mtimeMs).toISOString());
  expect(before?.length).toBe(lastActivityAt?.length);
});

test("a worktree whose index is damaged keeps its last good values, and the others are read", async () => {
  using app = createRepository();
  const broken = app.worktree("broken");
  app.worktree("sound");
  const source = await open(app);
  await rowOf(source, "app/broken");
  const index = join(app.path, ".git/worktrees/broken/index");
  const good = readFileSync(index);
  truncateSync(index, 20);
  const rows = await source.read([MAIN, "app/broken", "app/sound"], never);
  expect(rows.map((row) => [row.workspaceId, "error" in row])).toEqual([
    [MAIN, false],
    ["app/broken", true],
    ["app/sound", false],
  ]);
  writeFileSync(index, good);
  expect(await statsOf(source, "app/broken")).toEqual(CLEAN);
  expect(broken).toContain("broken");
});

test("a worktree that never could be read has a card that says what is certain", async () => {
  using app = createRepository();
  app.worktree("broken");
  truncateSync(join(app.path, ".git/worktrees/broken/index"), 20);
  const row = await rowOf(await open(app), "app/broken");
  expect(row).toMatchObject({ projectId: "app", name: "broken", status: "READY", branchName: "broken" });
  expect(row).not.toHaveProperty("gitStats");
});

test("when only the comparison fails, the rest of the row is told and the numbers are left out", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  app.commit("one", lines(1), feature);
  app.commit("two", lines(1));
  const source = await open(app);
  const objects = join(app.path, ".git/objects");
  const commit = app.git("rev-parse", "main");
  rmSync(join(objects, commit.slice(0, 2), commit.slice(2)));
  git(feature, "switch", "-qc", "later");
  const row = await rowOf(source, "app/feature");
  expect(row).toMatchObject({ branchName: "later" });
  expect(row).not.toHaveProperty("gitStats");
});

test("while git fills a new worktree its files do not count as deleted", async () => {
  using app = createRepository();
  app.worktree("feature");
  const gitDir = join(app.path, ".git/worktrees/feature");
  const index = readFileSync(join(gitDir, "index"));
  rmSync(join(gitDir, "index"));
  writeFileSync(join(gitDir, "index.lock"), "");
  const source = await open(app);
  expect(await rowOf(source, "app/feature")).not.toHaveProperty("gitStats");
  rmSync(join(gitDir, "index.lock"));
  writeFileSync(join(gitDir, "locked"), "initializing\n");
  expect(await rowOf(source, "app/feature")).not.toHaveProperty("gitStats");
  rmSync(join(gitDir, "locked"));
  writeFileSync(join(gitDir, "index"), index);
  expect(await statsOf(source, "app/feature")).toEqual(CLEAN);
});

test("a worktree without a checkout counts what is not there", async () => {
  using app = createRepository();
  app.worktree("empty", "--no-checkout", "--detach");
  expect(await statsOf(await open(app), "app/empty")).toMatchObject({
    total: 1,
    deletions: 10,
    hasUncommitted: true,
  });
});

test("an id that is not one of git's is gone without starting git", async () => {
  using app = createRepository();
  const source = await open(app);
  const before = source.stats().processes;
  expect(await source.read(["other/main-worktree", "app/unknown", "app", "", "app/../x"], never)).toEqual([]);
  expect(source.stats().processes).toBe(before);
});

test("a worktree that came after the list is read when it is asked for", async () => {
  using app = createRepository();
  const source = await open(app);
  app.worktree("late");
  expect(await rowOf(source, "app/late")).toMatchObject({ branchName: "late" });
});

test("a read that is aborted ends with the reason, and leaves nothing running", async () => {
  using app = createRepository();
  const source = await open(app);
  const controller = new AbortController();
  const reading = source.read([MAIN], controller.signal);
  controller.abort(new Error("enough"));
  await expect(reading).rejects.toThrow("enough");
  await expect.poll(() => source.stats().running).toBe(0);
  await expect(source.list(controller.signal)).rejects.toThrow("enough");
  expect(await statsOf(source, MAIN)).toEqual(CLEAN);
});

test("a work tree of links and odd files is read", async () => {
  using app = createRepository();
  symlinkSync("nowhere", join(app.path, "link"));
  app.git("add", "link");
  pipe(join(app.path, "pipe"));
  mkdirSync(join(app.path, "hollow"));
  expect(await statsOf(await open(app), MAIN)).toMatchObject({
    total: 1,
    additions: 1,
    hasUncommitted: true,
  });
});
