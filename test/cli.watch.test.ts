import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { SnapshotFrame } from "../src/protocol/frames.ts";
import { createSnapwireRouter } from "../src/router/index.ts";
import {
  adminToken,
  authenticateTokens,
  createSnapwireServer,
  createToken,
  joinTokenStores,
} from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import type { SourceContext } from "../src/sources/source.ts";
import { type CliWorld, type RunningCli, run, start } from "./helpers/cli-run.ts";
import { type Served, serve, stockClient, versionsAfter, versionsIn, watch } from "./helpers/served.ts";

const left: { end(): unknown }[] = [];
afterEach(async () => {
  for (const { end } of left.splice(0).reverse()) await end();
});

async function service(...options: Parameters<typeof serve>): Promise<Served> {
  const served = await serve(...options);
  left.push({ end: () => served[Symbol.asyncDispose]() });
  return served;
}

function watching(argv: readonly string[], world: CliWorld = {}): RunningCli {
  const running = start(["watch", ...argv], world);
  left.push({
    end: async () => {
      running.signal("SIGINT");
      await running.done;
    },
  });
  return running;
}

/** Attempts to connect again wait for up to a second or two. */
const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000 });

/** 16 KB, other ones each time. */
const large = (round: number) => ({
  projectId: "p",
  sessionSummaries: [
    {
      sessionId: "s",
      name: null,
      workflow: null,
      model: null,
      persistedStatus: "FAILED" as const,
      runtimePhase: "error" as const,
      processState: "stopped" as const,
      activity: "IDLE" as const,
      updatedAt: "2026-01-01T00:00:00Z",
      lastExit: null,
      errorMessage: `${round} `.padEnd(16_000, "x"),
    },
  ],
});

const READY = { status: "READY" } as const;
const TERMINAL = { columns: 100, rows: 20 };

describe("in a pipe each frame is one JSON line", () => {
  test("literally as a stock client gets it, with its position", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w1", { projectId: "p", name: "one", ...READY });
    await using stock = stockClient(url);
    const { frames } = watch(stock.trpc, "p");
    const { stdout } = watching([url, "--project", "p"]);
    await eventually(() => expect([frames.length, stdout.lines.length]).toEqual([1, 1]));
    await live.workspaces.upsert("w1", { name: "another" });
    await live.workspaces.upsert("w2", { projectId: "p", ...READY });
    await eventually(() => expect(stdout.lines).toHaveLength(3)); // changes of one key in one turn are one frame
    await live.workspaces.remove("w1");
    await eventually(() => expect(stdout.lines).toHaveLength(4));
    await eventually(() => expect(frames).toHaveLength(4));
    expect(stdout.json).toEqual(frames.map(({ id, data }) => ({ position: id, ...data })));
    expect(stdout.json.map(({ type }) => type)).toEqual([
      "snapshot_full",
      "snapshot_changed",
      "snapshot_changed",
      "snapshot_removed",
    ]);
  });

  test("of all projects, and of those that come later", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w1", { projectId: "p", ...READY });
    const { stdout } = watching([url]);
    await eventually(() => expect(stdout.json.map(({ projectId }) => projectId)).toEqual(["p"]));
    await live.workspaces.upsert("w2", { projectId: "q", ...READY });
    await eventually(() =>
      expect(stdout.json).toContainEqual(expect.objectContaining({ type: "snapshot_full", projectId: "q" })),
    );
  });

  test("of a project no more when it is gone from the list, and from the beginning when it is there again", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w1", { projectId: "p", ...READY });
    await live.workspaces.upsert("w2", { projectId: "q", ...READY });
    const { stdout } = watching([url]);
    const ofQ = () =>
      stdout.json.filter(({ projectId, type }) => projectId === "q" && type === "snapshot_full");
    await eventually(() => expect(ofQ()).toHaveLength(1));
    await live.workspaces.remove("w2");
    await eventually(() => expect(live.stats().subscriptions).toBe(1));
    await live.workspaces.upsert("w2", { projectId: "q", ...READY });
    await eventually(() => expect(ofQ()).toHaveLength(2));
  });

  test("a name cannot write control codes to the terminal that shows it, and means the same", async () => {
    const { live, url } = await service();
    const name = "\x1b[2J\u009b31m\u202e";
    await live.workspaces.upsert("w", { projectId: "p", name, ...READY });
    const { stdout } = watching([url, "--json"], { terminal: TERMINAL });
    await eventually(() => expect(stdout.lines).toHaveLength(1));
    expect(stdout.text).not.toMatch(/[\u001b\u009b\u202e]/);
    expect(stdout.json[0]).toMatchObject({ entries: [{ name }] });
  });

  test("P2 P6 a connection that was lost is made again, goes on where it was, and both are said", async () => {
    const { live, url, server } = await service();
    await live.workspaces.upsert("w", { projectId: "p", ...READY });
    const { stdout, stderr } = watching([url, "--project", "p"]);
    await eventually(() => expect(stdout.lines).toHaveLength(1));
    const port = Number(new URL(url).port);
    await server.close();
    await eventually(() => expect(stderr.text).toContain("the connection is lost"));
    await live.workspaces.upsert("w", { name: "meanwhile" });
    await serveAgain(live, port);
    await eventually(() => expect(stderr.text).toContain("connected again"));
    await eventually(() => expect(stdout.lines).toHaveLength(3));
    expect(stdout.json.slice(1)).toEqual([
      expect.objectContaining({ type: "snapshot_resumed", missed: 1 }),
      expect.objectContaining({
        type: "snapshot_changed",
        entry: expect.objectContaining({ name: "meanwhile" }),
      }),
    ]);
  });
});

