/** Rights that shrink, grow or end while a plain socket lives, and what is decided before there is one. */
import { request as httpRequest } from "node:http";
import { describe, expect, test, vi } from "vitest";
import type { Identity } from "../src/router/identity.ts";
import { RightsSweep } from "../src/router/rights.ts";
import { plainEndpoints } from "../src/server/index.ts";
import { openPlain } from "./helpers/plain.ts";
import { type Served, serve } from "./helpers/served.ts";
import { refusedWith, talk, upgradeText } from "./helpers/server-harness.ts";

const ALL = { endpoints: ["snapshots", "hub", "api", "agent"] } as const;
const ada: Identity = { subject: "ada", role: "viewer", projects: ["p", "q"] };

/** A service whose answer to "who is this" can be changed while it runs. */
async function guarded(first: Identity, options: Parameters<typeof serve>[0] = {}) {
  const who = {
    is: first as Identity | null,
    ask: undefined as (() => Promise<Identity | null>) | undefined,
  };
  const served = await serve({
    plain: ALL,
    server: { authenticate: () => (who.ask ? who.ask() : who.is) },
    ...options,
  });
  await served.live.workspaces.upsert("p/a", { projectId: "p" });
  await served.live.workspaces.upsert("q/a", { projectId: "q" });
  return { who, ...served };
}

const commit = ({ live }: Served, workspaceId: string) =>
  live.broadcaster.broadcastEvent({ type: "git.commit", deviceId: "d", workspaceId, data: {} });
const told = (frames: readonly Record<string, unknown>[], type: string) =>
  frames.filter((frame) => frame.type === type);

describe("rights that change while a socket lives", () => {
  test("P5 a token that loses a project hears nothing more of it on /api/ws, and of the others as before", async () => {
    await using s = await guarded(ada, { recheckEveryMs: 20 });
    await using client = await openPlain(`${s.url}/api/ws`);
    client.send({ type: "subscribe", scope: "all" });
    await vi.waitFor(() => expect(told(client.frames, "subscribed")).toHaveLength(1));
    await commit(s, "q/a");
    await vi.waitFor(() => expect(told(client.frames, "event")).toHaveLength(1));
    let looks = 0;
    s.who.ask = async () => {
      looks += 1;
      return { ...ada, projects: ["p"] };
    };
    await vi.waitFor(() => expect(looks).toBeGreaterThan(1));
    await commit(s, "q/a");
    await commit(s, "p/a");
    await vi.waitFor(() => expect(told(client.frames, "event")).toHaveLength(2));
    expect(client.texts.filter((text) => text.includes("q/a"))).toHaveLength(1);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
  });

  test("P5 a token that loses a project is sent away from /hub/ws, and hears the rest when it comes again", async () => {
    await using s = await guarded(ada, { recheckEveryMs: 20 });
    await using client = await openPlain(`${s.url}/hub/ws`);
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    s.who.is = { ...ada, projects: ["p"] };
    expect(await client.closed).toMatchObject({ code: 1013 });
    await using again = await openPlain(`${s.url}/hub/ws`);
    await vi.waitFor(() => expect(again.frames).toHaveLength(1));
    await commit(s, "q/a");
    await commit(s, "p/a");
    await vi.waitFor(() => expect(again.frames).toHaveLength(2));
    expect(again.texts.join()).not.toContain("q/a");
  });

  test("a workspace that moves to another project of the same token goes on being heard on /api/ws", async () => {
    await using s = await guarded(ada, { recheckEveryMs: 20 });
    await using client = await openPlain(`${s.url}/api/ws`);
    client.send({ type: "subscribe", workspace_id: "p/a" });
    await vi.waitFor(() => expect(told(client.frames, "subscribed")).toHaveLength(1));
    await s.live.workspaces.upsert("p/a", { projectId: "q" });
    await vi.waitFor(async () => {
      await commit(s, "p/a");
      expect(told(client.frames, "event").length).toBeGreaterThan(0);
    });
  });

  test.each(["/snapshots?projectId=p", "/hub/ws", "/api/ws"])(
    "a revocation ends %s within a second although nobody can tell who it is",
    async (path) => {
      await using s = await guarded(ada);
      await using client = await openPlain(`${s.url}${path}`);
      if (path === "/api/ws") client.send({ type: "subscribe", scope: "all" });
      s.who.ask = () => Promise.reject(new Error("the issuer does not answer"));
      s.live.revoke({ subject: "ada" });
      expect(await client.closed).toMatchObject({ code: 4001 });
    },
  );

  test("a token that has ended is over although nobody can tell who it is", async () => {
    const now = Date.now();
    await using s = await guarded({ ...ada, expiresAt: now - 1 }, { recheckEveryMs: 20 });
    await using client = await openPlain(`${s.url}/hub/ws`);
    s.who.ask = () => Promise.reject(new Error("the issuer does not answer"));
    expect(await client.closed).toMatchObject({ code: 4001 });
  });

  test("a revocation ends /agent/ws before a device is registered, too", async () => {
    await using s = await guarded({ subject: "ada", role: "agent", projects: "*", deviceId: "desk" });
    await using client = await openPlain(`${s.url}/agent/ws`);
    s.live.revoke({ subject: "ada" });
    expect(await client.closed).toEqual({ code: 4001, reason: "Unauthorized" });
    expect(s.live.agents.stats().inboxes).toBe(0);
  });

  test("a service that stops sends everybody elsewhere: nothing has ended for good", async () => {
    await using s = await guarded({ ...ada, projects: "*" });
    const paths = ["/snapshots?projectId=p", "/hub/ws", "/api/ws"];
    const clients = await Promise.all(paths.map((path) => openPlain(`${s.url}${path}`)));
    clients[2]?.send({ type: "subscribe", scope: "all" });
    for (const { frames } of clients) await vi.waitFor(() => expect(frames).toHaveLength(1));
    await s.live.stop();
    for (const client of clients) expect(await client.closed).toMatchObject({ code: 1013 });
  });
});

