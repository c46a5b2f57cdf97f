/** The event hub on `/hub/ws`, frame by frame, to a client that knows nothing of tRPC. */
import { describe, expect, test, vi } from "vitest";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { hubMessageSchema } from "../src/server/plain/messages.ts";
import { storeOf } from "../src/server/tokens.ts";
import { dialPlain, openPlain } from "./helpers/plain.ts";
import { serve } from "./helpers/served.ts";
import { refusedWith } from "./helpers/server-harness.ts";

const RFC3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const created = (projectId: string, name: string) => ({
  type: "stream:created" as const,
  payload: { projectId, streamId: `id-${name}`, name },
  projectId,
});

describe("the hub on the plain path", () => {
  test("H1 the first message is connection:status with connected, and to that client only", async () => {
    await using served = await serve({ plain: {} });
    await using one = await openPlain(`${served.url}/hub/ws`);
    await vi.waitFor(() => expect(one.frames).toHaveLength(1));
    expect(one.frames[0]).toMatchObject({ type: "connection:status", payload: { status: "connected" } });
    expect(one.frames[0]?.payload).toEqual({ status: "connected" });
    await using two = await openPlain(`${served.url}/hub/ws`);
    await vi.waitFor(() => expect(two.frames).toHaveLength(1));
    expect(one.frames).toHaveLength(1);
  });

  test("H2 it is the first again after a drop, H3 and each of three clients gets its own", async () => {
    await using served = await serve({ plain: {} });
    const first = await openPlain(`${served.url}/hub/ws`);
    await vi.waitFor(() => expect(first.frames).toHaveLength(1));
    first.ws.terminate();
    const again = await Promise.all([1, 2, 3].map(() => openPlain(`${served.url}/hub/ws`)));
    for (const client of again) {
      await vi.waitFor(() => expect(client.frames).toHaveLength(1));
      expect(client.frames[0]).toMatchObject({ type: "connection:status" });
      await client[Symbol.asyncDispose]();
    }
  });

  test("H4 an event after the status is the second message, reaches all, and is the same bytes for all", async () => {
    await using served = await serve({ plain: {} });
    const clients = await Promise.all([1, 2, 3].map(() => openPlain(`${served.url}/hub/ws`)));
    for (const { frames } of clients) await vi.waitFor(() => expect(frames).toHaveLength(1));
    await served.live.events.publish(created("p", "one"));
    for (const { frames } of clients) await vi.waitFor(() => expect(frames).toHaveLength(2));
    expect(new Set(clients.map(({ texts }) => texts[1])).size).toBe(1);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  test("H4 the status comes first although a publisher floods, on each of many connections", async () => {
    await using served = await serve({ plain: {} });
    let floods = true;
    const flood = (async () => {
      for (let n = 0; floods; n += 1) {
        await served.live.events.publish(created("p", String(n)));
        await new Promise((resolve) => setImmediate(resolve)); // the memory engine answers in the same turn
      }
    })();
    const clients = await Promise.all(Array.from({ length: 60 }, () => openPlain(`${served.url}/hub/ws`)));
    for (const { frames } of clients) await vi.waitFor(() => expect(frames.length).toBeGreaterThan(1));
    floods = false;
    await flood;
    for (const client of clients) {
      expect(client.frames[0]).toMatchObject({ type: "connection:status" });
      expect(client.frames[1]).toMatchObject({ type: "stream:created" });
      await client[Symbol.asyncDispose]();
    }
  });

  test("H5 H7 H8 payloads have exactly their keys, H6 timestamps are RFC 3339 UTC, and a cursor goes along", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(`${served.url}/hub/ws`);
    const artifact = {
      projectId: "p",
      id: "a",
      name: "A",
      type: "prd",
      path: "a.md",
      status: "draft",
      phase: 1,
      phaseName: "planning",
      isSharded: false,
    };
    const published = [
      created("p", "one"),
      { type: "stream:archived", payload: { projectId: "p", streamId: "s", outcome: "merged" } },
      { type: "stream:updated", payload: { projectId: "p", streamId: "s", changes: { a: 1 } } },
      {
        type: "stream:phase-changed",
        payload: { projectId: "p", streamId: "s", phase: "planning", artifacts: ["a"] },
      },
      { type: "artifact:created", payload: artifact },
      { type: "artifact:updated", payload: { ...artifact, parentId: "b" } },
      { type: "artifact:deleted", payload: { projectId: "p", streamId: "s", filename: "f.md" } },
      { type: "project:registered", payload: { projectId: "p", name: "P" } },
      { type: "project:unregistered", payload: { projectId: "p" } },
    ] as const;
    for (const event of published) await served.live.events.publish(event);
    await vi.waitFor(() => expect(client.frames).toHaveLength(published.length + 1));
    for (const [at, { type, payload }] of published.entries()) {
      const frame = client.frames[at + 1];
      expect(frame).toEqual({
        type,
        payload,
        timestamp: expect.stringMatching(RFC3339_UTC),
        cursor: expect.any(String),
      });
      expect(hubMessageSchema.safeParse(frame).success).toBe(true);
    }
  });

  test("a cursor goes on with every event after it, once; a foreign one says that something may be missing", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(`${served.url}/hub/ws?projectId=p`);
    await served.live.events.publish(created("p", "one"));
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    client.ws.terminate();
    await served.live.events.publish(created("p", "two"));
    await served.live.events.publish(created("q", "else"));
    await served.live.events.publish(created("p", "three"));
    const cursor = String(client.frames[1]?.cursor);
    await using again = await openPlain(`${served.url}/hub/ws?projectId=p&cursor=${cursor}`);
    await vi.waitFor(() => expect(again.frames).toHaveLength(3));
    expect(again.frames.map(({ type, payload }) => (payload as { name?: string }).name ?? type)).toEqual([
      "connection:status",
      "two",
      "three",
    ]);
    await using none = await openPlain(`${served.url}/hub/ws?projectId=p&cursor=`); // as a client writes it at first
    await served.live.events.publish(created("p", "four"));
    await vi.waitFor(() => expect(none.frames.map(({ type }) => type).at(-1)).toBe("stream:created"));
    expect(none.frames).toHaveLength(2);
    await using foreign = await openPlain(`${served.url}/hub/ws?projectId=p&cursor=AAAAAAAAAAAA.3`);
    await vi.waitFor(() => expect(foreign.frames).toHaveLength(6));
    expect(foreign.frames[1]).toMatchObject({ type: "gap", payload: { certain: false } });
  });

  test("what a client says is ignored, too much of it ends in 1009, and another project's byte never comes", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(`${served.url}/hub/ws?projectId=a`);
    for (const junk of ["", "{", "null", '{"type":"nope"}']) client.send(junk);
    client.ws.send(Buffer.from([0xff, 0xfe]));
    await served.live.events.publish(created("a-b", "secret"));
    await served.live.events.publish(created("a", "mine"));
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    expect(client.texts.join()).not.toContain("secret");
    client.send("x".repeat(65_537));
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test("with tokens a limited one hears its projects only, may not name another, and is told 401 without", async () => {
    const limited = createToken({ role: "viewer", projects: ["p"], subject: "ada" });
    await using served = await serve({
      plain: {},
      server: { authenticate: authenticateTokens(storeOf(() => [limited.record])) },
    });
    const bearer = { authorization: `Bearer ${limited.token}` };
    const url = served.url.replace("http", "ws");
    expect(await refusedWith(`${url}/hub/ws`)).toBe(401);
    expect(await refusedWith(`${url}/hub/ws?projectId=q`, bearer)).toBe(403);
    await using client = await openPlain(`${served.url}/hub/ws`, bearer);
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    await served.live.events.publish(created("q", "secret"));
    await served.live.events.publish(created("p", "mine"));
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    expect(client.texts.join()).not.toContain("secret");
    served.live.revoke({ subject: "ada" });
    expect(await client.closed).toEqual({ code: 4001, reason: "Unauthorized" });
  });

  test("a paused reader holds up nobody, costs no more than the mark, and has everything once it reads", async () => {
    await using served = await serve({ plain: {} });
    await using slow = await openPlain(`${served.url}/hub/ws`);
    await using quick = await openPlain(`${served.url}/hub/ws`);
    await vi.waitFor(() => expect([slow.frames.length, quick.frames.length]).toEqual([1, 1]));
    slow.ws.pause();
    const big = "x".repeat(20_000);
    for (let n = 0; n < 500; n += 1)
      await served.live.events.publish({
        type: "stream:updated",
        payload: { projectId: "p", streamId: "s", changes: { n, big } },
      });
    await vi.waitFor(() => expect(quick.frames).toHaveLength(501));
    expect(served.server.stats().bufferedBytes).toBeLessThan(256 * 1024 + 2 * 21_000);
    slow.ws.resume();
    await vi.waitFor(() => expect(slow.frames).toHaveLength(501));
    expect(slow.texts.slice(1)).toEqual(quick.texts.slice(1));
  });

  test("a shutdown closes it with 1001", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(`${served.url}/hub/ws`);
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    await served.server.drain({ overMs: 10, deadlineMs: 500 });
    expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
    await using late = dialPlain(`${served.url}/hub/ws`);
    expect((await late.closed).code).toBe(1006);
  });
});
