import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { CliFailure } from "../src/cli/exit-codes.ts";
import type { CliIo } from "../src/cli/io.ts";
import { createLogger } from "../src/cli/logger.ts";
import { withLoggedRefusal } from "../src/cli/refusal-log.ts";
import { sharedLine } from "../src/cli/serve-lines.ts";
import { SnapwireError } from "../src/protocol/errors.ts";
import { addToken, createToken } from "../src/server/index.ts";
import { type CliWorld, type RunningCli, run, start } from "./helpers/cli-run.ts";
import { createRepository, type TestRepository, temporaryFolder } from "./helpers/git-repository.ts";
import { NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { stockClient, watch } from "./helpers/served.ts";

const left: { end(): unknown }[] = [];
afterEach(async () => {
  for (const { end } of left.splice(0).reverse()) await end();
});

function repository(name?: string): TestRepository {
  const made = createRepository(name === undefined ? {} : { name });
  left.push({ end: () => made[Symbol.dispose]() });
  return made;
}

function folder(): string {
  const made = temporaryFolder();
  left.push({ end: () => made[Symbol.dispose]() });
  return made.path;
}

async function served(argv: readonly string[], world: CliWorld): Promise<RunningCli & { url: string }> {
  const running = start(["serve", "--port", "0", ...argv], world);
  left.push({
    end: async () => {
      running.signal("SIGTERM");
      await running.done;
    },
  });
  await vi.waitFor(() => expect(running.stdout.text).toMatch(/Watch .*\n/), { timeout: 10_000 });
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.stdout.text)?.[0] ?? "";
  return Object.assign(running, { url });
}

describe("a person reads", () => {
  test("tRPC, WebSocket, project, the workspaces found, where tokens stand, and the second command", async () => {
    const app = repository();
    app.worktree("feature", "-b", "feature/login");
    const { stdout, url } = await served([], { cwd: app.path });
    expect(stdout.text).toContain(`tRPC        ${url}/trpc\n`);
    expect(stdout.text).toContain(`WebSocket   ${url.replace("http", "ws")}/trpc\n`);
    expect(stdout.text).toContain(`Project     app   ${app.path}\n`);
    expect(stdout.text).toContain("Workspaces  2 found\n");
    expect(stdout.text).toMatch(/app\/main-worktree +main\n/);
    expect(stdout.text).toMatch(/app\/feature +feature\/login\n/);
    expect(stdout.text).toContain("Tokens      none: only this machine may connect");
    expect(stdout.text).toContain(`npx snapwire watch ${url} `);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });

  test("each of several repositories, from any folder inside", async () => {
    const [app, site] = [repository("app"), repository("site")];
    const { stdout } = await served(["--repo", app.path, "--repo", "."], { cwd: site.path });
    expect(stdout.text).toContain(`Projects    app   ${app.path}`);
    expect(stdout.text).toContain(`            site   ${site.path}`);
    expect(stdout.text).toContain("Workspaces  2 found");
  });

  test("no control code of a branch or folder that somebody else named", async () => {
    const app = repository("evil\x1b[2J");
    const { stdout } = await served([], { cwd: app.path });
    expect(stdout.text).toContain("evil\\x1b[2J");
    expect(stdout.text).not.toContain("\x1b");
  });
});