test("a look at rights that was under way when they ended is taken again at once", async () => {
  const sweep = new RightsSweep({ everyMs: 60_000 });
  let answer: (isAllowed: boolean) => void = () => undefined;
  let looks = 0;
  let ended = 0;
  const unwatch = sweep.watch({
    allowed: () => {
      looks += 1;
      return looks === 1 ? new Promise((resolve) => (answer = resolve)) : Promise.resolve(false);
    },
    revoke: () => void ended++,
  });
  const first = sweep.sweep();
  await sweep.sweep(); // a revocation: what the first look has seen may be older
  expect([looks, ended]).toEqual([1, 0]);
  answer(true);
  await first;
  expect([looks, ended]).toEqual([2, 1]);
  unwatch();
});

test("each endpoint gives up a silent peer when it always has", async () => {
  await using s = await guarded(ada);
  const beats = [...plainEndpoints(s.live, ALL).sockets].map(([path, { heartbeat, maxPayloadBytes }]) => {
    const { pingEveryMs, pongWithinMs, misses = 1, text } = heartbeat;
    return [path, pingEveryMs, pongWithinMs, misses, text, maxPayloadBytes];
  });
  expect(beats).toEqual([
    ["/snapshots", 30_000, 10_000, 1, undefined, 4_096],
    ["/hub/ws", 54_000, 6_000, 1, undefined, 65_536],
    ["/api/ws", 30_000, 10_000, 1, '{"type":"ping"}', 65_536],
    ["/agent/ws", 30_000, 10_000, 2, undefined, 1_048_576],
  ]);
});

describe("before there is a socket", () => {
  test("who can see more projects than one subscription holds is told to say which on /hub/ws, and not sent in circles", async () => {
    const projects = Array.from({ length: 65 }, (_, n) => `p${n}`);
    await using s = await guarded({ ...ada, projects });
    expect(await refusedWith(`${s.url.replace("http", "ws")}/hub/ws`)).toBe(400);
    await using client = await openPlain(`${s.url}/hub/ws?projectId=p64`);
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    await using api = await openPlain(`${s.url}/api/ws`);
    api.send({ type: "subscribe", scope: "all" });
    api.send({ type: "subscribe", workspace_id: "none" });
    await vi.waitFor(() => expect(api.frames).toHaveLength(2));
    expect(api.frames[0]).toMatchObject({ type: "error", message: expect.stringMatching(/^Too many/) });
    expect(api.ws.readyState).toBe(api.ws.OPEN);
  });

  test("who is still being identified when a drain begins is refused, not admitted to a server that ends", async () => {
    let identify: (identity: Identity) => void = () => undefined;
    await using s = await guarded(ada);
    s.who.ask = () =>
      new Promise((resolve) => {
        identify = resolve;
      });
    const refused = talk(Number(new URL(s.url).port), upgradeText("/hub/ws"));
    await vi.waitFor(() => expect(identify.length).toBe(1));
    const drained = s.server.drain({ overMs: 10, deadlineMs: 500 });
    identify(ada);
    expect(await refused).toMatch(/^HTTP\/1\.1 503/);
    await drained;
  });

  test("GET /health answers although nobody can tell who asks", async () => {
    await using s = await guarded(ada);
    s.who.ask = () => Promise.reject(new Error("the issuer does not answer"));
    expect((await fetch(`${s.url}/health`)).status).toBe(200);
  });
});

describe("bodies", () => {
  test("one that is too long is answered 413, whether it says its length or not", async () => {
    await using s = await guarded({ ...ada, role: "admin", projects: "*" });
    for (const headers of [{}, { "content-length": String(2 * 1024 * 1024) }]) {
      const status = await new Promise<number | string>((resolve) => {
        const request = httpRequest(`${s.url}/transcription`, { method: "POST", headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        request.on("error", (error) => resolve(error.message));
        request.flushHeaders();
        request.end(Buffer.alloc(2 * 1024 * 1024, 32));
      });
      expect(status).toBe(413);
    }
  });
});
