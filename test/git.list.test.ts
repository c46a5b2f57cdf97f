import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createGitSource } from "../src/sources/git/index.ts";
import { createRepository, git, never, rowOf, temporaryFolder } from "./helpers/git-repository.ts";

const list = async (...repositories: string[]): Promise<readonly string[]> => {
  const source = await createGitSource({ repositories });
  return await source.list(never);
};

test("a workspace is called by the main folder and by git's own name of the worktree", async () => {
  using app = createRepository();
  app.worktree("feature");
  git(app.path, "worktree", "add", "-q", "--detach", join(app.room, "deep", "feature"));
  expect(await list(app.path)).toEqual(["app/main-worktree", "app/feature", "app/feature1"]);
});

test("an id stays when the worktree changes its branch and when it is moved", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  const source = await createGitSource({ repositories: [app.path] });
  git(feature, "switch", "-qc", "other/branch");
  expect(await source.list(never)).toEqual(["app/main-worktree", "app/feature"]);
  expect(await rowOf(source, "app/feature")).toMatchObject({ branchName: "other/branch", name: "feature" });
  git(app.path, "worktree", "move", feature, join(app.room, "moved"));
  expect(await rowOf(source, "app/feature")).toMatchObject({ branchName: "other/branch", name: "moved" });
  expect(await source.list(never)).toEqual(["app/main-worktree", "app/feature"]);
});

test("a row tells project, folder, branch, status and when the worktree was made", async () => {
  using app = createRepository();
  const before = Date.now();
  app.worktree("feature");
  const row = await rowOf(await createGitSource({ repositories: [app.path] }), "app/feature");
  expect(row).toMatchObject({
    workspaceId: "app/feature",
    projectId: "app",
    name: "feature",
    status: "READY",
    branchName: "feature",
  });
  expect(row.createdAt).toBe(new Date(Date.parse(row.createdAt ?? "")).toISOString());
  expect(Math.abs(Date.parse(row.createdAt ?? "") - before)).toBeLessThan(10_000);
});

test("a linked worktree called main-worktree does not take the main one's place", async () => {
  using app = createRepository();
  app.worktree("main-worktree");
  const source = await createGitSource({ repositories: [app.path] });
  expect(await source.list(never)).toEqual(["app/main-worktree", "app/main-worktree~linked"]);
  expect(await rowOf(source, "app/main-worktree")).toMatchObject({ branchName: "main" });
  expect(await rowOf(source, "app/main-worktree~linked")).toMatchObject({ branchName: "main-worktree" });
});

test("a vanished worktree is not listed, a locked one is, also while its folder is away", async () => {
  using app = createRepository();
  const gone = app.worktree("gone");
  const locked = app.worktree("locked");
  const away = app.worktree("away");
  git(app.path, "worktree", "lock", "--reason", 'a "reason"\nof two lines', locked);
  git(app.path, "worktree", "lock", away);
  rmSync(gone, { recursive: true });
  renameSync(away, `${away}-disk`);
  const source = await createGitSource({ repositories: [app.path] });
  expect(await source.list(never)).toEqual(["app/main-worktree", "app/away", "app/locked"]);
  expect(await rowOf(source, "app/away")).toMatchObject({ status: "READY", branchName: "away" });
  expect(await rowOf(source, "app/away")).not.toHaveProperty("gitStats");
  expect(await source.read(["app/gone"], never)).toEqual([]);
});

test("a worktree inside another's folder that loses its .git file is gone, not the other one", async () => {
  using app = createRepository();
  const inner = join(app.path, "trees", "inner");
  git(app.path, "worktree", "add", "-q", inner);
  const source = await createGitSource({ repositories: [app.path] });
  expect(await rowOf(source, "app/inner")).toMatchObject({ branchName: "inner" });
  rmSync(join(inner, ".git"));
  expect(await source.read(["app/inner"], never)).toEqual([]);
  expect(await source.list(never)).toEqual(["app/main-worktree"]);
});

test("a repository that was copied does not claim the worktrees of the original", async () => {
  using app = createRepository();
  git(app.path, "worktree", "lock", app.worktree("feature"));
  cpSync(app.path, join(app.room, "copy"), { recursive: true });
  expect(await list(join(app.room, "copy"))).toEqual(["copy/main-worktree"]);
  expect(await list(app.path)).toEqual(["app/main-worktree", "app/feature"]);
});

test("a bare repository is a project, with and without worktrees", async () => {
  using bare = createRepository({ name: "store.git", bare: true });
  const source = await createGitSource({ repositories: [bare.path] });
  expect(source.projects?.()).toEqual(["store.git"]);
  expect(await source.list(never)).toEqual([]);

  using app = createRepository();
  git(app.path, "push", "-q", bare.path, "main");
  git(bare.path, "worktree", "add", "-q", "-b", "feature", join(bare.room, "feature"));
  expect(await source.list(never)).toEqual(["store.git/feature"]);
  expect(await rowOf(source, "store.git/feature")).toMatchObject({
    branchName: "feature",
    gitStats: { total: 0, additions: 0, deletions: 0, hasUncommitted: false },
  });
});

