import { join } from "node:path";
import { expect, test } from "vitest";
import { createGitSource } from "../src/sources/git/index.ts";
import {
  createRepository,
  eventually,
  git,
  lines,
  never,
  recordedContext,
} from "./helpers/git-repository.ts";

const MANY = 500;

test("500 worktrees are listed, watched and read, at one process each and ten at a time", async () => {
  using app = createRepository();
  for (let index = 0; index < MANY; index += 1) app.worktree(`w${index}`, "--detach");
  const source = await createGitSource({ repositories: [app.path], pollEveryMs: 3_600_000 });
  const context = recordedContext();
  const watch = await source.watch?.(context);
  const ids = await source.list(never);
  expect(ids).toHaveLength(MANY + 1);
  expect(new Set(ids).size).toBe(MANY + 1);
  expect(source.stats().watches).toBeLessThanOrEqual(2 * (MANY + 1) + 5);

  const before = source.stats().processes;
  let most = 0;
  const watching = setInterval(() => {
    most = Math.max(most, source.stats().running);
  }, 1);
  const rows = await source.read(ids, never);
  clearInterval(watching);
  expect(rows).toHaveLength(MANY + 1);
  expect(rows.every((row) => "gitStats" in row)).toBe(true);
  expect(most).toBeLessThanOrEqual(10);
  // Besides one status each: the filters and the default branch, once for the repository.
  expect(source.stats().processes - before).toBeLessThanOrEqual(MANY + 1 + 4);

  app.commit("one", lines(1), join(app.room, "w250"));
  await eventually(() => expect(new Set(context.invalidated)).toEqual(new Set(["app/w250"])));
  git(app.path, "worktree", "remove", "../w499");
  await eventually(() => expect(context.lists).toBeGreaterThan(0));
  expect(await source.list(never)).toHaveLength(MANY);
  await watch?.stop();
  expect(source.stats()).toMatchObject({ watches: 0, running: 0 });
}, 60_000);