/** The same service behind a new server on the same port. */
async function serveAgain(live: Served["live"], port: number): Promise<void> {
  const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
  await server.listen(port);
  left.push({ end: () => server.close() });
}

describe("who reads the pipe", () => {
  test("and is slow holds the server back: nothing piles up here, and in the end everything is right", async () => {
    const { live, url } = await service();
    const write = (round: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: 50 }, (_, index) => live.workspaces.upsert(`w${index}`, large(round))),
      );
    await write(0);
    const { stdout } = watching([url, "--project", "p"]);
    await eventually(() => expect(stdout.lines).toHaveLength(1));
    stdout.stall();
    // Until neither a socket's buffers nor the system's can hold more.
    let rounds = 0;
    for (; rounds < 200 && live.stats().stalledSockets === 0; rounds++) {
      await write(rounds + 1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(live.stats().stalledSockets).toBe(1);
    for (let more = 0; more < 10; more++) await write(1_000 + more);
    expect(stdout.writableLength).toBeLessThan(512 * 1024);
    stdout.flow();
    await eventually(() => {
      const frames = stdout.json.map(({ position, ...data }) => ({
        id: String(position),
        data: data as unknown as SnapshotFrame,
      }));
      expect(versionsAfter(frames)).toEqual(versionsIn(live, "p"));
    });
    expect(live.stats().conflated).toBeGreaterThan(0);
  });

  test("and goes away ends it quietly, with 0", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w", { projectId: "p", ...READY });
    const running = watching([url, "--project", "p"]);
    await eventually(() => expect(running.stdout.lines).toHaveLength(1));
    running.stdout.break();
    expect(await running.done).toBe(0);
    expect(running.stderr.text).toBe("");
    await eventually(() => expect(live.stats().sockets).toBe(0));
  });
});