test("a bare repository that hides beside its worktrees is called by the folder around it", async () => {
  using room = temporaryFolder();
  using app = createRepository();
  const project = join(room.path, "project");
  git(app.path, "clone", "-q", "--bare", ".", join(project, ".bare"));
  writeFileSync(join(project, ".git"), "gitdir: ./.bare\n");
  git(project, "worktree", "add", "-q", join(project, "feature"));
  expect(await list(project)).toEqual(["project/feature"]);
  expect(await list(join(project, "feature"))).toEqual(["project/feature"]);
});

test("a git directory that lies elsewhere does not give the project its name", async () => {
  using room = temporaryFolder();
  const main = join(room.path, "main-folder");
  mkdirSync(main);
  git(main, "init", "-q", "-b", "main", "--separate-git-dir", join(room.path, "elsewhere"));
  const source = await createGitSource({ repositories: [main] });
  expect(await source.list(never)).toEqual(["main-folder/main-worktree"]);
  expect(await rowOf(source, "main-folder/main-worktree")).toMatchObject({ name: "main-folder" });
});

test("the same repository given twice, through a worktree or a link, is one", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  mkdirSync(join(feature, "deep", "er"), { recursive: true });
  symlinkSync(app.path, join(app.room, "link"));
  const paths = [join(feature, "deep", "er"), app.path, join(app.room, "link"), join(app.path, ".git")];
  const source = await createGitSource({ repositories: paths });
  expect(source.repositoriesFound).toEqual([{ projectId: "app", path: app.path }]);
  expect(await source.list(never)).toEqual(["app/main-worktree", "app/feature"]);
});

test("worktrees that are named through a link are found", async () => {
  using app = createRepository();
  app.worktree("feature");
  symlinkSync(app.room, `${app.room}-link`);
  try {
    writeFileSync(join(app.path, ".git/worktrees/feature/gitdir"), `${app.room}-link/feature/.git\n`);
    writeFileSync(join(app.room, "feature/.git"), `gitdir: ${app.room}-link/app/.git/worktrees/feature\n`);
    expect(await list(`${app.room}-link/feature`)).toEqual(["app/main-worktree", "app/feature"]);
  } finally {
    rmSync(`${app.room}-link`);
  }
});

test("two repositories of one name get two ids, the same in any order and after a restart", async () => {
  using room = temporaryFolder();
  for (const owner of ["a", "b", "c"]) {
    mkdirSync(join(room.path, owner, "app"), { recursive: true });
    git(join(room.path, owner, "app"), "init", "-q");
  }
  const [a, b, c] = ["a", "b", "c"].map((owner) => join(room.path, owner, "app"));
  const first = await createGitSource({ repositories: [c ?? "", a ?? "", b ?? ""] });
  const second = await createGitSource({ repositories: [a ?? "", b ?? "", c ?? ""] });
  const byPath = (found: typeof first): object =>
    Object.fromEntries(found.repositoriesFound.map((one) => [one.path, one.projectId]));
  expect(byPath(first)).toEqual(byPath(second));
  const ids = first.repositoriesFound.map((one) => one.projectId);
  expect(new Set(ids).size).toBe(3);
  expect(first.repositoriesFound.find((one) => one.path === a)).toEqual({ projectId: "app", path: a });
  const renamed = first.repositoriesFound.find((one) => one.path === b);
  expect(renamed).toEqual({
    projectId: expect.stringMatching(/^app-[0-9a-f]{6}$/),
    path: b,
    renamedFrom: "app",
  });
  expect(new Set(await first.list(never))).toEqual(new Set(ids.map((id) => `${id}/main-worktree`)));
});

test("hostile names are names: newlines, quotes, a leading dash, spaces, other alphabets", async () => {
  const name = `-rf "quoted" 'single'\nnew\tline $(touch PWNED) ünï 漢`;
  using app = createRepository({ name });
  const feature = join(app.room, "-x\n\nworktree etc\nbare\nlocked");
  git(app.path, "worktree", "add", "-q", "-b", "a'b\"c$(d)", feature);
  const source = await createGitSource({ repositories: [app.path] });
  const ids = await source.list(never);
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(`${name}/main-worktree`);
  const row = await rowOf(source, ids[1] ?? "");
  expect(row).toMatchObject({
    projectId: name,
    name: "-x\n\nworktree etc\nbare\nlocked",
    branchName: "a'b\"c$(d)",
  });
  expect(row.gitStats).toMatchObject({ total: 0, hasUncommitted: false });
  expect(existsSync(join(app.path, "PWNED"))).toBe(false);
});

test("a damaged directory below worktrees/ does not hide the others", async () => {
  using app = createRepository();
  app.worktree("feature");
  mkdirSync(join(app.path, ".git/worktrees/empty"));
  mkdirSync(join(app.path, ".git/worktrees/odd/gitdir"), { recursive: true });
  writeFileSync(join(app.path, ".git/worktrees/stray"), "a file");
  expect(await list(app.path)).toEqual(["app/main-worktree", "app/feature"]);
});
