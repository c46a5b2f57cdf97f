import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { parseNumstat } from "../src/sources/git/change-stats.ts";
import { createFlight, untilAborted, withSharedSignal } from "../src/sources/git/flight.ts";
import { gitEnvironment, withSettings } from "../src/sources/git/git-environment.ts";
import { harmlessFilters } from "../src/sources/git/repository-filters.ts";
import { parseStatus } from "../src/sources/git/status.ts";
import { meaningOf } from "../src/sources/git/watched-directories.ts";
import { traceOf } from "../src/sources/git/work-tree-trace.ts";
import { folderName, nameProjects, workspaceIdOf } from "../src/sources/git/workspace-ids.ts";
import { parseWorktreeList } from "../src/sources/git/worktree-listing.ts";
import { createWorktreeRecord, rest } from "../src/sources/git/worktree-record.ts";
import { temporaryFolder, write } from "./helpers/git-repository.ts";

const OID = "0123456789abcdef0123456789abcdef01234567";

test("a status is read as git prints it, with paths that hold spaces and newlines", () => {
  const status = parseStatus(
    [
      `# branch.oid ${OID}`,
      "# branch.head a b",
      `1 .M N... 100644 100644 100644 ${OID} ${OID} path with\nnewline`,
      `2 R. N... 100644 100644 100644 ${OID} ${OID} R100 new name`,
      "? not an untracked file, but the old name",
      `u UU N... 100644 100644 100644 100644 ${OID} ${OID} ${OID} torn`,
      "",
    ].join("\0"),
  );
  expect(status).toMatchObject({
    head: OID,
    branch: "a b",
    changed: ["path with\nnewline", "new name", "torn"],
    untracked: false,
    objectFormat: "sha1",
  });
});

test("equal statuses have equal digests; which files are untracked does not count, that some are does", () => {
  const digest = (...records: string[]): string => parseStatus(`${records.join("\0")}\0`).digest;
  expect(digest("? a", "? b")).toBe(digest("? c"));
  expect(digest("? a")).not.toBe(digest());
  expect(digest("# branch.head a")).not.toBe(digest("# branch.head b"));
  const changed = (mode: string): string => `1 .M N... 100644 100644 ${mode} ${OID} ${OID} x`;
  expect(digest(changed("100644"))).not.toBe(digest(changed("100755")));
});

test("numbers of lines are added up; binary files have none, renames are one file", () => {
  expect(parseNumstat("1\t2\ta\0-\t-\tb\x003\t0\t\0old\t1\0" + "4\t4\tnew\0" + "0\t0\tmode\0")).toEqual({
    total: 4,
    additions: 4,
    deletions: 2,
  });
  expect(parseNumstat("")).toEqual({ total: 0, additions: 0, deletions: 0 });
});

test("a worktree's reason or path that looks like another line stays what it is", () => {
  const output =
    "worktree /a\nbare\0HEAD x\0branch refs/heads/m\0\0worktree /b\0HEAD x\0detached\0locked why\nprunable\0\0";
  expect(parseWorktreeList(output)).toEqual([
    { path: "/a\nbare", bare: false, locked: false, prunable: false },
    { path: "/b", bare: false, locked: true, prunable: false },
  ]);
});

test("any output of git is read without an exception", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      parseStatus(text);
      parseNumstat(text);
      parseWorktreeList(text);
      harmlessFilters(text);
    }),
  );
});

test("filters of the repository give way to the person's own, else to none", () => {
  const entry = (scope: string, name: string, value: string): string => `${scope}\0${name}\n${value}\0`;
  const output =
    entry("global", "filter.lfs.clean", "git-lfs clean") +
    entry("local", "filter.lfs.clean", "evil\nsecond line") +
    entry("local", "filter.a=b.process", "evil") +
    entry("worktree", "filter.x.required", "true") +
    entry("system", "filter.fine.clean", "fine");
  expect(harmlessFilters(output)).toEqual([
    ["filter.lfs.clean", "git-lfs clean"],
    ["filter.a=b.process", ""],
    ["filter.x.required", "false"],
  ]);
});

