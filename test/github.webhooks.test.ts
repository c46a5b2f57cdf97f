/** `POST /webhooks/github` over HTTP: what is signed counts, and nothing else changes anything. */
import { connect } from "node:net";
import { sign } from "@octokit/webhooks-methods";
import { describe, expect, test, vi } from "vitest";
import { createSnapwireRouter } from "../src/router/index.ts";
import { authenticateTokens, createToken, githubWebhooks } from "../src/server/index.ts";
import { createSnapwireServer } from "../src/server/standalone.ts";
import { storeOf } from "../src/server/tokens.ts";
import { createSnapwire } from "../src/snapwire.ts";

const OLD = "an-old-secret-of-some-length";
const NEW = "a-new-secret-of-some-length!";
const SHA = "c".repeat(40);

async function served() {
  const live = createSnapwire({ github: { repositories: () => new Map([["o/r", "p"]]) } });
  await live.start();
  await live.workspaces.upsert("w", { projectId: "p", branchName: "topic" });
  if (!live.github) throw new Error("there is a github");
  const webhooks = githubWebhooks({ github: live.github, secrets: [NEW, OLD] });
  const token = createToken({ role: "admin" });
  const server = createSnapwireServer({
    live,
    router: createSnapwireRouter({ live }),
    plain: webhooks,
    authenticate: authenticateTokens(storeOf(() => [token.record])),
  });
  const url = await server.listen();
  let count = 0;
  const post = async (
    payload: unknown,
    { secret = NEW, event = "pull_request", headers = {} as Record<string, string>, signature = "" } = {},
  ) => {
    const body = typeof payload === "string" ? payload : JSON.stringify(payload);
    return fetch(`${url}/webhooks/github`, {
      method: "POST",
      body,
      headers: {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": `d-${++count}`,
        "x-hub-signature-256": signature || (await sign(secret, body)),
        ...headers,
      },
    });
  };
  return {
    live,
    url,
    post,
    webhooks,
    async [Symbol.asyncDispose]() {
      await server.close();
      await live.stop();
    },
  };
}

const pull = (number: number) => ({
  action: "opened",
  repository: { full_name: "O/R" },
  pull_request: {
    number,
    html_url: `https://github.com/O/R/pull/${number}`,
    state: "open",
    updated_at: "2026-01-01T00:00:00Z",
    head: { ref: "topic", sha: SHA, repo: { full_name: "O/R" } },
  },
});

