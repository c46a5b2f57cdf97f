import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { createGitSource, type GitSourceOptions } from "../src/sources/git/index.ts";
import {
  createRepository,
  eventually,
  git,
  lines,
  never,
  pipe,
  recordedContext,
  rowOf,
  temporaryFolder,
  write,
} from "./helpers/git-repository.ts";

const MAIN = "app/main-worktree";

afterEach(() => vi.unstubAllEnvs());

/** A program that stands in for git: a shell script that may end in the real one. */
function program(folder: string, script: string): string {
  const path = join(folder, "fake-git");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const refusal = async (options: Partial<GitSourceOptions>): Promise<unknown> =>
  await createGitSource({ repositories: ["/"], ...options }).then(
    () => undefined,
    (error: unknown) => error,
  );

test("no git, or one that is too old, is refused with what to do", async () => {
  using folder = temporaryFolder();
  expect(await refusal({ executable: join(folder.path, "none") })).toMatchObject({
    name: "SnapwireError",
    reason: "unavailable",
    message: expect.stringMatching(/no program .*none.*Install git 2\.36 or newer/),
  });
  for (const [version, fits] of [
    ["git version 2.35.9", false],
    ["git version 1.99.0", false],
    ["git version 2.36.0", true],
    ["git version 2.39.5 (Apple Git-154)", true],
    ["git version 3.0.0.windows.1", true],
  ] as const) {
    const executable = program(folder.path, `test "$7" = version || exit 128; echo "${version}"`);
    const error = await refusal({ executable });
    const message = fits ? /git cannot read "\/"/ : /is too old: 2\.36 or newer is needed/;
    expect(error, version).toMatchObject({ message: expect.stringMatching(message) });
  }
});

test("a path that is in no repository is refused by name, with what to do", async () => {
  using folder = temporaryFolder();
  const hostile = join(folder.path, '-x "quoted"\nfolder');
  mkdirSync(hostile);
  expect(await refusal({ repositories: [hostile] })).toMatchObject({
    reason: "invalid-input",
    message: `${JSON.stringify(hostile)} is not in a git repository. Name a folder that is in one, or make one with: git -C ${JSON.stringify(hostile)} init`,
  });
  expect(await refusal({ repositories: [join(folder.path, "away")] })).toMatchObject({
    reason: "invalid-input",
    message: expect.stringContaining("cannot be opened as a folder"),
  });
  expect(await refusal({ repositories: [] })).toMatchObject({ reason: "invalid-input" });
  for (const wrong of [{ pollEveryMs: 0 }, { concurrency: Number.NaN }, { timeoutMs: -1 }]) {
    expect(await refusal(wrong)).toMatchObject({
      reason: "invalid-input",
      message: expect.stringContaining(Object.keys(wrong)[0] ?? ""),
    });
  }
});

test("a repository of somebody else is refused as git refuses it", async () => {
  using app = createRepository();
  const executable = program(app.room, 'GIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec git "$@"');
  expect(await refusal({ executable, repositories: [app.path] })).toMatchObject({
    reason: "invalid-input",
    message: expect.stringContaining("git config --global --add safe.directory"),
  });
});

test("a git that hangs is killed, and its worktree alone is unreadable", async () => {
  using app = createRepository();
  app.worktree("stuck");
  const executable = program(
    app.room,
    `case "$*" in *worktrees/stuck*status*) echo $$ > "${app.room}/pid"; exec sleep 1000;; esac; exec git "$@"`,
  );
  const source = await createGitSource({ repositories: [app.path], executable, timeoutMs: 2_000 });
  // Never read before: what is certain is told.
  expect(await rowOf(source, "app/stuck")).toMatchObject({ name: "stuck", branchName: "stuck" });
  const rows = await source.read([MAIN, "app/stuck"], never);
  expect(rows.map((row) => "error" in row || "gitStats" in row)).toEqual([true, false]);
  expect(source.stats().running).toBe(0);
  const pid = Number(readFileSync(join(app.room, "pid"), "utf8"));
  await eventually(() => expect(() => process.kill(pid, 0)).toThrow("ESRCH"));
});

test("whoever inherited the pipes of a killed git does not keep a read waiting", async () => {
  using app = createRepository();
  const executable = program(
    app.room,
    `case "$*" in *status*) sleep 1000 & echo $! > "${app.room}/child"; wait;; esac; exec git "$@"`,
  );
  const source = await createGitSource({ repositories: [app.path], executable, timeoutMs: 2_000 });
  expect(await rowOf(source, MAIN)).not.toHaveProperty("gitStats");
  const child = Number(readFileSync(join(app.room, "child"), "utf8"));
  process.kill(child, 0); // still there, and nobody waited for it
  process.kill(child);
});

test("a list that hangs keeps the last good one", async () => {
  using app = createRepository();
  app.worktree("feature");
  const executable = program(
    app.room,
    `case "$*" in *"worktree list"*) test -e "${app.room}/hang" && exec sleep 1000;; esac; exec git "$@"`,
  );
  const source = await createGitSource({ repositories: [app.path], executable, timeoutMs: 2_000 });
  writeFileSync(join(app.room, "hang"), "");
  expect(await source.list(never)).toEqual([MAIN, "app/feature"]);
  // One that hangs from the beginning has no last list: refused, in words for a person.
  expect(await refusal({ repositories: [app.path], executable, timeoutMs: 500 })).toMatchObject({
    name: "SnapwireError",
    message: expect.stringContaining("no answer within 500 ms"),
  });
});

test("a pipe in the place of a file of git holds nothing up", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  for (const path of [join(feature, ".git"), join(app.path, ".git/logs/HEAD")]) {
    rmSync(path);
    pipe(path);
  }
  const source = await createGitSource({ repositories: [app.path] });
  expect(await source.list(never)).toEqual([MAIN]);
  expect(await rowOf(source, MAIN)).toMatchObject({ branchName: "main", lastActivityAt: expect.any(String) });
});

