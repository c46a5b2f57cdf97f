/** The poll of GitHub's REST API, against a server that answers like it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { GithubPoll } from "../src/github/index.ts";
import { Rest } from "../src/github/rest.ts";
import { silentLogger } from "../src/log.ts";
import { createSnapwire } from "../src/snapwire.ts";

const SHA = "d".repeat(40);
const TIP = "e".repeat(40);

/** `routes`: path without query to body; absent is 404. */
async function api(
  routes: Record<string, unknown>,
  override?: (request: IncomingMessage, response: ServerResponse) => boolean,
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    asked.push(path);
    if (override?.(request, response)) return;
    const body = routes[path];
    if (body === undefined) {
      response.writeHead(404).end("{}");
      return;
    }
    const text = JSON.stringify(body);
    const tag = `"${Buffer.from(text).toString("base64url").slice(-40)}${text.length}"`;
    if (request.headers["if-none-match"] === tag) response.writeHead(304).end();
    else response.writeHead(200, { "content-type": "application/json", etag: tag }).end(text);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    routes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function polled(url: string, everyMs = 10) {
  const live = createSnapwire({ github: { repositories: () => new Map([["o/r", "p"]]) } });
  await live.start();
  if (!live.github) throw new Error("there is a github");
  const poll = new GithubPoll({
    github: live.github,
    token: "t0ken",
    everyMs,
    api: url,
    logger: silentLogger,
    now: Date.now,
  });
  return {
    live,
    poll,
    entry: (id = "w") => live.workspaces.getByWorkspaceId(id),
    async [Symbol.asyncDispose]() {
      await poll.stop();
      await live.stop();
    },
  };
}

const pull = (more: object = {}) => ({
  number: 3,
  html_url: "https://github.com/o/r/pull/3",
  state: "open",
  draft: false,
  merged_at: null,
  updated_at: "2026-01-01T00:00:00Z",
  head: { ref: "topic", sha: SHA, repo: { full_name: "o/r" } },
  ...more,
});

describe("the poll", () => {
  test("asks for the branches of workspaces only, and fills what the webhooks would have", async () => {
    await using server = await api({
      "/repos/o/r/pulls": [pull()],
      "/repos/o/r/pulls/3": pull({ mergeable_state: "dirty", mergeable: false }),
      "/repos/o/r/pulls/3/reviews": [
        { id: 1, user: { login: "ada" }, state: "COMMENTED", submitted_at: "2026-01-01T00:00:00Z" },
        { id: 2, user: { login: "ada" }, state: "APPROVED", submitted_at: "2026-01-01T00:00:01Z" },
      ],
      [`/repos/o/r/commits/${SHA}/check-runs`]: {
        check_runs: [
          {
            id: 1,
            name: "lint",
            head_sha: SHA,
            status: "completed",
            conclusion: "success",
            app: { id: 1 },
            started_at: "2026-01-01T00:00:00Z",
            completed_at: "2026-01-01T00:00:09Z",
          },
        ],
      },
      [`/repos/o/r/commits/${SHA}/status`]: { statuses: [] },
    });
    await using p = await polled(server.url);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() =>
      expect(p.entry()).toMatchObject({
        prNumber: 3,
        prState: "APPROVED",
        prCiStatus: "SUCCESS",
        hasMergeConflict: true,
      }),
    );
    const version = p.entry()?.version;
    const asked = server.asked.length;
    await vi.waitFor(() => expect(server.asked.length).toBeGreaterThan(asked + 10)); // further passes, answered 304
    expect(p.entry()?.version).toBe(version);
    expect(server.asked.filter((path) => !path.startsWith("/repos/o/r/"))).toEqual([]);
  });

  test("tells a job that ran again from another workflow's job of that name", async () => {
    const job = (id: number, run: number, suite: number, conclusion: string) => ({
      id,
      name: "build",
      head_sha: TIP,
      status: "completed",
      conclusion,
      details_url: `https://github.com/o/r/actions/runs/${run}/job/${id}`,
      started_at: "2026-01-01T00:00:00Z",
      completed_at: "2026-01-01T00:00:09Z",
      app: { id: 1 },
      check_suite: { id: suite },
    });
    const workflow = (id: number, suite: number, name: string, conclusion: string) => ({
      id,
      name,
      head_sha: TIP,
      html_url: `https://github.com/o/r/actions/runs/${id}`,
      status: "completed",
      conclusion,
      check_suite_id: suite,
      updated_at: "2026-01-01T00:00:09Z",
    });
    await using server = await api({
      "/repos/o/r/pulls": [],
      "/repos/o/r/commits/topic": { sha: TIP },
      "/repos/o/r/actions/runs": {
        workflow_runs: [workflow(100, 1, "CI", "failure"), workflow(200, 2, "CI", "success")],
      },
      [`/repos/o/r/commits/${TIP}/check-runs`]: {
        check_runs: [job(1, 100, 1, "failure"), job(2, 200, 2, "success")],
      },
      [`/repos/o/r/commits/${TIP}/status`]: { statuses: [] },
    });
    await using p = await polled(server.url);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() => expect(p.entry()?.prCiStatus).toBe("SUCCESS"));
    server.routes["/repos/o/r/actions/runs"] = {
      workflow_runs: [workflow(100, 1, "Nightly", "failure"), workflow(200, 2, "CI", "success")].map(
        (run) => ({
          ...run,
          updated_at: "2026-01-01T00:00:10Z",
        }),
      ),
    };
    await vi.waitFor(() => expect(p.entry()?.prCiStatus).toBe("FAILURE"));
  });

  test("shows the checks of a branch without a pull request; a commit without checks passes once they were listed", async () => {
    await using server = await api({
      "/repos/o/r/pulls": [],
      "/repos/o/r/commits/topic": { sha: TIP },
      [`/repos/o/r/commits/${TIP}/check-runs`]: { check_runs: [] },
      [`/repos/o/r/commits/${TIP}/status`]: { statuses: [] },
    });
    await using p = await polled(server.url);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() => expect(p.entry()).toMatchObject({ prState: "NONE", prCiStatus: "SUCCESS" }));
    server.routes[`/repos/o/r/commits/${TIP}/status`] = {
      statuses: [{ id: 1, context: "ci", state: "failure", updated_at: "2026-01-01T00:00:00Z" }],
    };
    await vi.waitFor(() => expect(p.entry()?.prCiStatus).toBe("FAILURE"));
  });

  test("waits as long as GitHub asks, keeps what is known, and never sends its token elsewhere", async () => {
    let limited = false;
    await using server = await api(
      { "/repos/o/r/pulls": [pull()], "/repos/o/r/pulls/3": pull() },
      (request, response) => {
        if (!limited) return false;
        response.writeHead(403, { "x-ratelimit-remaining": "0", "retry-after": "3600" }).end("{}");
        return request.headers.authorization !== undefined;
      },
    );
    await using p = await polled(server.url);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() => expect(p.entry()?.prNumber).toBe(3));
    limited = true;
    const before = server.asked.length;
    await vi.waitFor(() => expect(server.asked.length).toBeGreaterThan(before));
    const during = server.asked.length;
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(server.asked.length - during).toBeLessThanOrEqual(1);
    expect(p.entry()?.prNumber).toBe(3);

    await using elsewhere = await api({});
    await using moved = await api({}, (_request, response) => {
      response.writeHead(302, { location: `${elsewhere.url}/stolen` }).end();
      return true;
    });
    await using q = await polled(moved.url);
    await q.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    q.poll.start();
    await vi.waitFor(() => expect(moved.asked.length).toBeGreaterThan(0));
    expect(elsewhere.asked).toEqual([]);
  });

  test("asks again for an answer that it could not read or store", async () => {
    let broken = true;
    await using server = await api(
      { "/repos/o/r/pulls": [pull()], "/repos/o/r/pulls/3": pull() },
      (request, response) => {
        if (!broken || !request.url?.startsWith("/repos/o/r/pulls?")) return false;
        response.writeHead(200, { etag: '"same"' }).end('{"not":"a list"}');
        return true;
      },
    );
    await using p = await polled(server.url, 1);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() => expect(server.asked.length).toBeGreaterThan(1));
    expect(p.entry()?.prNumber).toBeNull();
    broken = false;
    await vi.waitFor(() => expect(p.entry()?.prNumber).toBe(3));
  });

  test("looks at later pages although the first is as it was", async () => {
    const run = (id: number, conclusion: string | null) => ({
      id,
      name: `check ${id}`,
      head_sha: TIP,
      status: conclusion === null ? "in_progress" : "completed",
      conclusion,
      app: { id: 1 },
      started_at: "2026-01-01T00:00:00Z",
    });
    const runs = Array.from({ length: 101 }, (_, id) => run(id + 1, id === 100 ? null : "success"));
    await using server = await api(
      {
        "/repos/o/r/pulls": [],
        "/repos/o/r/commits/topic": { sha: TIP },
        [`/repos/o/r/commits/${TIP}/status`]: { statuses: [] },
      },
      (request, response) => {
        const url = new URL(request.url ?? "", "http://localhost");
        if (!url.pathname.endsWith("/check-runs")) return false;
        const first = (Number(url.searchParams.get("page")) - 1) * 100;
        const text = JSON.stringify({ check_runs: runs.slice(first, first + 100) });
        const etag = `"${first}-${text.length}"`;
        const isSame = request.headers["if-none-match"] === etag;
        response.writeHead(isSame ? 304 : 200, { etag }).end(isSame ? undefined : text);
        return true;
      },
    );
    await using p = await polled(server.url);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() => expect(p.entry()?.prCiStatus).toBe("PENDING"));
    runs[100] = run(101, "failure");
    await vi.waitFor(() => expect(p.entry()?.prCiStatus).toBe("FAILURE"));
  });

  test("waits until the limit is lifted, however far that is: an hour, not a quarter of one, and never for ever", async () => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    try {
      for (const [retryAfter, expected] of [
        ["3600", 3_600_000],
        ["999999999", 3_900_000],
      ] as const) {
        await using server = await api({}, (_request, response) => {
          response.writeHead(429, { "retry-after": retryAfter }).end("{}");
          return true;
        });
        await using p = await polled(server.url);
        await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
        p.poll.start();
        await vi.waitFor(() => expect(timers.mock.calls.map(([, ms]) => ms)).toContain(expected));
      }
    } finally {
      timers.mockRestore();
    }
  });

  test("asks in full again after an hour: what was forgotten here comes back", async () => {
    const tags: (string | undefined)[] = [];
    await using server = await api({}, (request, response) => {
      tags.push(request.headers["if-none-match"]);
      response.writeHead(200, { etag: '"tag"' }).end("[]");
      return true;
    });
    let now = 1_000_000;
    const rest = new Rest({
      api: server.url,
      token: "t",
      now: () => now,
      signal: new AbortController().signal,
    });
    await rest.get("/x");
    await rest.get("/x");
    now += 3_600_001;
    await rest.get("/x");
    expect(tags).toEqual([undefined, '"tag"', undefined]);
  });

  test("takes no answer that is too long, whatever it says of its length", async () => {
    await using server = await api({}, (_request, response) => {
      response.writeHead(200);
      const chunk = Buffer.alloc(1024 * 1024, 32);
      for (let sent = 0; sent < 17; sent += 1) response.write(chunk);
      response.end("[]");
      return true;
    });
    const rest = new Rest({
      api: server.url,
      token: "t",
      now: Date.now,
      signal: new AbortController().signal,
    });
    await expect(rest.get("/x")).rejects.toThrow(/too long/);
  });

  test("ends in mid-pass", async () => {
    await using server = await api({}, () => true); // never answers
    await using p = await polled(server.url);
    await p.live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
    p.poll.start();
    await vi.waitFor(() => expect(server.asked.length).toBe(1));
    await p.poll.stop();
    expect(server.asked.length).toBe(1);
  });
});
