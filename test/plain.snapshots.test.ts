/** `/snapshots?projectId=`: what is promised of snapshots, to a client that knows nothing of tRPC. */
import { describe, expect, test, vi } from "vitest";
import { SNAPSHOT_CHANGED } from "../src/protocol/events.ts";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import { dialPlain, openPlain } from "./helpers/plain.ts";
import { serve } from "./helpers/served.ts";
import { refusedWith } from "./helpers/server-harness.ts";

const at = (url: string, projectId: string) => `${url}/snapshots?projectId=${encodeURIComponent(projectId)}`;
const ws = (url: string) => url.replace("http", "ws");

describe("snapshots on the plain path", () => {
  test("S1 the first frame is the full one, with the project and all its visible entries", async () => {
    await using served = await serve({ plain: {} });
    await served.live.workspaces.upsert("p/a", { projectId: "p", name: "a", status: "READY" });
    await served.live.workspaces.upsert("p/b", { projectId: "p", name: "b", status: "ARCHIVED" });
    await using client = await openPlain(at(served.url, "p"));
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    expect(client.frames[0]).toMatchObject({
      type: "snapshot_full",
      projectId: "p",
      reason: "first",
      entries: [{ workspaceId: "p/a", kanbanColumn: "WAITING" }],
    });
  });

  test("S2 without a project the answer is 400 in place of the 101, and nothing is subscribed", async () => {
    await using served = await serve({ plain: {} });
    expect(await refusedWith(ws(`${served.url}/snapshots`))).toBe(400);
    expect(await refusedWith(ws(`${served.url}/snapshots?projectId=`))).toBe(400);
    expect(await refusedWith(ws(at(served.url, "x".repeat(600))))).toBe(400);
    expect(served.live.feed.size).toBe(0);
  });

  test("S3 of two clients in two projects only the right one hears a change, and only the changed entry", async () => {
    await using served = await serve({ plain: {} });
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    await served.live.workspaces.upsert("p/b", { projectId: "p" });
    await using one = await openPlain(at(served.url, "p"));
    await using two = await openPlain(at(served.url, "p-2"));
    await vi.waitFor(() => expect([one.frames.length, two.frames.length]).toEqual([1, 1]));
    await served.live.workspaces.upsert("p/a", { name: "changed" });
    await vi.waitFor(() => expect(one.frames).toHaveLength(2));
    expect(one.frames[1]).toMatchObject({ type: "snapshot_changed", workspaceId: "p/a" });
    await served.live.workspaces.upsert("p-2/a", { projectId: "p-2" });
    await vi.waitFor(() => expect(two.frames).toHaveLength(2));
    expect(two.texts.join()).not.toContain('"p/');
  });

  test("S4 a removal arrives as removed, S5 a socket that is gone stops nobody, S6 and leaves no trace", async () => {
    await using served = await serve({ plain: {} });
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    await using gone = await openPlain(at(served.url, "p"));
    await using stays = await openPlain(at(served.url, "p"));
    await vi.waitFor(() => expect([gone.frames.length, stays.frames.length]).toEqual([1, 1]));
    gone.ws.terminate();
    await served.live.workspaces.remove("p/a");
    await vi.waitFor(() =>
      expect(stays.frames[1]).toEqual({ type: "snapshot_removed", workspaceId: "p/a", projectId: "p" }),
    );
    stays.ws.close();
    await vi.waitFor(() => expect(served.live.feed.watchedScopes).toBe(0));
    await vi.waitFor(() => expect(served.server.stats().sockets).toBe(0));
  });

  test("S7 the store has one listener, however many plain clients there are", async () => {
    await using served = await serve({ plain: {} });
    const clients = await Promise.all([1, 2, 3, 4, 5].map(() => openPlain(at(served.url, "p"))));
    await vi.waitFor(() => expect(served.live.feed.size).toBe(5));
    expect(served.live.workspaces.listenerCount(SNAPSHOT_CHANGED)).toBe(1);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });

  test("S8 a change between joining and the full frame is not lost; S9 a new connection has what was missed", async () => {
    let endFirstPass: (ids: string[]) => void = () => undefined;
    const firstPass = new Promise<string[]>((resolve) => {
      endFirstPass = resolve;
    });
    await using served = await serve({
      plain: {},
      sources: [{ name: "slow", list: () => firstPass, read: () => [] }],
    });
    await using client = await openPlain(at(served.url, "p"));
    await vi.waitFor(() => expect(served.live.feed.size).toBe(1));
    await served.live.workspaces.upsert("p/a", { projectId: "p", name: "in between" });
    endFirstPass([]);
    await vi.waitFor(() => expect(client.frames[0]).toMatchObject({ entries: [{ name: "in between" }] }));
    client.ws.terminate();
    await served.live.workspaces.upsert("p/a", { name: "missed" });
    await using again = await openPlain(at(served.url, "p"));
    await vi.waitFor(() =>
      expect(again.frames[0]).toMatchObject({ type: "snapshot_full", entries: [{ name: "missed" }] }),
    );
  });

  test("S10 the path is never answered with a page", async () => {
    await using served = await serve({ plain: {} });
    const answer = await fetch(at(served.url, "p"), { headers: { accept: "text/html" } });
    expect(answer.status).toBe(426);
    expect(answer.headers.get("content-type")).toContain("text/plain");
  });

  test("is not served where it was not asked for", async () => {
    await using served = await serve({ plain: { endpoints: [] } });
    expect(await refusedWith(ws(at(served.url, "p")))).toBe(404);
  });

  test("what a client says is ignored, an oversized message ends it with 1009, and the process lives", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(at(served.url, "p"));
    client.send("not json");
    client.ws.send(Buffer.from([1, 2, 3]));
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    await vi.waitFor(() => expect(client.frames).toHaveLength(2));
    client.send("x".repeat(10_000));
    expect(await client.closed).toMatchObject({ code: 1009 });
    await using next = await openPlain(at(served.url, "p"));
    await vi.waitFor(() => expect(next.frames).toHaveLength(1));
  });

  test("the end of a project is told, then the socket is closed", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(at(served.url, "p"));
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    served.live.endProject("p");
    expect(await client.closed).toMatchObject({ code: 1000 });
    expect(client.frames.at(-1)).toEqual({ type: "snapshot_ended", projectId: "p", reason: "project-gone" });
  });

  test("with tokens: 401 without one, 403 for another project, never a token from the URL; revoked ends it", async () => {
    const viewer = createToken({ role: "viewer", projects: ["p"], subject: "ada" });
    await using served = await serve({
      plain: {},
      server: { authenticate: authenticateTokens(storeOf(() => [viewer.record])) },
    });
    const bearer = { authorization: `Bearer ${viewer.token}` };
    expect(await refusedWith(ws(at(served.url, "p")))).toBe(401);
    expect(await refusedWith(ws(`${at(served.url, "p")}&token=${viewer.token}`))).toBe(401);
    expect(await refusedWith(ws(at(served.url, "q")), bearer)).toBe(403);
    await using client = await openPlain(at(served.url, "p"), bearer);
    await vi.waitFor(() => expect(client.frames).toHaveLength(1));
    served.live.revoke({ subject: "ada" });
    await client.closed;
    expect(client.frames.at(-1)).toMatchObject({ type: "snapshot_ended", reason: "revoked" });
  });

  test("a shutdown closes it with 1001 and refuses who comes", async () => {
    await using served = await serve({ plain: {} });
    await using client = await openPlain(at(served.url, "p"));
    const drained = served.server.drain({ overMs: 10, deadlineMs: 500 });
    expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
    await drained;
    await using late = dialPlain(at(served.url, "p"));
    expect(await late.closed).toMatchObject({ code: 1006 });
  });
});