describe("POST /webhooks/github", () => {
  test("takes what either of two secrets signed, answers 202, and the workspace shows its pull request", async () => {
    await using s = await served();
    expect((await s.post(pull(1))).status).toBe(202);
    await vi.waitFor(() =>
      expect(s.live.workspaces.getByWorkspaceId("w")).toMatchObject({
        prNumber: 1,
        prState: "OPEN",
        source: "event:github",
      }),
    );
    const second = await s.post(pull(2), { secret: OLD });
    expect([second.status, await second.json()]).toEqual([202, { outcome: "changed" }]);
    await vi.waitFor(() => expect(s.live.workspaces.getByWorkspaceId("w")?.prNumber).toBe(2));
  });

  test("takes a delivery once, by its id", async () => {
    await using s = await served();
    const headers = { "x-github-delivery": "the-same" };
    expect(await (await s.post(pull(1), { headers })).json()).toEqual({ outcome: "changed" });
    expect(await (await s.post(pull(2), { headers })).json()).toEqual({ outcome: "duplicate" });
  });

  test("an unknown repository is 202, counted, and changes nothing", async () => {
    await using s = await served();
    const answer = await s.post({ ...pull(1), repository: { full_name: "else/where" } });
    expect([answer.status, await answer.json()]).toEqual([202, { outcome: "unknown-repository" }]);
    expect(s.live.github?.counts["unknown-repository"]).toBe(1);
    expect(s.live.github?.factCount).toBe(0);
  });

  test.each([
    ["forged", { secret: "some-other-secret-of-length" }],
    ["signed with rubbish", { signature: "sha256=00" }],
    ["signed the old way", { signature: "sha1=0000000000000000000000000000000000000000" }],
    ["without an event", { headers: { "x-github-event": "" } }],
    ["without an id", { headers: { "x-github-delivery": "" } }],
  ])("refuses a delivery that is %s with 401 and a count, and nothing changes", async (_what, how) => {
    await using s = await served();
    const answer = await s.post(pull(1), how);
    expect(answer.status).toBe(401);
    expect(await answer.text()).toBe("The signature does not fit.\n");
    expect(s.webhooks.counts.refused).toBe(1);
    expect(s.live.github?.factCount).toBe(0);
  });

  test("a truncated body does not fit its signature; what is signed and no JSON is 400, of another shape 202", async () => {
    await using s = await served();
    const whole = JSON.stringify(pull(1));
    expect((await s.post(whole.slice(0, -5), { signature: await sign(NEW, whole) })).status).toBe(401);
    expect((await s.post("payload=%7B%7D")).status).toBe(400);
    expect(await (await s.post({ repository: { full_name: "o/r" }, pull_request: {} })).json()).toEqual({
      outcome: "invalid",
    });
    expect(s.live.github?.factCount).toBe(0);
  });

  test("says 413 of a body above 25 MiB before it is read, whatever it says of its length, and lives", async () => {
    await using s = await served();
    const port = Number(new URL(s.url).port);
    const answerTo = (head: string, body: Buffer | undefined) =>
      new Promise<string>((resolve) => {
        const socket = connect(port, "127.0.0.1");
        let said = "";
        socket.on("data", (chunk) => {
          said += String(chunk);
          socket.destroy();
        });
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(said));
        socket.write(`POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\n${head}\r\n\r\n`);
        if (!body) return;
        const chunk = Buffer.concat([
          Buffer.from(`${body.length.toString(16)}\r\n`),
          body,
          Buffer.from("\r\n"),
        ]);
        for (let sent = 0; sent < 27; sent += 1) socket.write(chunk);
      });
    expect(await answerTo(`Content-Length: ${26 * 1024 * 1024}`, undefined)).toContain(" 413 ");
    expect(await answerTo("Transfer-Encoding: chunked", Buffer.alloc(1024 * 1024))).toContain(" 413 ");
    expect((await s.post(pull(1))).status).toBe(202);
  });

  test("holds 64 MiB of unproven bodies and no more, whoever sends them, and takes what is signed once they are gone", async () => {
    await using s = await served();
    const port = Number(new URL(s.url).port);
    const MIB = 1024 * 1024;
    const answers: string[] = [];
    const senders = [1, 2, 3, 4].map(() => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => answers.push(String(chunk)));
      socket.write(
        `POST /webhooks/github HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${25 * MIB}\r\n\r\n`,
      );
      socket.write(Buffer.alloc(20 * MIB));
      return socket;
    });
    await vi.waitFor(() => expect(answers.join()).toMatch(/^HTTP\/1\.1 503/), 20_000);
    for (const socket of senders) socket.destroy();
    await vi.waitFor(async () => expect((await s.post(pull(1))).status).toBe(202));
    expect(s.webhooks.counts).toMatchObject({ accepted: 1, refused: 0 });
  });

  test("is POST only, and asks for no token; a secret that could be guessed is refused at the start", async () => {
    await using s = await served();
    expect((await fetch(`${s.url}/webhooks/github`)).status).toBe(405);
    const github = { deliver: () => Promise.reject(new Error("not asked")) };
    expect(() => githubWebhooks({ github, secrets: ["short"] })).toThrow(/16 characters/);
    expect(() => githubWebhooks({ github, secrets: [] })).toThrow(/secret/);
  });

  test("says 503 while it cannot be stored, and takes the same delivery when it comes again", async () => {
    await using s = await served();
    const headers = { "x-github-delivery": "again" };
    const deliver = vi.spyOn(s.live.github as NonNullable<typeof s.live.github>, "deliver");
    deliver.mockRejectedValueOnce(new Error("away"));
    expect((await s.post(pull(1), { headers })).status).toBe(503);
    expect((await s.post(pull(1), { headers })).status).toBe(202);
  });
});