describe("--once", () => {
  test("prints one full for each project, and ends with 0", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("a", { projectId: "p", ...READY });
    await live.workspaces.upsert("b", { projectId: "q", ...READY });
    const { code, out, err } = await run(["watch", url, "--once"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type, projectId }) => [type, projectId]).sort()).toEqual([
      ["snapshot_full", "p"],
      ["snapshot_full", "q"],
    ]);
    expect(live.stats().subscriptions).toBe(0);
  });

  test("prints nothing but fulls, also of projects whose source is away", async () => {
    const projects = ["p", "q", "r", "s"];
    const away = {
      name: "away",
      list: () => [],
      read: () => [],
      projects: () => projects,
      watch: (context: SourceContext) => {
        for (const project of projects) context.setFresh(project, false, "gone");
        return { stop: () => undefined };
      },
    };
    const { url } = await service({ sources: [away] });
    const { code, out } = await run(["watch", url, "--once"]);
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ type }) => type)).toEqual(projects.map(() => "snapshot_full"));
  });

  test("prints an empty full of a project without workspaces, and nothing without projects", async () => {
    const { url } = await service();
    const one = await run(["watch", url, "--once", "--project", "none"]);
    expect(JSON.parse(one.out)).toMatchObject({ type: "snapshot_full", projectId: "none", entries: [] });
    expect(await run(["watch", url, "--once"])).toEqual({ code: 0, out: "", err: "", said: "" });
  });

  test.each([
    ["shpo", "Did you mean shop? There is: shop, site."],
    ["elsewhere", "There is: shop, site."],
  ])("of %s, in which no workspace is known, says so on stderr: %s", async (project, said) => {
    const { live, url } = await service();
    await live.workspaces.upsert("a", { projectId: "shop", ...READY });
    await live.workspaces.upsert("b", { projectId: "site", ...READY });
    const { code, out, err } = await run(["watch", url, "--once", "--project", project]);
    expect(JSON.parse(out)).toMatchObject({ type: "snapshot_full", projectId: project, entries: [] });
    expect(err).toBe(`snapwire: No workspace is known in the project ${project}. ${said}\n`);
    expect(code).toBe(0);
    const known = await run(["watch", url, "--once", "--project", "shop"]);
    expect(known.err).toBe("");
  });

  test("on a terminal is the table, once, without taking the screen", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w", { projectId: "p", name: "fix", branchName: "b", ...READY });
    const env = { NO_COLOR: "1" };
    const { code, out } = await run(["watch", url, "--once"], { terminal: TERMINAL, env });
    expect(code).toBe(0);
    expect(out).toMatch(
      /^live {3}http:.*1 workspace in 1 project\n\nPROJECT .*AGE\np +fix +b +No session started/,
    );
    expect(out).not.toContain("\x1b");
  });
});

describe("on a terminal", () => {
  test("the table is drawn again with each change, on a screen of its own that is given back", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w", { projectId: "p", name: "first", ...READY });
    const running = watching([url], { terminal: TERMINAL, env: { NO_COLOR: "1" } });
    await eventually(() => expect(running.stdout.text).toContain("first"));
    await live.workspaces.upsert("w", { name: "second" });
    await eventually(() => expect(running.stdout.text).toContain("second"));
    running.signal("SIGINT");
    expect(await running.done).toBe(130);
    const { text } = running.stdout;
    expect(text.startsWith("\x1b[?1049h\x1b[?25l")).toBe(true);
    const [, after] = text.split("\x1b[?25h\x1b[?1049l");
    expect(after).toMatch(/^was live at \d{4}-.*Z {3}.*\n\nPROJECT .*\np +second .*\n$/);
  });

  test("a project in which no workspace is known is told apart from one that is only empty", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w", { projectId: "shop", ...READY });
    const world = { terminal: TERMINAL, env: { NO_COLOR: "1" } };
    const { stdout, stderr } = watching([url, "--project", "shpo"], world);
    await eventually(() =>
      expect(stdout.text).toContain("No workspace is known in the project shpo. Did you mean shop?"),
    );
    await live.workspaces.upsert("w2", { projectId: "shpo", name: "the first", ...READY });
    await eventually(() => expect(stdout.text).toMatch(/shpo +the first/));
    expect(stderr.text).toBe("");
  });

  test("a lost connection is shown in place of `live`", async () => {
    const { live, url, server } = await service();
    await live.workspaces.upsert("w", { projectId: "p", ...READY });
    const { stdout, stderr } = watching([url], { terminal: TERMINAL, env: { NO_COLOR: "1" } });
    await eventually(() => expect(stdout.text).toContain("live   "));
    await server.close();
    await eventually(() => expect(stdout.text).toMatch(/reconnecting \(.*\), last heard \d+s ago/));
    expect(stderr.text).toBe("");
  });
});

