import { getEventListeners } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { nodeCheck, steadyClockCheck, watchLimitCheck } from "../src/cli/doctor-machine.ts";
import { unlessAborted } from "../src/cli/io.ts";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import { run } from "./helpers/cli-run.ts";
import { createRepository, temporaryFolder } from "./helpers/git-repository.ts";
import { type Served, serve } from "./helpers/served.ts";

const folder = temporaryFolder();
const repository = createRepository();
afterAll(() => {
  folder[Symbol.dispose]();
  repository[Symbol.dispose]();
});
const left: { end(): unknown }[] = [];
afterEach(async () => {
  for (const { end } of left.splice(0).reverse()) await end();
});

async function service(...options: Parameters<typeof serve>): Promise<Served> {
  const served = await serve(...options);
  left.push({ end: () => served[Symbol.asyncDispose]() });
  return served;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  left.push({
    end: () => {
      server.closeAllConnections();
      server.close();
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Found {
  name: string;
  status: "ok" | "problem";
  detail: string;
  fix?: string;
}

/** Everything that is not asked about is on port 0, which is always free. */
async function examine(...argv: string[]): Promise<{ code: number; found: Record<string, Found> }> {
  const { code, out, err } = await run(["doctor", "--port", "0", "--json", ...argv], {
    cwd: repository.path,
  });
  expect(err).toBe("");
  const lines = out
    .trim()
    .split("\n")
    .map((line): Found => JSON.parse(line));
  return { code, found: Object.fromEntries(lines.map((line) => [line.name, line])) };
}

describe("this machine", () => {
  test("is well: every check says so, on a line of its own, and it ends with 0", async () => {
    const { code, out, err } = await run(["doctor", "--port", "0"], { cwd: repository.path });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(
      out
        .trim()
        .split("\n")
        .map((line) => line.split(/ +/).slice(0, 2)),
    ).toEqual([
      ["ok", "node"],
      ["ok", "git"],
      ["ok", "repository"],
      ["ok", "watches"],
      ["ok", "port"],
      ["ok", "clock"],
      ["ok", "data"],
    ]);
    expect(out).toMatch(/ok +git +git version \d/);
    expect(out).toMatch(/ok +watches +7 needed for 1 worktree/);
  });

  test("has no repository here, which `serve` would refuse: 1; with a url it need not have one", async () => {
    const { code, out } = await run(["doctor", "--port", "0"], { cwd: folder.path });
    expect(out).toMatch(/problem +repository +".*" is not in a git repository\..* --repo <folder>\.\n/);
    expect(out).toMatch(/ok +watches +0 needed for 0 worktrees/);
    expect(code).toBe(1);
    const { url } = await service();
    const elsewhere = await run(["doctor", url, "--port", "0"], { cwd: folder.path });
    expect(elsewhere.out).toMatch(/ok +repository +none here, which only a server needs: /);
    expect(elsewhere.code).toBe(0);
    const named = await run(["doctor", "--port", "0", "--repo", repository.path], { cwd: folder.path });
    expect(named.out).toContain(repository.path);
    expect(named.code).toBe(0);
  });

  test("has too few watches for its worktrees: the limit, the need, and how to raise it", async () => {
    const limits = join(folder.path, "inotify");
    mkdirSync(limits);
    writeFileSync(join(limits, "max_user_watches"), "20\n");
    const found = await watchLimitCheck([repository.path], limits);
    expect(found).toMatchObject({
      status: "problem",
      detail: "7 needed for 1 worktree, and the limit of all programs together is 20",
      fix: expect.stringContaining("sudo sysctl fs.inotify.max_user_watches=524288"),
    });
    writeFileSync(join(limits, "max_user_watches"), "8192\n");
    expect(await watchLimitCheck([repository.path], limits)).toMatchObject({ status: "ok" });
  });

  test.each([
    ["20.19.0", "ok"],
    ["20.18.9", "problem"],
    ["18.20.0", "problem"],
    ["22.0.0", "ok"],
  ])("Node %s: %s", (version, status) => {
    expect(nodeCheck(version).status).toBe(status);
  });

  test("has a clock that jumps, or one that was never set", async () => {
    let reads = 0;
    const jumping = {
      wall: () => Date.now() + (reads++ === 0 ? 0 : -3_000),
      steady: () => performance.now(),
    };
    expect(await steadyClockCheck(jumping)).toMatchObject({
      status: "problem",
      detail: expect.stringMatching(/^the clock jumped by (29|30)\d\d ms/),
    });
    const unset = { wall: () => performance.now(), steady: () => performance.now() };
    expect(await steadyClockCheck(unset)).toMatchObject({
      status: "problem",
      detail: expect.stringContaining("1970-01-01"),
      fix: expect.stringContaining("set-ntp true"),
    });
  });

  test("has another program on the port: 1, and how to choose another", async () => {
    const url = await listening(createServer((_request, response) => response.end("hello")));
    const { port } = new URL(url);
    const { code, found } = await examine("--port", port);
    expect(found.port).toMatchObject({
      status: "problem",
      detail: `port ${port} of 127.0.0.1 is in use by another program`,
      fix: expect.stringContaining("--port <number>"),
    });
    expect(code).toBe(1);
  });

  test("serves on the port already: that is well", async () => {
    const { url } = await service();
    const { port } = new URL(url);
    const { code, found } = await examine("--port", port);
    expect(found.port?.detail).toMatch(new RegExp(`^port ${port} of 127.0.0.1 is served by Snapwire \\d`));
    expect(code).toBe(0);
  });
});

describe("a server", () => {
  test("that is well: it answers, a WebSocket gets through, the clocks agree, no token is needed", async () => {
    const { url } = await service();
    const { code, found } = await examine(url);
    expect(Object.values(found).map(({ name, status }) => `${name}: ${status}`)).toEqual([
      "node: ok",
      "git: ok",
      "repository: ok",
      "watches: ok",
      "port: ok",
      "clock: ok",
      "data: ok",
      "server: ok",
      "upgrade: ok",
      "server clock: ok",
      "token: ok",
    ]);
    expect(found.upgrade?.detail).toBe(`a WebSocket to ${url.replace("http", "ws")}/trpc gets through`);
    expect(found.token?.detail).toBe("no token was shown; role: admin, sees 0 projects");
    expect(code).toBe(0);
  });

  test("that is not there: each look says so, and it ends with 1", async () => {
    const { url, server } = await serve();
    await server.close();
    const { code, found } = await examine(url);
    for (const name of ["server", "upgrade", "server clock"])
      expect(found[name]).toMatchObject({
        status: "problem",
        detail: expect.stringContaining("ECONNREFUSED"),
        fix: expect.stringContaining("npx snapwire"),
      });
    expect(code).toBe(1);
  });

  test.each([
    [{ server: "nginx/1.25.3" }, "the proxy in between (nginx/1.25.3) strips it", "proxy_set_header Upgrade"],
    [{ via: "1.1 gate" }, "the proxy in between (1.1 gate) strips it", "Let it pass the headers"],
    [{}, "a proxy in between strips it", "Let it pass the headers"],
  ])("behind a proxy that strips the upgrade: it is named (%j)", async (headers, detail, fix) => {
    const { url } = await service();
    const proxy = createServer((request, response) => {
      const { upgrade: _upgrade, connection: _connection, ...passed } = request.headers;
      const onward = httpRequest(
        `${url}${request.url}`,
        { method: request.method, headers: passed },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...headers });
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    const { code, found } = await examine(await listening(proxy));
    expect(found.server?.status).toBe("ok");
    expect(found.upgrade).toMatchObject({
      status: "problem",
      detail: expect.stringMatching(/^the server answers, but the upgrade does not reach it \(\d{3}\): /),
      fix: expect.stringContaining(fix),
    });
    expect(found.upgrade?.detail).toContain(detail);
    expect(code).toBe(1);
  });

  test("that is something else", async () => {
    const { found } = await examine(
      await listening(createServer((_request, response) => response.end("hello"))),
    );
    expect(found.server?.detail).toContain("is not a Snapwire server");
    expect(found.upgrade?.detail).toContain("answers 200 in place of an upgrade");
  });

  test.each([
    [403, "refuses the upgrade (403)", "make a token there, or start it with --allow-host"],
    [503, "takes no connection now (503)", "try again later"],
  ])("that answers %d to the upgrade", async (status, detail, fix) => {
    const refusing = createServer((_request, response) => response.writeHead(status).end());
    const { found } = await examine(await listening(refusing));
    expect(found.upgrade).toMatchObject({
      status: "problem",
      detail: expect.stringContaining(detail),
      fix: expect.stringContaining(fix),
    });
  });

  test("whose clock is wrong: how much, and what to do", async () => {
    const inAnHour = new Date(Date.now() + 3_600_000).toUTCString();
    const http = createServer((_request, response) => response.writeHead(200, { date: inAnHour }).end("ok"));
    const { found } = await examine(await listening(http));
    expect(found["server clock"]).toMatchObject({
      status: "problem",
      detail: expect.stringMatching(/^the server's clock is (3599|3600)\.\d s ahead of ours$/),
      fix: expect.stringContaining("set-ntp true"),
    });
  });
});

test("however much is looked at, nothing piles up on the signal that ends it", async () => {
  const warnings: string[] = [];
  const warned = ({ name }: Error): void => void warnings.push(name);
  process.on("warning", warned);
  const { url } = await service();
  await examine(url, "--new-epoch");
  await new Promise((done) => setImmediate(done)); // a warning comes in a turn of its own
  process.off("warning", warned);
  expect(warnings).toEqual([]);
  const { signal } = new AbortController();
  expect(await unlessAborted(signal, Promise.resolve(1))).toBe(1);
  await expect(unlessAborted(signal, Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(getEventListeners(signal, "abort")).toEqual([]);
  expect(await unlessAborted(AbortSignal.abort(), new Promise(() => undefined))).toBeUndefined();
});

describe("a token", () => {
  const made = {
    viewer: createToken({ role: "viewer", projects: ["p"] }),
    publisher: createToken({ role: "publisher", projects: ["p"] }),
    agent: createToken({ role: "agent", deviceId: "d" }),
    admin: createToken({ role: "admin" }),
  };
  const authenticate = authenticateTokens(storeOf(() => Object.values(made).map(({ record }) => record)));

  test("is accepted, and its role shows in what it may do; nothing is written to find out", async () => {
    const { url, live } = await service({ server: { authenticate } });
    await live.workspaces.upsert("w", { projectId: "p", status: "READY" });
    const { head } = live.workspaces.collection;
    const roles = new Map<string, string | undefined>();
    for (const [role, { token }] of Object.entries(made)) {
      const { code, found } = await examine(url, "--token", token);
      roles.set(role, found.token?.detail);
      expect(code).toBe(0);
    }
    expect(Object.fromEntries(roles)).toEqual({
      viewer: "the token is accepted; role: viewer, sees 1 project",
      publisher: "the token is accepted; role: publisher, sees 1 project",
      agent: "the token is accepted; role: agent (it may not read)",
      admin: "the token is accepted; role: admin, sees 1 project",
    });
    expect(live.workspaces.collection.head).toBe(head);
  });

  test("that is missing or wrong is a problem, and is not repeated", async () => {
    const { url } = await service({ server: { authenticate } });
    const none = await examine(url);
    const wrong = await examine(url, "--token", "swt_wrong");
    expect(none.found.token?.detail).toBe("the server asks for a token, and none was shown");
    expect(wrong.found.token?.detail).toBe("the token is not accepted");
    for (const { code, found } of [none, wrong]) {
      expect(found.token?.fix).toContain("SNAPWIRE_TOKEN=<token>");
      expect(JSON.stringify(found)).not.toContain("swt_wrong");
      expect(code).toBe(1);
    }
  });
});

test("what a server says cannot write control codes to the terminal", async () => {
  const http = createServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ status: "ok", version: "\u001b[2J", ws_clients: 0 }));
  });
  const { out } = await run(["doctor", await listening(http), "--port", "0"], { cwd: repository.path });
  expect(out).toContain("Snapwire \\x1b[2J at");
  expect(out).not.toContain("\u001b");
});

test("an upgrade that is answered and closed at once is told apart from one that works", async () => {
  const http = createServer((_request, response) => response.end());
  const mute = new WebSocketServer({ server: http });
  const url = await listening(http);
  mute.on("connection", (socket) => socket.close(1013));
  const { found } = await examine(url);
  expect(found.upgrade).toMatchObject({
    status: "problem",
    detail: expect.stringContaining("closed with code 1013"),
  });
  mute.close();
});
