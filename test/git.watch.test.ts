import { appendFileSync, chmodSync, cpSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { createGitSource, type GitSource, type GitSourceOptions } from "../src/sources/git/index.ts";
import type { SourceWatch } from "../src/sources/source.ts";
import {
  createRepository,
  eventually,
  git,
  lines,
  never,
  type RecordedContext,
  recordedContext,
  rowOf,
  type TestRepository,
  write,
} from "./helpers/git-repository.ts";

const MAIN = "app/main-worktree";
/** So rarely that whatever is noticed was noticed by a watch. */
const NO_POLL = 3_600_000;

interface Watched extends AsyncDisposable {
  readonly source: GitSource;
  readonly context: RecordedContext;
  readonly watch: SourceWatch;
  /** As the reconciler does: lists, and reads everything. */
  pass(): Promise<readonly string[]>;
}

async function watched(app: TestRepository, options: Partial<GitSourceOptions> = {}): Promise<Watched> {
  const source = await createGitSource({ repositories: [app.path], pollEveryMs: NO_POLL, ...options });
  const context = recordedContext();
  const watch = (await source.watch?.(context)) ?? { stop: () => {} };
  const pass = async (): Promise<readonly string[]> => {
    const ids = await source.list(never);
    await source.read(ids, never);
    return ids;
  };
  await pass();
  context.clear();
  return { source, context, watch, pass, [Symbol.asyncDispose]: async () => await watch.stop() };
}

const heard = (context: RecordedContext): string[] => [...new Set(context.invalidated)].sort();

/**
 * What was heard once everything up to now has been heard: a look at the default branch, which waits for more events,
 * and then one more event, have passed.
 */
async function settled(app: TestRepository, { source, context }: Watched): Promise<string[]> {
  const { processes } = source.stats();
  appendFileSync(join(app.path, ".git/config"), "\n");
  await eventually(() => {
    expect(source.stats().processes).toBeGreaterThan(processes);
    expect(source.stats().running).toBe(0);
  });
  const index = join(app.path, ".git/worktrees/witness/index");
  utimesSync(index, new Date(), new Date());
  await eventually(() => expect(context.invalidated.at(-1)).toBe("app/witness"));
  return heard(context).filter((id) => id !== "app/witness");
}

test("a commit is heard by exactly the worktree that made it", async () => {
  using app = createRepository();
  app.worktree("witness");
  for (const branch of ["plain", "with/slashes"]) git(app.path, "branch", branch);
  const plain = app.worktree("plain", "--force");
  git(plain, "switch", "-q", "plain");
  const nested = app.worktree("nested", "--detach");
  git(nested, "switch", "-q", "with/slashes");
  await using seen = await watched(app);

  app.commit("one", lines(1), plain);
  expect(await settled(app, seen)).toEqual(["app/plain"]);
  await seen.pass();
  seen.context.clear();
  app.commit("two", lines(1), nested);
  expect(await settled(app, seen)).toEqual(["app/nested"]);
  expect(seen.context.lists).toBe(0);
});

test("a branch that is moved from elsewhere is heard by the worktree that has it checked out", async () => {
  using app = createRepository();
  app.worktree("witness");
  app.worktree("feature");
  await using seen = await watched(app);
  const commit = git(app.path, "commit-tree", "-p", "HEAD", "-m", "from elsewhere", "HEAD^{tree}");
  app.git("update-ref", "refs/heads/feature", commit);
  expect(await settled(app, seen)).toEqual(["app/feature"]);
});

test("a commit that touches no index is heard, also on a branch in a folder of branches", async () => {
  using app = createRepository();
  app.worktree("witness");
  const nested = app.worktree("nested", "-b", "with/slashes");
  await using seen = await watched(app);
  const commit = git(nested, "commit-tree", "-p", "HEAD", "-m", "by hand", "HEAD^{tree}");
  git(nested, "update-ref", "HEAD", commit);
  expect(await settled(app, seen)).toEqual(["app/nested"]);
});

test("staging, switching and detaching are heard", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  await using seen = await watched(app);
  const actions: (() => void)[] = [
    () => {
      write(feature, "new", "x");
      git(feature, "add", "new");
    },
    () => git(feature, "switch", "-qc", "other"),
    () => git(feature, "switch", "-q", "--detach"),
    () => git(feature, "reset", "-q", "--hard"),
  ];
  for (const act of actions) {
    seen.context.clear();
    act();
    await eventually(() => expect(heard(seen.context)).toContain("app/feature"));
  }
});

test("a default branch that moves is heard by every worktree of its repository, and of no other", async () => {
  using app = createRepository();
  using other = createRepository({ name: "other" });
  app.worktree("feature");
  await using seen = await watched(app, { repositories: [app.path, other.path] });
  app.commit("one", lines(1));
  await eventually(() => expect(heard(seen.context)).toEqual(["app/feature", MAIN]));
});

