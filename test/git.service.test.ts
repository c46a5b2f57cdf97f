import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSnapwire } from "../src/index.ts";
import { createGitSource } from "../src/sources/git/index.ts";
import { createRepository, eventually, git, lines, write } from "./helpers/git-repository.ts";

test("worktrees appear, change and disappear by themselves, and what somebody else published stays", async () => {
  using app = createRepository();
  const source = await createGitSource({ repositories: [app.path], pollEveryMs: 20 });
  await using live = createSnapwire({ sources: [source] });
  await live.start();
  const ids = (): string[] =>
    live.workspaces
      .getByProjectId("app")
      .map((entry) => entry.workspaceId)
      .sort();
  const entry = (id: string) => live.workspaces.getByWorkspaceId(id);
  await eventually(() => expect(ids()).toEqual(["app/main-worktree"]));
  await live.workspaces.upsert("app/elsewhere", { projectId: "app", name: "somebody else's" });

  const feature = app.worktree("feature");
  await eventually(() => expect(entry("app/feature")?.gitStats?.total).toBe(0));
  expect(entry("app/feature")).toMatchObject({ name: "feature", status: "READY", branchName: "feature" });
  app.commit("one", lines(7), feature);
  await eventually(() => expect(entry("app/feature")?.gitStats).toMatchObject({ total: 1, additions: 7 }));
  write(feature, "readme", lines(9));
  await eventually(() =>
    expect(entry("app/feature")?.gitStats).toMatchObject({ total: 2, hasUncommitted: true }),
  );
  git(feature, "switch", "-qc", "renamed");
  await eventually(() => expect(entry("app/feature")?.branchName).toBe("renamed"));
  expect(ids()).toEqual(["app/elsewhere", "app/feature", "app/main-worktree"]);

  rmSync(join(app.room, "feature"), { recursive: true });
  app.git("worktree", "prune");
  await eventually(() => expect(ids()).toEqual(["app/elsewhere", "app/main-worktree"]));
});

test("a project without a worktree exists", async () => {
  using bare = createRepository({ name: "store", bare: true });
  const source = await createGitSource({ repositories: [bare.path] });
  await using live = createSnapwire({ sources: [source] });
  await live.start();
  await eventually(() => expect(live.complete("store")).toBe(true));
  expect(live.workspaces.getByProjectId("store")).toEqual([]);
});

test("an idle repository is read once, by the first pass, and commits nothing after it", async () => {
  using app = createRepository();
  write(app.worktree("feature"), "readme", lines(12));
  const source = await createGitSource({ repositories: [app.path], pollEveryMs: 20 });
  await using live = createSnapwire({ sources: [source] });
  await live.start();
  await eventually(() => expect(live.workspaces.getByProjectId("app")).toHaveLength(2));
  await eventually(() => expect(live.complete("app")).toBe(true));
  const heard: unknown[] = [];
  live.workspaces.on("snapshot_changed", (event) => heard.push(event));
  const { reads, processes } = source.stats();
  expect(reads).toBe(2);
  await eventually(() => expect(source.stats().processes).toBeGreaterThan(processes + 8));
  expect(source.stats().reads).toBe(2);
  expect(heard).toEqual([]);
});