test("so many gits run at a time and no more, over all repositories together", async () => {
  using app = createRepository();
  using other = createRepository({ name: "other" });
  for (const repository of [app, other]) {
    for (let index = 0; index < 8; index += 1) repository.worktree(`w${index}`);
  }
  const log = join(app.room, "log");
  const executable = program(
    app.room,
    `echo + >> "${log}"; sleep 0.02; git "$@"; code=$?; echo - >> "${log}"; exit $code`,
  );
  const source = await createGitSource({ repositories: [app.path, other.path], executable, concurrency: 3 });
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  const rows = await source.read(await source.list(never), new AbortController().signal);
  process.off("warning", onWarning);
  expect(rows).toHaveLength(18);
  expect(warnings).toEqual([]);
  let running = 0;
  let most = 0;
  for (const sign of readFileSync(log, "utf8").trim().split("\n")) {
    running += sign === "+" ? 1 : -1;
    most = Math.max(most, running);
  }
  expect(most).toBe(3);
});

test("what this process inherited from a git around it does not bend what is read", async () => {
  using app = createRepository();
  using other = createRepository({ name: "other" });
  const feature = app.worktree("feature");
  app.commit("one", lines(1), feature);
  for (const [name, value] of [
    ["GIT_DIR", join(other.path, ".git")],
    ["GIT_WORK_TREE", other.path],
    ["GIT_INDEX_FILE", join(other.path, ".git/index")],
    ["GIT_OBJECT_DIRECTORY", "/dev/null"],
    ["GIT_NAMESPACE", "other"],
    ["GIT_CONFIG_PARAMETERS", "'core.bare=true'"],
    ["GIT_OPTIONAL_LOCKS", "1"],
    ["GIT_EXTERNAL_DIFF", "false"],
    ["GIT_TRACE", "1"],
    ["LC_ALL", "de_DE.UTF-8"],
  ] as const) {
    vi.stubEnv(name, value);
  }
  const source = await createGitSource({ repositories: [app.path] });
  expect(await source.list(never)).toEqual([MAIN, "app/feature"]);
  expect((await rowOf(source, "app/feature")).gitStats).toMatchObject({ total: 1, additions: 1 });
});