test("a fetch that moves origin's default branch is heard by every worktree, one that moves another is not", async () => {
  using app = createRepository();
  app.worktree("witness");
  app.worktree("feature");
  const origin = join(app.room, "origin.git");
  git(app.path, "clone", "-q", "--bare", app.path, origin);
  app.git("remote", "add", "origin", origin);
  await using seen = await watched(app);
  app.git("fetch", "-q"); // makes refs/remotes/origin, which could not be watched before
  await eventually(() => expect(heard(seen.context)).toEqual(["app/feature", MAIN, "app/witness"]));
  await seen.pass();
  seen.context.clear();

  const push = (branch: string): void => {
    const commit = git(origin, "commit-tree", "-p", "main", "-m", branch, "main^{tree}");
    git(origin, "update-ref", `refs/heads/${branch}`, commit);
  };
  push("unrelated");
  app.git("fetch", "-q");
  expect(await settled(app, seen)).toEqual([]);
  seen.context.clear();
  push("main");
  app.git("fetch", "-q");
  await eventually(() => expect(heard(seen.context)).toEqual(["app/feature", MAIN, "app/witness"]));
});

test("a worktree that is added, moved, removed or pruned makes the list be asked again", async () => {
  using app = createRepository();
  await using seen = await watched(app);
  const expectList = async (act: () => void, ids: readonly string[]): Promise<void> => {
    seen.context.clear();
    act();
    await eventually(() => expect(seen.context.lists).toBeGreaterThan(0));
    await eventually(async () => expect(await seen.pass()).toEqual(ids));
  };
  await expectList(() => app.worktree("first"), [MAIN, "app/first"]); // makes .git/worktrees
  await expectList(() => app.worktree("second"), [MAIN, "app/first", "app/second"]);
  await expectList(
    () => app.git("worktree", "move", join(app.room, "second"), join(app.room, "third")),
    [MAIN, "app/first", "app/second"],
  );
  expect(await rowOf(seen.source, "app/second")).toMatchObject({ name: "third" });
  await expectList(() => app.git("worktree", "remove", "../third"), [MAIN, "app/first"]);
  rmSync(join(app.room, "first"), { recursive: true });
  await expectList(() => app.git("worktree", "prune"), [MAIN]); // removes .git/worktrees
  await expectList(() => app.worktree("again"), [MAIN, "app/again"]);
  seen.context.clear();
  app.commit("one", lines(1), join(app.room, "again"));
  await eventually(() => expect(heard(seen.context)).toContain("app/again"));
});

test("a worktree that is made anew under its old name is read again", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  await using seen = await watched(app, { watchDirectory: () => ({ close: () => {} }) }); // hears nothing
  const { createdAt } = await rowOf(seen.source, "app/feature");
  app.git("worktree", "remove", feature);
  app.worktree("feature", "--detach");
  seen.context.clear();
  await seen.source.list(never);
  expect(heard(seen.context)).toContain("app/feature");
  const row = await rowOf(seen.source, "app/feature");
  expect(row.branchName).toBeNull();
  expect(Date.parse(row.createdAt ?? "")).toBeGreaterThan(Date.parse(createdAt ?? ""));
});

test("watches are a constant number for each worktree, whatever the size of its tree", async () => {
  using app = createRepository();
  for (let index = 0; index < 30; index += 1) write(app.path, `deep/${index}/file`, "x");
  app.git("add", "-A");
  app.git("commit", "-qm", "many folders");
  app.worktree("first");
  await using seen = await watched(app);
  const before = seen.source.stats().watches;
  app.worktree("second");
  await seen.pass();
  expect(seen.source.stats().watches).toBe(before + 2);
  app.git("worktree", "remove", "../second");
  await seen.pass();
  expect(seen.source.stats().watches).toBe(before);
  expect(before).toBeLessThan(10);
});

test("an event that is not about git starts no git", async () => {
  using app = createRepository();
  app.worktree("witness");
  await using seen = await watched(app);
  const { processes } = seen.source.stats();
  for (const name of [
    "note",
    "description.txt",
    "gc.log",
    "COMMIT_EDITMSG",
    "HEAD.lock",
    "index.lock",
    "objects/x",
  ]) {
    write(join(app.path, ".git"), name, "x");
  }
  rmSync(join(app.path, ".git/index.lock"));
  write(app.path, "file", "x");
  utimesSync(join(app.path, ".git/worktrees/witness/index"), new Date(), new Date());
  await eventually(() => expect(heard(seen.context)).toEqual(["app/witness"]));
  expect(seen.source.stats().processes).toBe(processes);
});

