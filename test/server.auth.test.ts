/** Identity from a request, over HTTP and WebSocket. */
import { describe, expect, test, vi } from "vitest";
import type { Identity } from "../src/router/identity.ts";
import { adminToken, authenticateTokens, LOCAL_ADMIN } from "../src/server/index.ts";
import { call, open, serve } from "./helpers/server-harness.ts";

const TOKEN = "swt_right";
const tokens = { authenticate: authenticateTokens(adminToken(TOKEN, "alice")) };
type Served = Awaited<ReturnType<typeof serve>>;

async function overSocket(
  served: Served,
  options: { url?: string; headers?: Record<string, string>; params?: object | null },
) {
  await using client = await open(options.url ?? served.wsUrl, { headers: options.headers ?? {} });
  if (options.params !== undefined) client.send({ method: "connectionParams", data: options.params });
  client.sendBatch([call(1, "query", "whoami"), call(2, "subscription", "ticks")]);
  await vi.waitFor(() => expect(client.frames.filter((frame) => frame.id === 2)).not.toHaveLength(0));
  const frame = client.frameOf(1);
  expect(client.ws.readyState, "a refused socket stays: closing it would only bring it back").toBe(
    client.ws.OPEN,
  );
  return frame?.error
    ? `${frame.error.json.data.code}: ${frame.error.json.message}`
    : frame?.result?.data?.json;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("over WebSocket", () => {
  test("a token is taken from Authorization or from the connection parameters", async () => {
    await using served = await serve(tokens);
    const url = `${served.wsUrl}?connectionParams=1`;
    expect(await overSocket(served, { headers: bearer(TOKEN) })).toMatchObject({
      subject: "alice",
      role: "admin",
    });
    expect(await overSocket(served, { headers: { authorization: `bearer  ${TOKEN} ` } })).toMatchObject({
      subject: "alice",
    });
    expect(await overSocket(served, { url, params: { token: TOKEN } })).toMatchObject({ subject: "alice" });
    expect(await overSocket(served, { url, params: null, headers: bearer(TOKEN) })).toMatchObject({
      subject: "alice",
    });
  });

  test("a missing or wrong one is a typed UNAUTHORIZED of each operation", async () => {
    await using served = await serve(tokens);
    const url = `${served.wsUrl}?connectionParams=1`;
    expect(await overSocket(served, {})).toBe("UNAUTHORIZED: token missing");
    expect(await overSocket(served, { headers: bearer("wrong") })).toBe("UNAUTHORIZED: token invalid");
    expect(await overSocket(served, { url, params: {} })).toBe("UNAUTHORIZED: token missing");
    expect(await overSocket(served, { url, params: { token: "wrong" } })).toBe("UNAUTHORIZED: token invalid");
    expect(await overSocket(served, { headers: bearer("x".repeat(5_000)) })).toBe(
      "UNAUTHORIZED: token invalid",
    );
  });

  test("only sockets with an identity are counted", async () => {
    await using served = await serve(tokens);
    await using good = await open(served.wsUrl, { headers: bearer(TOKEN) });
    await using bad = await open(served.wsUrl, { headers: bearer("wrong") });
    for (const client of [good, bad]) {
      client.send(call(1, "query", "whoami"));
      await vi.waitFor(() => expect(client.frameOf(1)).toBeDefined());
    }
    expect(served.server.stats().sockets).toBe(1);
  });

  test("a token in the URL or in a cookie is not taken, and not logged", async () => {
    await using served = await serve(tokens);
    expect(await overSocket(served, { url: `${served.wsUrl}?token=${TOKEN}` })).toBe(
      "UNAUTHORIZED: token missing",
    );
    expect(await overSocket(served, { headers: { cookie: `token=${TOKEN}` } })).toBe(
      "UNAUTHORIZED: token missing",
    );
    expect(served.log.lines).not.toHaveLength(0);
    expect(JSON.stringify(served.log.lines)).not.toContain(TOKEN);
  });
});

describe("over HTTP", () => {
  const ask = async (served: Served, query = "", headers: Record<string, string> = {}) =>
    (await fetch(served.at(`/trpc/whoami${query}`), { headers })).status;

  test("a token is taken from Authorization only", async () => {
    await using served = await serve(tokens);
    expect(await ask(served, "", bearer(TOKEN))).toBe(200);
    expect(await ask(served)).toBe(401);
    expect(await ask(served, "", bearer("wrong"))).toBe(401);
    expect(await ask(served, `?token=${TOKEN}`)).toBe(401);
    expect(
      await ask(served, `?connectionParams=${encodeURIComponent(JSON.stringify({ token: TOKEN }))}`),
    ).toBe(401);
    expect(JSON.stringify(served.log.lines)).not.toContain(TOKEN);
  });

  test("an `authenticate` that fails is SERVICE_UNAVAILABLE, not UNAUTHORIZED", async () => {
    await using served = await serve({ authenticate: () => Promise.reject(new Error("directory is away")) });
    expect(await ask(served)).toBe(503);
    expect(served.log.errors()).toMatchObject([{ message: expect.stringContaining("authenticate failed") }]);
  });
});

test("without tokens everybody on this machine is the local admin", async () => {
  await using served = await serve();
  expect(await overSocket(served, {})).toEqual(LOCAL_ADMIN);
  await using client = await open(served.wsUrl);
  client.send(call(1, "query", "recheck"));
  await vi.waitFor(() => expect(client.frameOf(1)?.result?.data?.json).toBe("never"));
});

test("P5 `recheck` asks again with the same request, and keeps the last answer while nobody can tell", async () => {
  const answers: (Identity | null | Error)[] = [];
  const authenticate = vi.fn(() => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? null;
  });
  await using served = await serve({ authenticate });
  const alice: Identity = { subject: "alice", role: "viewer", projects: ["p"] };
  answers.push(alice, { ...alice, projects: [] }, new Error("away"), null);
  await using client = await open(`${served.wsUrl}?connectionParams=1`);
  client.send({ method: "connectionParams", data: { token: "t" } });
  const recheck = async (id: number) => {
    client.send(call(id, "query", "recheck"));
    await vi.waitFor(() => expect(client.frameOf(id)).toBeDefined());
    return client.frameOf(id)?.result?.data?.json;
  };
  expect(await recheck(1)).toEqual({ ...alice, projects: [] });
  expect(await recheck(2)).toEqual({ ...alice, projects: [] });
  expect(await recheck(3)).toBeNull();
  expect(authenticate).toHaveBeenCalledTimes(4);
  for (const [, params] of authenticate.mock.calls as unknown as [unknown, unknown][])
    expect(params).toEqual({ token: "t" });
});