test("a repository that names programs has none of them run, by a read or by the poll", async () => {
  using app = createRepository();
  const feature = app.worktree("feature");
  const ran = join(app.room, "ran");
  const evil = (path: string): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\ntouch "${ran}/${basename(path)}"\ncat\n`);
    chmodSync(path, 0o755);
    return path;
  };
  write(feature, ".gitattributes", "* filter=evil diff=evil\n");
  git(feature, "add", ".");
  git(feature, "commit", "-qm", "attributes");
  write(feature, "readme", lines(13));
  for (const key of [
    "core.fsmonitor",
    "core.pager",
    "core.sshCommand",
    "diff.evil.command",
    "diff.evil.textconv",
    "diff.external",
    "filter.evil.clean",
    "filter.evil.smudge",
    "gpg.program",
    "pager.status",
  ]) {
    app.git("config", key, evil(join(app.room, "programs", key)));
  }
  app.git("config", "alias.status", "!touch ran/alias");
  app.git("config", "filter.evil.required", "true");
  app.git("config", "log.showSignature", "true");
  app.git("config", "extensions.worktreeConfig", "true");
  git(
    feature,
    "config",
    "--worktree",
    "filter.evil.process",
    evil(join(app.room, "programs", "filter.evil.process")),
  );
  for (const hook of ["post-index-change", "post-checkout", "reference-transaction"]) {
    evil(join(app.path, ".git/hooks", hook));
  }
  rmSync(ran, { recursive: true, force: true });
  mkdirSync(ran);

  const source = await createGitSource({ repositories: [app.path], pollEveryMs: 10 });
  const watch = await source.watch?.(recordedContext());
  const row = await rowOf(source, "app/feature");
  expect(row.gitStats).toMatchObject({ total: 2, additions: 3 + 1, deletions: 0 });
  const { processes } = source.stats();
  await eventually(() => expect(source.stats().processes).toBeGreaterThan(processes + 6));
  await watch?.stop();
  expect(readdirSync(ran)).toEqual([]);
});

test("a partial clone is not completed, nor is its remote asked", async () => {
  using app = createRepository();
  app.git("config", "uploadpack.allowFilter", "true");
  const clone = join(app.room, "clone");
  git(app.room, "clone", "-q", "--filter=blob:none", "--no-checkout", `file://${app.path}`, clone);
  const marker = join(app.room, "asked");
  git(clone, "config", "remote.origin.uploadpack", `touch '${marker}'; git-upload-pack`);
  const source = await createGitSource({ repositories: [clone] });
  const row = await rowOf(source, "clone/main-worktree");
  expect(row).toMatchObject({ branchName: "main" });
  expect(row).not.toHaveProperty("gitStats"); // it would take the missing objects to count
  expect(existsSync(marker)).toBe(false);
});

test("a person's own filter is still applied, so that its files do not look changed", async () => {
  using app = createRepository();
  const settings = join(app.room, "gitconfig");
  writeFileSync(settings, '[filter "upper"]\n\tclean = tr a-z A-Z\n\tsmudge = tr A-Z a-z\n');
  vi.stubEnv("GIT_CONFIG_GLOBAL", settings);
  write(app.path, ".gitattributes", "data filter=upper\n");
  app.commit("data", "abc\n");
  app.git("add", ".");
  app.git("commit", "-qm", "attributes");
  write(app.path, "data", "abc\n"); // touched: git compares the filtered content
  app.git("config", "filter.upper.clean", "cat"); // the repository's own word does not count
  const source = await createGitSource({ repositories: [app.path] });
  expect((await rowOf(source, MAIN)).gitStats).toMatchObject({ total: 0, hasUncommitted: false });
});