test("an unstaged edit is told by the poll, once, also when the file was changed before", async () => {
  using app = createRepository();
  app.worktree("other");
  await using seen = await watched(app, { pollEveryMs: 20 });
  for (const count of [11, 12]) {
    write(app.path, "readme", lines(count));
    await eventually(() => expect(seen.context.invalidated).toEqual([MAIN]));
    const { processes } = seen.source.stats();
    await eventually(() => expect(seen.source.stats().processes).toBeGreaterThan(processes + 6));
    expect(seen.context.invalidated).toEqual([MAIN]); // nobody read it, and still it is told once
    expect((await rowOf(seen.source, MAIN)).gitStats).toMatchObject({ additions: count - 10 });
    seen.context.clear();
  }
});

test("more untracked files beside untracked ones are no news", async () => {
  using app = createRepository();
  app.worktree("other");
  write(app.path, "first", "x");
  await using seen = await watched(app, { pollEveryMs: 20 });
  write(app.path, "second", "x");
  const { processes } = seen.source.stats();
  await eventually(() => expect(seen.source.stats().processes).toBeGreaterThan(processes + 6));
  expect(seen.context.invalidated).toEqual([]);
});

test("the poll finds a folder that was deleted, and one that came back", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  await using seen = await watched(app, { pollEveryMs: 20 });
  renameSync(feature, `${feature}-away`);
  await eventually(() => expect(seen.context.lists).toBeGreaterThan(0));
  expect(await seen.pass()).toEqual([MAIN]);
  seen.context.clear();
  renameSync(`${feature}-away`, feature);
  await eventually(() => expect(seen.context.lists).toBeGreaterThan(0));
  expect(await seen.pass()).toEqual([MAIN, "app/feature"]);
});

test("a repository that goes away is not fresh and keeps its ids, and is fresh again when it returns", async () => {
  using app = createRepository();
  using other = createRepository({ name: "other" });
  app.worktree("feature");
  await using seen = await watched(app, { repositories: [app.path, other.path], pollEveryMs: 20 });
  const ids = [MAIN, "app/feature", "other/main-worktree"];
  renameSync(app.path, `${app.path}-away`);
  await eventually(() => expect(seen.context.fresh).toEqual([["app", false, "repository-gone"]]));
  expect(await seen.source.list(never)).toEqual(ids);
  const rows = await seen.source.read(ids, never);
  expect(rows.map((row) => "error" in row)).toEqual([true, true, false]);
  expect(seen.source.projects?.()).toEqual(["app", "other"]);
  seen.context.clear();
  cpSync(`${app.path}-away`, app.path, { recursive: true }); // the same paths, other directories
  await eventually(() => expect(seen.context.lists).toBeGreaterThan(0));
  expect(await seen.pass()).toEqual(ids);
  expect(seen.context.fresh).toEqual([["app", true, undefined]]);
  seen.context.clear();
  await eventually(() => {
    utimesSync(join(app.path, ".git/worktrees/feature/index"), new Date(), new Date());
    expect(heard(seen.context)).toContain("app/feature");
  });
});

test("a repository that git refuses keeps its ids and says why it is not fresh", async () => {
  using app = createRepository();
  app.worktree("feature");
  await using seen = await watched(app);
  renameSync(join(app.path, ".git/objects"), join(app.path, ".git/objects-away"));
  expect(await seen.source.list(never)).toEqual([MAIN, "app/feature"]);
  expect(seen.context.fresh).toEqual([["app", false, "repository-unreadable"]]);
  renameSync(join(app.path, ".git/objects-away"), join(app.path, ".git/objects"));
  expect(await seen.source.list(never)).toEqual([MAIN, "app/feature"]);
  expect(seen.context.fresh.at(-1)).toEqual(["app", true, undefined]);
});

test("when watches run out it polls instead, says so once, and ends that when there are watches again", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  let left = 3;
  const said: string[] = [];
  const note = (_facts: object, message: string): void => void said.push(message);
  const opened: { close(): void }[] = [];
  await using seen = await watched(app, {
    pollEveryMs: 20,
    logger: { debug: () => {}, info: note, warn: note, error: note },
    watchDirectory: () => {
      if (left === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      left -= 1;
      const one = { close: () => void opened.splice(opened.indexOf(one), 1) };
      opened.push(one);
      return one;
    },
  });
  expect(seen.source.stats()).toMatchObject({ polling: true, watches: 3 });
  app.commit("one", lines(1), feature);
  await eventually(() => expect(heard(seen.context)).toEqual(["app/feature"]));
  await seen.pass();
  app.worktree("second");
  await eventually(() => expect(seen.context.lists).toBeGreaterThan(0));
  expect(await seen.pass()).toContain("app/second");
  app.commit("two", lines(1));
  await eventually(() => expect(heard(seen.context)).toEqual(["app/feature", MAIN, "app/second"]));
  expect(said.filter((message) => message.includes("polling"))).toHaveLength(1);

  left = 100;
  await eventually(() => expect(seen.source.stats().polling).toBe(false));
  expect(said.filter((message) => message.includes("polling"))).toHaveLength(2);
  await seen.watch.stop();
  expect(opened).toEqual([]);
});

