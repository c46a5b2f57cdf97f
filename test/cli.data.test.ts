/** Where `serve` keeps its state by itself, and what the doctor says of it. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { defaultDataFolder } from "../src/cli/data-folder.ts";
import { dataCheck } from "../src/cli/doctor-data.ts";
import { sayServedAt, servedAt } from "../src/cli/served-at.ts";
import { createEmbeddedJournal, filesIn } from "../src/journal/embedded/embedded.ts";
import { type CliWorld, type RunningCli, run, start } from "./helpers/cli-run.ts";
import {
  createRepository,
  type TemporaryFolder,
  type TestRepository,
  temporaryFolder,
} from "./helpers/git-repository.ts";

let repository: TestRepository;
let home: TemporaryFolder;
const running: RunningCli[] = [];
beforeEach(() => {
  repository = createRepository();
  home = temporaryFolder();
});
afterEach(async () => {
  for (const server of running.splice(0)) {
    server.signal("SIGTERM");
    await server.done;
  }
  repository[Symbol.dispose]();
  home[Symbol.dispose]();
});

async function served(argv: readonly string[], env: CliWorld["env"]): Promise<RunningCli> {
  const server = start(["serve", "--port", "0", "--no-open", ...argv], {
    cwd: repository.path,
    env: env ?? {},
  });
  running.push(server);
  await vi.waitFor(() => expect(server.stdout.text + server.stderr.text).toMatch(/Watch .*\n|"fatal"/));
  return server;
}

describe("the folder of a repository", () => {
  test("lies where the person's state is, is named like the repository, and is never another one's", () => {
    const of = (path: string) => defaultDataFolder({ XDG_STATE_HOME: "/state" }, path);
    expect(of("/code/app")).toMatch(/^\/state\/snapwire\/app-[0-9a-f]{8}$/);
    expect(of("/code/app")).toBe(of("/code/app"));
    expect(of("/code/app")).not.toBe(of("/other/app"));
    expect(of("/code/a b\n../c")).toMatch(/^\/state\/snapwire\/[\w.-]+$/);
    expect(of(`/code/${"x".repeat(300)}`)?.length).toBeLessThan(100);
    expect(defaultDataFolder({ HOME: "/home/me" }, "/code/app")).toMatch(
      "/home/me/.local/state/snapwire/app-",
    );
    expect(defaultDataFolder({}, "/code/app")).toBeUndefined();
  });

  test("is made at start, and said; any worktree of the repository has the same one", async () => {
    const env = { XDG_STATE_HOME: home.path };
    const server = await served([], env);
    const [made = ""] = readdirSync(join(home.path, "snapwire"));
    expect(server.stdout.text).toContain(`  Data        ${join(home.path, "snapwire", made)}\n`);
    const feature = repository.worktree("feature");
    const other = start(["serve", "--port", "0", "--no-open"], { cwd: feature, env });
    expect(await other.done).toBe(1);
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stdout.text)?.[0];
    expect(other.stderr.text).toContain(
      `runs already: ${url}/ (process ${process.pid}). Open that one, or stop it.`,
    );
    expect(other.stderr.text).toContain("(--data <folder>) or none (--ephemeral)");
    expect(readdirSync(join(home.path, "snapwire"))).toEqual([made]);
  });

  test("that cannot be made is no reason not to serve, unless it was asked for", async () => {
    const server = await served([], { XDG_STATE_HOME: "/dev/null" });
    expect(server.stdout.text).toMatch(
      / {2}Data {8}in memory only, gone when this ends: .* cannot be used \(ENOTDIR\)\n/,
    );
    const refused = await served(["--data", "/dev/null/data"], {});
    expect(await refused.done).toBe(1);
    expect(refused.stderr.text).toMatch(/The data in \/dev\/null\/data cannot be opened .*--data <folder>/);
  });

  test("is not made with --ephemeral, nor without any home", async () => {
    const server = await served(["--ephemeral"], { XDG_STATE_HOME: home.path });
    expect(server.stdout.text).toContain("in memory only, gone when this ends: as you asked\n");
    expect(readdirSync(home.path)).toEqual([]);
    const homeless = await served([], { XDG_STATE_HOME: "", HOME: "" });
    expect(homeless.stdout.text).toContain("there is no home folder; --data names one");
  });
});

describe("the doctor", () => {
  const look = (data: string | undefined, env = {}) =>
    dataCheck(data, { env, repositories: [repository.path] });

  test("finds a folder that can be made, without making it", async () => {
    const found = await look(undefined, { XDG_STATE_HOME: join(home.path, "state") });
    expect(found).toMatchObject({
      status: "ok",
      detail: expect.stringMatching(/app-[0-9a-f]{8}, \d+ MiB free/),
    });
    expect(readdirSync(home.path)).toEqual([]);
  });

  test("finds who uses it, what is damaged, and what cannot be written", async () => {
    const folder = join(home.path, "data");
    const journal = createEmbeddedJournal({ folder });
    await journal.open();
    expect(await look(folder)).toMatchObject({
      status: "ok",
      detail: `${folder} is in use by process ${process.pid}`,
    });
    await journal.close();
    expect(await look(folder)).toMatchObject({ status: "ok" });
    writeFileSync(filesIn(folder).data, "x".repeat(10_000));
    expect(await look(folder)).toMatchObject({
      status: "problem",
      detail: expect.stringContaining("is damaged"),
    });
    expect(readdirSync(folder).sort()).toEqual(["journal.mdb", "journal.mdb-lock", "lineage.json"]);
    mkdirSync(join(home.path, "plain"));
    writeFileSync(join(home.path, "plain", "file"), "");
    expect(await look(join(home.path, "plain", "file", "data"))).toMatchObject({ status: "problem" });
    expect(await look(undefined, {})).toMatchObject({
      status: "problem",
      detail: expect.stringContaining("no home"),
    });
  });

  test("begins a new epoch in a data folder: what it holds stays, and every client begins anew", async () => {
    const data = join(home.path, "data");
    const world = { cwd: repository.path };
    const full = async (server: RunningCli) => {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stdout.text)?.[0] ?? "";
      const { out } = await run(["watch", url, "--once"]);
      const { position, entries } = JSON.parse(out) as { position: string; entries: { prNumber: number }[] };
      return { url, tag: position.split(".")[0], prs: entries.map(({ prNumber }) => prNumber) };
    };
    const doctor = () => run(["doctor", "--port", "0", "--new-epoch", "--data", data], world);
    const none = await doctor();
    expect(none.out).toMatch(/problem +epoch +there is no data in .*Name the folder that is meant/);
    expect([none.code, existsSync(data)]).toEqual([1, false]);

    const first = await served(["--data", data], {});
    const before = await full(first);
    await run(["publish", "app/main-worktree", before.url, "--project", "app", "--set", "prNumber=42"]);
    const used = await doctor();
    expect(used.out).toContain(`is in use by process ${process.pid}, which serves ${before.url}`);
    expect(used.out).toMatch(/problem +epoch .*Stop that server, do this again, and start it again\./);
    expect(used.code).toBe(1);
    first.signal("SIGTERM");
    await first.done;

    const again = await served(["--data", data], {});
    expect(await full(again)).toMatchObject({ tag: before.tag, prs: [42] });
    again.signal("SIGTERM");
    await again.done;
    expect(readdirSync(data)).not.toContain("server.json");
    const done = await doctor();
    expect(done.out).toMatch(/ok +epoch +a new one has begun in .*; every client gets a full snapshot\n/);
    expect(done.code).toBe(0);
    const last = await full(await served(["--data", data], {}));
    expect(last.prs).toEqual([42]);
    expect(last.tag).not.toBe(before.tag);
  });

  test("takes nothing that a killed server left for where one can be reached", () => {
    const takeBack = sayServedAt(home.path, "http://127.0.0.1:1");
    expect(servedAt(home.path, process.pid)).toBe("http://127.0.0.1:1");
    expect(servedAt(home.path, process.pid + 1)).toBeUndefined();
    takeBack();
    expect(servedAt(home.path, process.pid)).toBeUndefined();
    expect(() => sayServedAt(join(home.path, "gone"), "http://127.0.0.1:1")()).not.toThrow();
  });
});

test("P14 a file that cannot be taken back does not keep a server from ending in order", async () => {
  const data = join(home.path, "data");
  const server = await served(["--data", data], {});
  rmSync(join(data, "server.json"));
  mkdirSync(join(data, "server.json"));
  server.signal("SIGTERM");
  expect(await server.done).toBe(0);
  expect(server.stdout.text).toMatch(/\nStopped\.\n$/);
  const again = createEmbeddedJournal({ folder: data }); // the folder is held no more
  await again.open();
  await again.close();
});
