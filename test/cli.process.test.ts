/** The command as it is shipped: the bundled file alone, in processes of its own, over real pipes and signals. */
import { mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  bundleInto,
  COMMAND_FILES,
  cleanEnvironment,
  copyCommand,
  launch,
  type Process,
} from "./helpers/cli-process.ts";
import { createRepository, type TemporaryFolder, temporaryFolder } from "./helpers/git-repository.ts";

let built: TemporaryFolder;
let file = "";
const homes: TemporaryFolder[] = [];

beforeAll(() => {
  built = temporaryFolder();
  file = bundleInto(built.path);
});
afterAll(() => {
  for (const folder of [built, ...homes]) folder[Symbol.dispose]();
});

const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 20_000, interval: 20 });

function home(): string {
  const made = temporaryFolder();
  homes.push(made);
  return made.path;
}

const env = (more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({ ...cleanEnvironment(home()), ...more });

function snapwire(cwd: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): Process {
  return launch(process.execPath, [file, ...args], { cwd, env: env(more) });
}

async function urlOf(server: Process): Promise<string> {
  await eventually(() => expect(server.out()).toMatch(/Watch /));
  return /http:\/\/127\.0\.0\.1:\d+/.exec(server.out())?.[0] ?? "";
}

const frames = (watch: Process) => watch.lines().map((line) => JSON.parse(line));

describe("the bundled file", () => {
  test("and the two beside it run alone, in an empty folder, without node_modules", async () => {
    using repository = createRepository({ empty: true });
    const alone = join(repository.path, "bin");
    mkdirSync(alone);
    copyCommand(file, alone);
    expect(readdirSync(alone).sort()).toEqual([...COMMAND_FILES].sort());
    const start = (...args: string[]): Process =>
      launch(process.execPath, [join(alone, "snapwire.mjs"), ...args], { cwd: alone, env: env() });
    await using version = start("--version");
    await using help = start("--help");
    expect([await version.done, await help.done]).toEqual([0, 0]);
    expect(version.out()).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(help.out()).toContain("Usage: snapwire [command] [flags]");
    await using server = start("serve", "--port", "0", "--no-open");
    const url = await urlOf(server);
    expect(server.out()).toContain("Project     app   ");
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    await using once = start("watch", url, "--once");
    expect(await once.done).toBe(0);
    expect(frames(once)).toEqual([expect.objectContaining({ type: "snapshot_full", projectId: "app" })]);
    for (const line of server.err().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("msg");
  });
});

test("a commit in a worktree of a served repository arrives at a watcher in another process", async () => {
  using repository = createRepository();
  const feature = repository.worktree("feature");
  await using server = snapwire(repository.path, ["serve", "--port", "0"]);
  const url = await urlOf(server);
  await using watch = snapwire(repository.room, ["watch", url, "--json"]);
  await eventually(() => expect(watch.lines()).toHaveLength(1));
  const [full] = frames(watch);
  expect(full).toMatchObject({ type: "snapshot_full", projectId: "app", complete: true });
  expect(full.entries.map(({ workspaceId }: { workspaceId: string }) => workspaceId).sort()).toEqual([
    "app/feature",
    "app/main-worktree",
  ]);

  repository.commit("new-file", "one\ntwo\n", feature);
  await eventually(() =>
    expect(frames(watch)).toContainEqual(
      expect.objectContaining({
        type: "snapshot_changed",
        workspaceId: "app/feature",
        entry: expect.objectContaining({
          branchName: "feature",
          gitStats: { total: 1, additions: 2, deletions: 0, hasUncommitted: false },
        }),
      }),
    ),
  );

  await using publish = snapwire(repository.room, [
    ...["publish", "app/feature", "--project", "app", "--url", url],
    ...["--set", "prState=OPEN", "--set", "prNumber=7"],
  ]);
  expect(await publish.done).toBe(0);
  await eventually(() => expect(frames(watch).at(-1)).toMatchObject({ entry: { prNumber: 7 } }));

  repository.git("worktree", "remove", "--force", feature);
  await eventually(() =>
    expect(frames(watch).at(-1)).toMatchObject({ type: "snapshot_removed", workspaceId: "app/feature" }),
  );

  server.child.kill("SIGTERM");
  expect(await server.done).toBe(0);
  await eventually(() => expect(watch.err()).toContain("the connection is lost"));
  watch.child.kill("SIGINT");
  expect(await watch.done).toBe(130);
});

describe("signals", () => {
  test("P14 a second one ends at once, while the first still waits for a client that stays", async () => {
    using repository = createRepository();
    await using server = snapwire(repository.path, ["serve", "--port", "0"]);
    const url = await urlOf(server);
    await using watch = snapwire(repository.room, ["watch", url]);
    await eventually(() => expect(watch.lines()).toHaveLength(1));
    server.child.kill("SIGTERM");
    await eventually(() => expect(server.out()).toContain("Stopping. 1 client is sent elsewhere."));
    server.child.kill("SIGINT");
    expect(await server.done).toBe(130);
    expect(server.out()).not.toContain("Stopped.");
  });

  test("one press of Ctrl-C that arrives three times still drains, and ends with 130", async () => {
    using repository = createRepository();
    await using server = snapwire(repository.path, ["serve", "--port", "0"]);
    await urlOf(server);
    for (let times = 0; times < 3; times++) server.child.kill("SIGINT");
    expect(await server.done).toBe(130);
    expect(server.out()).toContain("Stopped.");
  });
});

describe("a pipe", () => {
  test("that is closed by its reader ends a watch quietly", async () => {
    using repository = createRepository();
    await using server = snapwire(repository.path, ["serve", "--port", "0"]);
    const url = await urlOf(server);
    const command = `{ "${process.execPath}" "${file}" watch ${url} --json; echo "ended with $?" >&2; } | head -n 1`;
    await using shell = launch("sh", ["-c", command], { cwd: repository.path, env: env() });
    await eventually(() => expect(shell.out()).toContain("snapshot_full"));
    // `head` is gone; the next line is one that nobody reads.
    repository.commit("more", "1\n");
    expect(await shell.done).toBe(0);
    expect(shell.err()).toBe("ended with 0\n");
  });

  test("that is slow gets all of a line that is larger than a pipe holds, before the command ends", async () => {
    using repository = createRepository();
    await using server = snapwire(repository.path, ["serve", "--port", "0"]);
    const url = await urlOf(server);
    const sessions = Array.from({ length: 6 }, (_, index) => ({
      sessionId: `s${index}`,
      persistedStatus: "FAILED",
      runtimePhase: "error",
      processState: "stopped",
      activity: "IDLE",
      updatedAt: "2026-01-01T00:00:00Z",
      errorMessage: "x".repeat(15_000),
    }));
    await using publish = snapwire(repository.path, [
      ...["publish", "app/main-worktree", "--project", "app", "--url", url],
      ...["--set", `sessionSummaries=${JSON.stringify(sessions)}`],
    ]);
    expect(await publish.done).toBe(0);
    // The reader begins late: by then the command has long had nothing more to say.
    const command = `"${process.execPath}" "${file}" watch ${url} --once | (sleep 1; cat)`;
    await using shell = launch("sh", ["-c", command], { cwd: repository.path, env: env() });
    expect(await shell.done).toBe(0);
    const [full] = frames(shell);
    expect(full.entries[0].sessionSummaries).toHaveLength(6);
    expect(shell.out().length).toBeGreaterThan(64 * 1024);
  });
});

/** Node's own way to make folders asks for ever below this one. */
const NO_FOLDERS = "/proc/snapwire-none";

test.each([
  [["serve", "--port", "0", "--data", NO_FOLDERS], 1, "The data in /proc/snapwire-none cannot be opened (E"],
  [
    ["token", "create", "--role", "admin", "--tokens", `${NO_FOLDERS}/tokens.json`],
    1,
    "cannot be written (E",
  ],
  [["doctor", "--port", "0", "--data", NO_FOLDERS], 1, "cannot be made: nothing can be put into /proc (E"],
])("a folder that the system does not make ends %j with %d, at once", async (argv, code, message) => {
  using repository = createRepository();
  using whole = temporaryFolder();
  symlinkSync(
    fileURLToPath(new URL("../node_modules", import.meta.url)),
    join(whole.path, "node_modules"),
    "dir",
  );
  const command = copyCommand(file, whole.path);
  await using ran = launch(process.execPath, [command, ...argv], { cwd: repository.path, env: env() });
  await eventually(() => expect(ran.child.exitCode).toBe(code));
  await ran.done;
  expect(ran.out() + ran.err()).toContain(message);
});

describe("nobody is there", () => {
  test("a watch ends with 3, and a port that is taken ends a server with 1", async () => {
    using repository = createRepository();
    await using server = snapwire(repository.path, ["serve", "--port", "0"]);
    const url = await urlOf(server);
    const { port } = new URL(url);
    await using second = snapwire(repository.path, ["serve", "--port", port]);
    expect(await second.done).toBe(1);
    expect(second.err()).toContain(`Port ${port} of 127.0.0.1 is in use. Snapwire `);
    expect(second.out() + second.err()).not.toMatch(/^ +at .*\(.*:\d+:\d+\)/m);
    server.child.kill("SIGKILL");
    await server.done;
    await using watch = snapwire(repository.path, ["watch", url]);
    expect(await watch.done).toBe(3);
    expect(watch.err()).toContain("Cannot connect to");
  });
});