describe("a log line is", () => {
  test("over which servers the state is shared, as whom, and in which streams; never the login", () => {
    expect(sharedLine("nats://me:hunter2@one:4222,two:4222?name=left&wait=5")).toBe(
      "  Data        shared over nats://one:4222, nats://two:4222, as left",
    );
    expect(sharedLine("tls://secret@one?state=S")).toBe(
      `  Data        shared over tls://one, as ${hostname()}, in the streams S and SNAPWIRE_EVENTS`,
    );
    expect(sharedLine("nats://one?name=%1b%5b2J")).not.toContain("\u001b");
  });

  test.skipIf(NO_NATS_SERVER)(natsTitle("with --journal, that the state is shared"), async () => {
    await using nats = await natsServer();
    const app = repository();
    const { stdout } = await served(["--journal", `${nats.url}?name=left`], { cwd: app.path });
    expect(stdout.text).toContain(`Data        shared over ${nats.url}, as left\n`);
    for (const { end } of left.splice(0).reverse()) await end(); // before its servers
  });

  test("one JSON object per fact on stderr, with its room, and never a token", async () => {
    const app = repository();
    const token = "swt_of-the-environment";
    const env = { SNAPWIRE_TOKEN: token, SNAPWIRE_PROT: "1" };
    const { stderr, stdout, url } = await served(["--log-level", "debug"], { cwd: app.path, env });
    const right = await fetch(`${url}/trpc/snapshots.projects`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const wrong = await fetch(`${url}/trpc/snapshots.projects`, {
      headers: { authorization: "Bearer swt_wrong" },
    });
    expect([right.status, wrong.status]).toEqual([200, 401]);
    await vi.waitFor(() => expect(stderr.text).toContain("identity refused"));
    const rooms = new Set(stderr.json.map(({ room }) => room));
    expect(stderr.json.find(({ msg }) => msg === "serving")).toMatchObject({
      level: "info",
      room: "cli",
      url,
    });
    expect(stderr.json.find(({ level }) => level === "warn")).toMatchObject({
      msg: expect.stringContaining("Did you mean SNAPWIRE_PORT?"),
    });
    expect(rooms).toContain("server");
    expect(stderr.text + stdout.text).not.toContain("swt_");
  });

  test("missing on a terminal while nothing is wrong", async () => {
    const app = repository();
    const { stderr } = await served([], { cwd: app.path, terminal: { columns: 80, rows: 24 } });
    expect(stderr.text).toBe("");
  });
});

describe("tokens", () => {
  test("in the file or the environment make every client show one", async () => {
    const app = repository();
    const file = join(folder(), "tokens.json");
    const { token, record } = createToken({ role: "viewer", projects: ["app"] });
    addToken(file, record);
    const env = { SNAPWIRE_TOKEN: "swt_admin" };
    const { stdout, url } = await served(["--tokens", file], { cwd: app.path, env });
    expect(stdout.text).toContain(`needed: 1 in ${file}, and one of an admin in SNAPWIRE_TOKEN`);
    expect(stdout.text).toContain("SNAPWIRE_TOKEN=<token> npx snapwire watch");
    const status = async (bearer?: string, path = "snapshots.projects") =>
      (await fetch(`${url}/trpc/${path}`, bearer ? { headers: { authorization: `Bearer ${bearer}` } } : {}))
        .status;
    expect(await status()).toBe(401);
    expect(await status(token)).toBe(200);
    expect(await status(token, "system.stats")).toBe(403);
    expect(await status("swt_admin", "system.stats")).toBe(200);
  });

  test("are not needed while the default file does not exist; one that was named must", async () => {
    const app = repository();
    const home = folder();
    await served([], { cwd: app.path, env: { XDG_CONFIG_HOME: home } });
    expect(existsSync(join(home, "snapwire"))).toBe(false);
    const { code, said } = await run(["serve", "--port", "0", "--tokens", join(home, "none.json")], {
      cwd: app.path,
    });
    expect(said).toContain("cannot be read; make a token with `snapwire token create`");
    expect(code).toBe(1);
  });
});

describe("a start that is refused says why and what to do, and ends with 1", () => {
  test("outside of a git repository", async () => {
    const { code, said } = await run(["serve", "--port", "0"], { cwd: folder() });
    expect(said).toContain(
      "is not in a git repository. Name a folder that is in one, or make one with: git -C",
    );
    expect(said).not.toMatch(/^ +at /m);
    expect(code).toBe(1);
  });

  test("a port that is taken", async () => {
    const other = createServer();
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    left.push({ end: () => other.close() });
    const { port } = other.address() as AddressInfo;
    const { code, said } = await run(["serve", "--port", String(port)], { cwd: repository().path });
    expect(said).toContain(
      `Port ${port} of 127.0.0.1 is in use. Stop what uses it, or choose another: \`--port <number>\``,
    );
    expect(code).toBe(1);
  });

  test("a port that another Snapwire has: where that is, and what else can be done", async () => {
    const other = await served([], { cwd: repository().path });
    const port = new URL(other.url).port;
    const { code, said } = await run(["serve", "--port", port], { cwd: repository("site").path });
    expect(said).toContain(`Port ${port} of 127.0.0.1 is in use. Snapwire `);
    expect(said).toContain(` answers there: ${other.url}/. Open that one, or choose another port`);
    expect(said).toContain("One server takes several repositories: --repo <folder> --repo <folder>.");
    expect(code).toBe(1);
    const demo = await run(["demo", "--port", port]);
    expect(demo.said).toContain(
      `answers there: ${other.url}/. Open that one, or choose another port: --port`,
    );
    expect(demo).toMatchObject({ code: 1, out: "" });
    expect(JSON.parse(demo.err)).toMatchObject({ level: "fatal", room: "cli" });
  });

  test("a name of a host that does not resolve, before anything about tokens", async () => {
    const { code, said } = await run(["serve", "--host", "nosuch.invalid"], { cwd: repository().path });
    expect(said).toMatch(
      /The name nosuch\.invalid does not resolve \(E\w+\)\. Name an address of this machine/,
    );
    expect(said).not.toContain("token");
    expect(code).toBe(1);
  });

  test.each(["0.0.0.0", "::", "192.0.2.1"])(
    "any other bind than loopback without a token: %s",
    async (host) => {
      const { code, said } = await run(["serve", "--port", "0", "--host", host], { cwd: repository().path });
      expect(said).toContain(`Refused to listen on ${host} without a token`);
      expect(said).toContain("snapwire token create --role admin");
      expect(code).toBe(1);
    },
  );

  test("an address that this machine does not have", async () => {
    const env = { SNAPWIRE_TOKEN: "swt_x" };
    const { code, said } = await run(["serve", "--host", "192.0.2.1"], { cwd: repository().path, env });
    expect(said).toContain(
      "Cannot listen on port 4747 of 192.0.2.1: this machine does not have that address.",
    );
    expect(code).toBe(1);
  });

  test("a malformed token file", async () => {
    const file = join(folder(), "tokens.json");
    writeFileSync(file, "{");
    const { code, said } = await run(["serve", "--tokens", file], { cwd: repository().path });
    expect(said).toContain(`The token file ${file} is not JSON.`);
    expect(code).toBe(1);
  });

  test("once: a fact in the log; a line where a terminal is, on stdout while stderr goes into a file", async () => {
    const cwd = folder();
    const line = /^snapwire: ".*" is not in a git repository.*\n$/;
    const fact = { level: "fatal", room: "cli", exitCode: 1, msg: expect.stringContaining("not in a git") };
    const logged = await run(["serve"], { cwd });
    expect(logged).toMatchObject({ code: 1, out: "" });
    expect(JSON.parse(logged.err)).toMatchObject(fact);
    const terminal = { columns: 80, rows: 24 };
    const onTerminal = await run(["serve"], { cwd, terminal });
    expect(onTerminal).toMatchObject({ code: 1, out: "", err: expect.stringMatching(line) });
    const both = await run(["serve"], { cwd, terminal, hasLogFile: true });
    expect(both).toMatchObject({ code: 1, out: expect.stringMatching(line) });
    expect(JSON.parse(both.err)).toMatchObject(fact);
    const silent = await run(["serve", "--log-level", "silent"], { cwd });
    expect(silent).toMatchObject({ code: 1, out: "", err: expect.stringMatching(line) });
  });

  test.each([
    ["a fault of ours", new TypeError("no such thing"), "TypeError"],
    ["what is for a person", new CliFailure(1, "Start it elsewhere."), undefined],
    ["what the service refuses", new SnapwireError("unavailable", "Not here."), undefined],
  ])("with where it was thrown, or without: %s", async (_what, error, type) => {
    const lines: string[] = [];
    const stderr = { write: (line: string) => void lines.push(line) } as unknown as CliIo["stderr"];
    const io = { stderr, isTTY: false, isStderrTTY: false } as unknown as CliIo;
    const code = await withLoggedRefusal(io, createLogger(stderr, "info"), () => Promise.reject(error));
    const [fact = {}] = lines.map((line) => JSON.parse(line) as { err?: unknown; msg?: string });
    expect([code, lines.length, fact.msg]).toEqual([1, 1, expect.stringContaining(error.message)]);
    expect(fact.err).toEqual(
      type && expect.objectContaining({ type, stack: expect.stringContaining("cli.serve.test") }),
    );
  });

  test("as a line when the command line is wrong, whatever stderr is", async () => {
    for (const argv of [
      ["serve", "--github-poll", "60s"],
      ["demo", "--speed", "fast"],
    ]) {
      const { code, out, err } = await run(argv, { cwd: folder() });
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toMatch(/^snapwire: [^{]*\n$/);
    }
  });
});

describe("P14 an end that is asked for", () => {
  test.each([
    ["SIGTERM", 0],
    ["SIGINT", 130],
  ] as const)("by %s drains and answers %d", async (name, code) => {
    const app = repository();
    const running = await served([], { cwd: app.path });
    await using client = stockClient(running.url);
    const { frames } = watch(client.trpc, "app");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    running.signal(name);
    expect(await running.done).toBe(code);
    expect(running.stdout.text).toContain(
      "Stopping. 1 client is sent elsewhere. Once more ends it at once.\nStopped.\n",
    );
    const refused = connect(Number(new URL(running.url).port), "127.0.0.1");
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  test("comes before the start is over: nothing is left listening", async () => {
    const running = start(["serve", "--port", "0"], { cwd: repository().path });
    running.signal("SIGTERM");
    expect(await running.done).toBe(0);
    expect(running.stdout.text).toBe("");
  });
});