test("of the inherited environment only the places of a person's settings reach git", () => {
  const inherited = { PATH: "/bin", GIT_DIR: "/x", GIT_CONFIG_GLOBAL: "/g", GIT_ASKPASS: "ask" };
  const environment = withSettings(gitEnvironment(inherited), [["a.b", "c"]]);
  expect(environment).toMatchObject({
    PATH: "/bin",
    GIT_CONFIG_GLOBAL: "/g",
    LC_ALL: "C",
    GIT_CONFIG_COUNT: "1",
  });
  expect(environment).toMatchObject({ GIT_CONFIG_KEY_0: "a.b", GIT_CONFIG_VALUE_0: "c" });
  expect(environment).not.toHaveProperty("GIT_DIR");
  expect(environment).not.toHaveProperty("GIT_ASKPASS");
});

test("project ids are unique, the same in any order, and a name's first folder keeps it", () => {
  const folder = fc.constantFrom("app", "app-1", "web", ".git", "a\nb");
  const path = fc.tuple(fc.constantFrom("x", "y", "z"), folder).map(([owner, name]) => `/${owner}/${name}`);
  fc.assert(
    fc.property(fc.array(path, { minLength: 1 }), (paths) => {
      const ids = nameProjects(paths);
      expect(ids).toEqual(nameProjects([...paths].reverse()));
      expect(new Set(ids.values()).size).toBe(new Set(paths).size);
      const [first = ""] = [...paths].sort();
      expect(ids.get(first)).toBe(folderName(first));
    }),
  );
});

test("a project's id does not clash with the folder that is called like its suffixed name", () => {
  const suffixed = nameProjects(["/a/app", "/b/app"]).get("/b/app") ?? "";
  const ids = nameProjects(["/a/app", "/b/app", `/c/${suffixed}`]);
  expect(new Set(ids.values()).size).toBe(3);
  expect(ids.get(`/c/${suffixed}`)).toBe(suffixed);
});

test("folders that hide give the name of the folder around them, the root is called root", () => {
  expect(
    ["/x/app", "/x/app.git", "/x/app/.git", "/x/app/.bare", "/x/.dotfiles", "/"].map(folderName),
  ).toEqual(["app", "app.git", "app", "app", ".dotfiles", "root"]);
  expect(workspaceIdOf("app", null)).toBe("app/main-worktree");
  expect(workspaceIdOf("app", "main-worktree")).not.toBe("app/main-worktree");
});

test("a name that changes in a git directory means what it means there", () => {
  const cases = [
    ["common", "HEAD", "worktree"],
    ["common", "index", "worktree"],
    ["common", "packed-refs", "base"],
    ["common", "FETCH_HEAD", "base"],
    ["common", "worktrees", "list"],
    ["common", "logs", "directories"],
    ["common", "objects", "nothing"],
    ["common", "ORIG_HEAD", "nothing"],
    ["git-dir", "index", "worktree"],
    ["git-dir", "index.lock", "nothing"],
    ["git-dir", "gitdir", "list"],
    ["git-dir", "locked", "list"],
    ["git-dir", "constructor", "nothing"],
    ["logs", "HEAD", "worktree"],
    ["logs", "refs", "nothing"],
    ["worktrees", "anything", "list"],
    ["heads", "main", "branch"],
    ["heads", "main.lock", "nothing"],
    ["base", "main", "base"],
    ["base", null, "everything"],
  ] as const;
  for (const [place, name, meaning] of cases)
    expect(meaningOf(place, name), `${place} ${name}`).toBe(meaning);
});