describe("exit codes", () => {
  test.each([["--once"], ["--json"]])(
    "3 when the first connection cannot be made, with what to do (%s)",
    async (flag) => {
      const { url, server } = await serve();
      await server.close();
      const { code, out, err } = await run(["watch", url, flag]);
      expect({ code, out }).toEqual({ code: 3, out: "" });
      expect(err).toContain(`Cannot connect to ${url}/trpc: connect ECONNREFUSED`);
      expect(err).toContain("Start a server there (npx snapwire), or name another: --url <url>.");
      const onTerminal = await run(["watch", url], { terminal: TERMINAL });
      expect(onTerminal).toMatchObject({ code: 3, out: "" });
    },
  );

  test("3 when something else answers there", async () => {
    const other = createServer((_request: IncomingMessage, response: ServerResponse) =>
      response.writeHead(404).end(),
    );
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
    left.push({ end: () => other.close() });
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const { code, err } = await run(["watch", url]);
    expect(code).toBe(3);
    expect(err).toContain("Unexpected server response: 404");
    expect(err).toContain(`snapwire doctor ${url}`);
  });

  test.each([[[]], [["--project", "p"]], [["--once"]]])(
    "4 without a token, with a wrong one, and with one of an agent, %j",
    async (more) => {
      const agent = createToken({ role: "agent", deviceId: "d" });
      const authenticate = authenticateTokens(
        joinTokenStores(
          adminToken("swt_right"),
          storeOf(() => [agent.record]),
        ),
      );
      const { url } = await service({ server: { authenticate } });
      const none = await run(["watch", url, ...more]);
      const wrong = await run(["watch", url, "--token", "swt_wrong", ...more]);
      const other = await run(["watch", url, ...more], { env: { SNAPWIRE_TOKEN: agent.token } });
      for (const { code, out } of [none, wrong, other]) expect({ code, out }).toEqual({ code: 4, out: "" });
      expect(none.err).toContain("A token is needed");
      expect(none.err).toContain("Show a token: SNAPWIRE_TOKEN=<token>");
      expect(wrong.err).toContain("The token is not valid.");
      expect(wrong.err).not.toContain("swt_wrong");
      expect(other.err).toContain("snapwire token create --role <role>");
      const right = await run(["watch", url, "--once"], { env: { SNAPWIRE_TOKEN: "swt_right" } });
      expect(right.code).toBe(0);
    },
  );

  test("4 for a project that the token is not for", async () => {
    const { token, record } = createToken({ role: "viewer", projects: ["p"] });
    const { url } = await service({ server: { authenticate: authenticateTokens(storeOf(() => [record])) } });
    const { code, err } = await run(["watch", url, "--project", "q", "--token", token]);
    expect(code).toBe(4);
    expect(err).toContain("This identity may not read project q.");
  });

  test("4 when the right is taken away later", async () => {
    const { token, record } = createToken({ role: "viewer", projects: ["p"] });
    let records = [record];
    const authenticate = authenticateTokens(storeOf(() => records));
    const { live, url } = await service({ server: { authenticate }, recheckEveryMs: 20 });
    await live.workspaces.upsert("w", { projectId: "p", ...READY });
    const running = watching([url, "--project", "p", "--token", token]);
    await eventually(() => expect(running.stdout.lines).toHaveLength(1));
    records = [];
    expect(await running.done).toBe(4);
    expect(running.stdout.json.at(-1)).toMatchObject({ type: "snapshot_ended", reason: "revoked" });
    expect(running.stderr.text).toContain("The right to watch was taken away.");
  });

  test("0 when the server says that the project is over", async () => {
    const { live, url } = await service();
    await live.workspaces.upsert("w", { projectId: "p", ...READY });
    const running = watching([url, "--project", "p"]);
    await eventually(() => expect(running.stdout.lines).toHaveLength(1));
    live.endProject("p");
    expect(await running.done).toBe(0);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 0],
  ] as const)("by %s it is %d, and nothing is left on the server", async (name, code) => {
    const { live, url } = await service();
    await live.workspaces.upsert("w", { projectId: "p", ...READY });
    const running = watching([url]);
    await eventually(() => expect(running.stdout.lines).toHaveLength(1));
    running.signal(name);
    expect(await running.done).toBe(code);
    await eventually(() => expect(live.stats()).toMatchObject({ sockets: 0, subscriptions: 0 }));
  });
});
