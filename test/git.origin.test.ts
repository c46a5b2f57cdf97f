import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createGitSource } from "../src/sources/git/index.ts";
import { createRepository, git, never } from "./helpers/git-repository.ts";

test("a project knows where it was cloned from, and hears of a change at the next list without asking git in vain", async () => {
  using app = createRepository();
  git(app.path, "remote", "add", "origin", "git@github.com:Owner/app.git");
  const source = await createGitSource({ repositories: [app.path] });
  expect(Object.fromEntries(source.origins())).toEqual({ app: "git@github.com:Owner/app.git" });
  await source.list(never);
  const asked = source.stats().processes;
  await source.list(never);
  expect(source.stats().processes - asked).toBe(1); // the list itself
  git(app.path, "remote", "set-url", "origin", "https://github.com/owner/other");
  await source.list(never);
  expect(Object.fromEntries(source.origins())).toEqual({ app: "https://github.com/owner/other" });
  git(app.path, "remote", "remove", "origin");
  await source.list(never);
  expect(source.origins().size).toBe(0);
});

test("a folder belongs to the innermost worktree that it is in, and a path that only begins like one to none", async () => {
  using app = createRepository();
  const nested = join(app.path, "trees", "one");
  git(app.path, "worktree", "add", "-q", "-b", "one", nested);
  mkdirSync(join(nested, "src"), { recursive: true });
  const source = await createGitSource({ repositories: [app.path] });
  expect(source.workspaceAt(join(nested, "src"))).toBe("app/one");
  expect(source.workspaceAt(nested)).toBe("app/one");
  expect(source.workspaceAt(app.path)).toBe("app/main-worktree");
  expect(source.workspaceAt(`${app.path}-else`)).toBeUndefined();
  expect(source.workspaceAt("/")).toBeUndefined();
});