test("looks grow rarer while nothing happens, and never rarer than every fourth poll", () => {
  const record = createWorktreeRecord();
  const rests = Array.from({ length: 100 }, (_, quiet) => {
    record.quiet = quiet;
    rest(record);
    return record.rest;
  });
  expect([0, 5, 6, 11, 12, 18, 99].map((quiet) => rests[quiet])).toEqual([0, 0, 1, 1, 2, 3, 3]);
});

test("a trace is settled once no file was touched for a while, and differs when one is", async () => {
  using folder = temporaryFolder();
  write(folder.path, "file", "x");
  const status = { ...parseStatus(""), changed: ["file", "deleted"] };
  const early = await traceOf(folder.path, status, Date.now());
  const later = await traceOf(folder.path, status, Date.now() + 10_000);
  expect([early.settled, later.settled]).toEqual([false, true]);
  expect(later.digest).toBe(early.digest);
  write(folder.path, "file", "xy");
  expect((await traceOf(folder.path, status, 0)).digest).not.toBe(early.digest);
  const many = { ...status, changed: Array.from({ length: 501 }, () => "deleted") };
  expect((await traceOf(folder.path, many, Date.now())).settled).toBe(false);
});

test("who asks during a run shares the one run after it, never the one that has begun", async () => {
  let value = 0;
  let begun = 0;
  const gates: (() => void)[] = [];
  const flight = createFlight(async () => {
    begun += 1;
    const seen = value;
    await new Promise<void>((resolve) => gates.push(resolve));
    return seen;
  });
  const first = flight();
  await vi.waitFor(() => expect(gates).toHaveLength(1));
  value = 1;
  const later = [flight(), flight(), flight()];
  gates[0]?.();
  expect(await first).toBe(0);
  await vi.waitFor(() => expect(gates).toHaveLength(2));
  gates[1]?.();
  expect(await Promise.all(later)).toEqual([1, 1, 1]);
  expect(begun).toBe(2);
});

test("a run fails those who asked for it, and not those after them", async () => {
  let fail = true;
  const flight = createFlight(async () => {
    if (fail) throw new Error("once");
    return "fine";
  });
  await expect(Promise.all([flight(), flight()])).rejects.toThrow("once");
  fail = false;
  expect(await flight()).toBe("fine");
});

test("a run is aborted when everybody who asked has given up, and not before", async () => {
  const signals: AbortSignal[] = [];
  const flight = createFlight(async (signal) => {
    signals.push(signal);
    await untilAborted(new Promise<void>(() => {}), signal);
  });
  const [one, other] = [new AbortController(), new AbortController()];
  const asked = [flight(one.signal), flight(other.signal)].map((asking) => asking.catch(() => "left"));
  await vi.waitFor(() => expect(signals).toHaveLength(1));
  one.abort();
  expect(await asked[0]).toBe("left");
  expect(signals[0]?.aborted).toBe(false);
  other.abort();
  expect(await asked[1]).toBe("left");
  expect(signals[0]?.aborted).toBe(true);
  // One that asked and left before its run began does not spoil the next.
  const third = new AbortController();
  const waiting = flight(third.signal).catch(() => "left");
  third.abort();
  const fourth = new AbortController();
  const next = flight(fourth.signal).catch(() => "left");
  expect(await waiting).toBe("left");
  await vi.waitFor(() => expect(signals).toHaveLength(2));
  fourth.abort();
  expect(await next).toBe("left");
});

test("a shared signal takes one listener from the caller's and gives it back", async () => {
  const controller = new AbortController();
  const added = vi.spyOn(controller.signal, "addEventListener");
  const removed = vi.spyOn(controller.signal, "removeEventListener");
  await withSharedSignal(controller.signal, async (shared) => {
    await Promise.all(Array.from({ length: 50 }, () => untilAborted(Promise.resolve(), shared)));
  });
  expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([1, 1]);
  controller.abort(new Error("enough"));
  await expect(
    withSharedSignal(controller.signal, async (shared) => shared.throwIfAborted()),
  ).rejects.toThrow("enough");
});
