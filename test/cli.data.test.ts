/** Where `serve` keeps its state by itself, and what the doctor says of it. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { defaultDataFolder } from "../src/cli/data-folder.ts";
import { dataCheck } from "../src/cli/doctor-machine.ts";
import { createEmbeddedJournal, filesIn } from "../src/journal/embedded/embedded.ts";
import { type CliWorld, type RunningCli, start } from "./helpers/cli-run.ts";
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
  await vi.waitFor(() => expect(server.stdout.text).toMatch(/Watch .*\n|snapwire: /));
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
    expect(other.stdout.text).toContain("is in use by this very process. Stop that one");
    expect(readdirSync(join(home.path, "snapwire"))).toEqual([made]);
  });

  test("that cannot be made is no reason not to serve, unless it was asked for", async () => {
    const server = await served([], { XDG_STATE_HOME: "/dev/null" });
    expect(server.stdout.text).toMatch(
      / {2}Data {8}in memory only, gone when this ends: .* cannot be used \(ENOTDIR\)\n/,
    );
    const refused = await served(["--data", "/dev/null/data"], {});
    expect(await refused.done).toBe(1);
    expect(refused.stdout.text).toMatch(
      /snapwire: The data in \/dev\/null\/data cannot be opened .*--data <folder>/,
    );
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
    mkdirSync(join(home.path, "plain"));
    writeFileSync(join(home.path, "plain", "file"), "");
    expect(await look(join(home.path, "plain", "file", "data"))).toMatchObject({ status: "problem" });
    expect(await look(undefined, {})).toMatchObject({
      status: "problem",
      detail: expect.stringContaining("no home"),
    });
  });
});