test("without watches HEAD and index are looked at often, and no git is started for that", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  await using seen = await watched(app, {
    watchDirectory: () => {
      throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    },
  });
  const { processes } = seen.source.stats();
  app.commit("one", lines(1), feature);
  await eventually(() => expect(seen.context.invalidated).toEqual(["app/feature"]));
  expect(seen.source.stats().processes).toBe(processes);
});

test("a watch that dies is made again", async () => {
  using app = createRepository();
  const errors: (() => void)[] = [];
  let closed = 0;
  await using seen = await watched(app, {
    pollEveryMs: 20,
    watchDirectory: (_path, _onEvent, onError) => {
      errors.push(onError);
      const close = (): void => {
        closed += 1;
      };
      return { close };
    },
  });
  const before = seen.source.stats().watches;
  errors[0]?.();
  expect(closed).toBe(1);
  expect(heard(seen.context)).toEqual([MAIN]); // whatever was missed is read again
  await eventually(() => expect(errors).toHaveLength(before + 1));
  expect(seen.source.stats().watches).toBe(before);
});

test("an idle repository is read zero times after the first pass", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  write(feature, "readme", lines(12));
  write(feature, "untracked", "x");
  utimesSync(join(app.path, "readme"), 1_000_000, 1_000_000); // git would like to refresh its index
  await using seen = await watched(app, { pollEveryMs: 20 });
  const { reads, processes } = seen.source.stats();
  await eventually(() => expect(seen.source.stats().processes).toBeGreaterThan(processes + 12));
  expect(seen.source.stats().reads).toBe(reads);
  expect(seen.context.invalidated).toEqual([]);
  expect(seen.context.lists).toBe(0);
});

/** Handles of the event loop, also those that do not keep the process alive. */
function handles(kind: "fs_event" | "process"): number {
  const report: unknown = process.report?.getReport();
  const { libuv } = report as { libuv: readonly { readonly type: string; readonly is_active: boolean }[] };
  return libuv.filter((handle) => handle.type === kind && handle.is_active).length;
}

test("stop leaves no watch, no timer, no git, and says nothing more; it can be watched again", async () => {
  using app = createRepository();
  using other = createRepository({ name: "other" });
  app.worktree("feature");
  const before = handles("fs_event");
  const seen = await watched(app, { pollEveryMs: 7 });
  expect(handles("fs_event")).toBe(before + seen.source.stats().watches);
  app.commit("one", lines(1)); // something waits to be looked at
  await seen.watch.stop();
  const { processes } = seen.source.stats();
  expect(seen.source.stats()).toMatchObject({ watches: 0, running: 0, polling: false });
  expect([handles("fs_event"), handles("process")]).toEqual([before, 0]);
  seen.context.clear();
  const timers = vi.spyOn(globalThis, "setTimeout");
  app.commit("two", lines(1));
  app.worktree("second");
  {
    // While another one polls many times, the stopped one would have, too.
    await using clock = await watched(other, { repositories: [other.path], pollEveryMs: 5 });
    const start = clock.source.stats().processes;
    await eventually(() => expect(clock.source.stats().processes).toBeGreaterThan(start + 6));
  }
  expect(timers.mock.calls.filter(([, delayMs]) => delayMs === 7)).toEqual([]);
  timers.mockRestore();
  expect(seen.source.stats().processes).toBe(processes);
  expect(seen.context).toMatchObject({ invalidated: [], lists: 0, fresh: [] });

  const again = recordedContext();
  const watch = await seen.source.watch?.(again);
  await seen.source.list(never);
  app.commit("three", lines(1));
  await eventually(() => expect(again.invalidated).toContain(MAIN));
  await watch?.stop();
});

test("stop in the middle of a poll ends what it started, before it resolves", async () => {
  using app = createRepository();
  const executable = join(app.room, "slow-git");
  writeFileSync(executable, '#!/bin/sh\ncase "$*" in *status*) exec sleep 1000;; esac\nexec git "$@"\n');
  chmodSync(executable, 0o755);
  const source = await createGitSource({ repositories: [app.path], pollEveryMs: 1, executable });
  const watch = await source.watch?.(recordedContext());
  await eventually(() => expect(source.stats().running).toBeGreaterThan(0));
  await watch?.stop();
  expect(source.stats().running).toBe(0);
});
