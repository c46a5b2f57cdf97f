/** GitHub, JSON Web Tokens and plain endpoints as `snapwire serve` wires them. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { sign } from "@octokit/webhooks-methods";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { describe, expect, test, vi } from "vitest";
import { run } from "./helpers/cli-run.ts";
import { serveRepository } from "./helpers/cli-serve.ts";

const SECRET = "a-secret-of-some-length";
const SHA = "c".repeat(40);
const ORIGIN = "git@github.com:Some/Thing.git";

const pull = (number: number, fullName = "Some/Thing", ref = "feature") => ({
  action: "opened",
  repository: { full_name: fullName },
  pull_request: {
    number,
    html_url: `https://github.com/${fullName}/pull/${number}`,
    state: "open",
    updated_at: "2026-01-01T00:00:00Z",
    head: { ref, sha: SHA, repo: { full_name: fullName } },
  },
});

let deliveries = 0;
async function deliver(url: string, payload: object, secret = SECRET): Promise<number> {
  const body = JSON.stringify(payload);
  const response = await fetch(`${url}/webhooks/github`, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      "x-github-event": "pull_request",
      "x-github-delivery": `d-${++deliveries}`,
      "x-hub-signature-256": await sign(secret, body),
    },
  });
  return response.status;
}

async function httpServer(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("webhooks", () => {
  test("arrive at the workspaces of the repository that git names, and of one that a flag names", async () => {
    await using served = await serveRepository(["--github", "Other/Name=app", "--github", "one/more=ap"], {
      env: { SNAPWIRE_GITHUB_SECRET: `${SECRET},an-older-secret-of-mine` },
      prepare: (made) => {
        made.git("remote", "add", "origin", ORIGIN);
        made.worktree("feature");
        made.worktree("second");
      },
    });
    expect(served.running.stdout.text).toMatch(
      /GitHub {6}some\/thing \(app\), other\/name \(app\), one\/more \(ap\): webhooks\n/,
    );
    expect(served.running.stdout.text).toContain(
      "  --github one/more=ap: no workspace is known in that project. Did you mean app? There is: app.\n",
    );
    expect(served.running.stdout.text).not.toContain("--github Other/Name=app:");
    expect(await deliver(served.url, pull(7))).toBe(202);
    await served.shows("app/feature", { prNumber: 7, prState: "OPEN" });
    expect(await deliver(served.url, pull(9, "Other/Name", "second"), "an-older-secret-of-mine")).toBe(202);
    await served.shows("app/second", { prNumber: 9, prState: "OPEN" });
    expect(await deliver(served.url, pull(8), "some-other-secret-than-ours")).toBe(401);
    expect(await served.entry("app/feature")).toMatchObject({ prNumber: 7 });
    const metrics = await (await fetch(`${served.url}/metrics`)).text();
    expect(metrics).toContain('snapwire_github_webhooks_total{outcome="refused"} 1');
    expect(metrics).toContain('snapwire_github_deliveries_total{outcome="changed"} 2');
    expect(metrics).toContain('snapwire_session_hooks_total{outcome="taken"} 0');
    expect(served.running.stdout.text + served.running.stderr.text).not.toContain(SECRET);
  });

  test("have no door without a secret, and whoever has a repository there hears how", async () => {
    await using served = await serveRepository([], {
      prepare: (made) => made.git("remote", "add", "origin", ORIGIN),
    });
    expect(await deliver(served.url, pull(7))).toBe(404);
    expect(served.running.stdout.text).toContain("GitHub      not connected; how: npx snapwire github\n");
  });

  test("are not spoken of where nobody has anything on GitHub", async () => {
    await using served = await serveRepository();
    expect(served.running.stdout.text).not.toContain("GitHub");
  });
});

test("--github-poll asks for the branches of repositories on GitHub, and not for those of another forge", async () => {
  const asked: string[] = [];
  await using api = await httpServer((request, response) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    asked.push(`${request.headers.authorization} ${path}`);
    const { pull_request } = pull(5, "o/r", "main");
    const routes: Record<string, unknown> = {
      "/repos/o/r/pulls": [pull_request],
      "/repos/o/r/pulls/5": pull_request,
      "/repos/o/r/pulls/5/reviews": [],
      [`/repos/o/r/commits/${SHA}/check-runs`]: { check_runs: [] },
      [`/repos/o/r/commits/${SHA}/status`]: { statuses: [] },
    };
    const body = routes[path];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? {}));
  });
  await using served = await serveRepository(
    ["--github-poll", "60s", "--github", "o/r=app", "--github-api", `${api.url}/`],
    {
      env: { SNAPWIRE_GITHUB_TOKEN: "ghp_secret" },
      prepare: (made) => made.git("remote", "add", "origin", "https://gitlab.example/private/thing.git"),
    },
  );
  await served.shows("app/main-worktree", { prNumber: 5, prState: "OPEN", prCiStatus: "SUCCESS" });
  expect(asked).toContain("Bearer ghp_secret /repos/o/r/pulls");
  expect(asked.filter((one) => one.includes("private"))).toEqual([]);
  expect(served.running.stdout.text + served.running.stderr.text).not.toContain("ghp_secret");
});

test("--jwt-issuer takes the issuer's tokens beside our own, and keeps everybody else out", async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = { ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" };
  await using keys = await httpServer((_request, response) =>
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [jwk] })),
  );
  const signed = (audience: string) =>
    new SignJWT({ role: "viewer", projects: ["app"] })
      .setProtectedHeader({ alg: "ES256", kid: "k" })
      .setIssuer("https://login.example.com")
      .setAudience(audience)
      .setSubject("ada")
      .setIssuedAt()
      .setExpirationTime("1h")
      .sign(privateKey);
  const issuer = ["--jwt-issuer", "https://login.example.com", "--jwt-audience", "snapwire"];
  await using served = await serveRepository([...issuer, "--jwt-keys", keys.url], {
    env: { SNAPWIRE_TOKEN: "swt_own" },
  });
  const status = async (token?: string) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return (await fetch(`${served.url}/trpc/snapshots.projects`, { headers })).status;
  };
  expect(await status()).toBe(401);
  expect(await status("swt_own")).toBe(200);
  expect(await status(await signed("snapwire"))).toBe(200);
  expect(await status(await signed("something-else"))).toBe(401);
  expect(served.running.stdout.text).toContain("those of https://login.example.com");
});

describe("snapwire github", () => {
  test("makes a secret, and says where what is entered; the server takes what is signed with it", async () => {
    const { code, out } = await run(["github", "https://board.example.com/"]);
    expect(code).toBe(0);
    expect(out).toContain("Payload URL    https://board.example.com/webhooks/github\n");
    expect(out).toMatch(/Events {9}.*pull_request.*check_run/);
    expect(out).not.toContain("cannot reach");
    const secret = /Secret +(\S+)/.exec(out)?.[1] ?? "";
    expect(out).toContain(`SNAPWIRE_GITHUB_SECRET=${secret} npx snapwire`);
    await using served = await serveRepository([], {
      env: { SNAPWIRE_GITHUB_SECRET: secret },
      prepare: (made) => made.git("remote", "add", "origin", ORIGIN),
    });
    expect(await deliver(served.url, pull(7), secret)).toBe(202);
    const near = await run(["github"]);
    expect(near.out).toContain("GitHub cannot reach this machine by that url.");
    expect(/Secret +(\S+)/.exec(near.out)?.[1]).not.toBe(secret);
  });

  test("deliveries shows what each of the last ones did, to admins", async () => {
    await using served = await serveRepository([], {
      env: { SNAPWIRE_GITHUB_SECRET: SECRET },
      prepare: (made) => made.git("remote", "add", "origin", ORIGIN),
    });
    const nothing = await run(["github", "deliveries", served.url]);
    expect(nothing.out).toContain("Repositories: some/thing (app)\nNothing has arrived");
    await deliver(served.url, pull(7));
    await deliver(served.url, pull(7, "No/Body\u001b[2J"));
    await deliver(served.url, pull(1, "No/Body"));
    const { code, out } = await run(["github", "deliveries", served.url]);
    expect(code).toBe(0);
    expect(out).toMatch(/pull_request +some\/thing +said something new/);
    expect(out).toMatch(/no\/body +belongs to no project: --github owner\/name=project/);
    expect(out).not.toContain("\u001b");
    const { out: json } = await run(["github", "deliveries", served.url, "--json"]);
    expect(JSON.parse(json).counts).toMatchObject({ changed: 1 });
    const refused = await run(["github", "deliveries", "http://127.0.0.1:1"]);
    expect(refused.code).toBe(3);
  });
});

describe("--plain", () => {
  const status = async (url: string, path: string) => (await fetch(`${url}${path}`)).status;

  test("serves all but the one with tokens in its url, unless it says otherwise", async () => {
    await using served = await serveRepository();
    expect(served.running.stdout.text).toContain("Plain       /snapshots, /hub/ws, /agent/ws\n");
    expect(await status(served.url, "/snapshots")).toBe(426);
    expect(await status(served.url, "/api/ws")).toBe(404);
  });

  test("serves what it names, by flag or variable", async () => {
    await using served = await serveRepository(["--plain", "api,hub"]);
    expect(await status(served.url, "/api/ws")).toBe(426);
    expect(await status(served.url, "/snapshots")).toBe(404);
    await using nothing = await serveRepository([], { env: { SNAPWIRE_PLAIN: "none" } });
    expect(await status(nothing.url, "/snapshots")).toBe(404);
    expect(nothing.running.stdout.text).not.toContain("Plain ");
    const hook = await fetch(`${nothing.url}/hooks/session`, { method: "POST", body: "{}" });
    expect(hook.status).toBe(202);
    await vi.waitFor(() => expect(nothing.running.stderr.text).toContain("serving"));
  });
});

describe("what cannot be is refused at start", () => {
  test.each([
    [["--plain", "snapshots,htb"], {}, "--plain must name some of snapshots, hub, api, agent, or be none"],
    [["--plain", "none,hub"], {}, "--plain must name some of"],
    [["--github", "no-project"], {}, "--github must be like owner/name=project"],
    [["--github", "a/b="], {}, "--github must be like owner/name=project"],
    [[], { SNAPWIRE_GITHUB_SECRET: "short" }, "SNAPWIRE_GITHUB_SECRET must be one secret, or two"],
    [
      [],
      { SNAPWIRE_GITHUB_SECRET: `${SECRET},${SECRET}x,${SECRET}y` },
      "SNAPWIRE_GITHUB_SECRET must be one secret, or two",
    ],
    [["--github-poll", "1s"], {}, "--github-poll must be a time from 10s to 1h"],
    [["--github-poll", "60s"], {}, "needs a token of GitHub's: SNAPWIRE_GITHUB_TOKEN"],
    [["--github-api", "http://api.example.com"], {}, "--github-api must be the url of GitHub's REST API"],
    [["--jwt-issuer", "https://a.example"], {}, "write --jwt-audience <name>"],
    [["--jwt-audience", "me"], {}, "an issuer is needed: --jwt-issuer <url>"],
    [["--jwt-issuer", "ours", "--jwt-audience", "me"], {}, "Say where they are: --jwt-keys <url>"],
    [["--github-secret", SECRET], {}, "There is no flag --github-secret"],
  ])("%j with %j", async (argv, env, message) => {
    const { code, said } = await run(["serve", "--port", "0", ...argv], {
      env: env as Record<string, string>,
      cwd: import.meta.dirname,
    });
    expect(said).toContain(message);
    expect(code).toBe(2);
    expect(said).not.toMatch(/a-secret-of-some-length[xy]/);
  });
});
