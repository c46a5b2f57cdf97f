import { request } from "node:http";
import { describe, expect, test, vi } from "vitest";
import { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED } from "../src/protocol/events.ts";
import { serve, stockClient, versionsAfter, versionsIn, watch } from "./helpers/served.ts";

describe("snapshots over a real socket, to a stock client", () => {
  test("S1 the first frame is the full one, with the project and all its visible entries", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("p/a", { projectId: "p", name: "a", status: "READY" });
    await served.live.workspaces.upsert("p/b", { projectId: "p", name: "b", status: "ARCHIVED" });
    await served.live.workspaces.upsert("q/a", { projectId: "q", name: "a", status: "READY" });
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    expect(frames[0]?.data).toMatchObject({
      type: "snapshot_full",
      projectId: "p",
      reason: "first",
      complete: true,
      entries: [{ workspaceId: "p/a", projectId: "p", name: "a", status: "READY", kanbanColumn: "WAITING" }],
    });
  });

  test("S2 a subscription without a project is refused as BAD_REQUEST, and nothing is subscribed", async () => {
    await using served = await serve();
    await using client = stockClient(served.url);
    const errors: { data?: { code?: string } | null | undefined }[] = [];
    client.trpc.snapshots.onProject.subscribe({} as { projectId: string }, {
      onError: (error) => void errors.push(error),
    });
    client.trpc.snapshots.onProject.subscribe(
      { projectId: "" },
      { onError: (error) => void errors.push(error) },
    );
    await vi.waitFor(() =>
      expect(errors.map(({ data }) => data?.code)).toEqual(["BAD_REQUEST", "BAD_REQUEST"]),
    );
    expect(served.live.stats().subscriptions).toBe(0);
  });

  test("S3 of two clients in two projects only the right one hears a change, and only the changed entry", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    await served.live.workspaces.upsert("p/b", { projectId: "p" });
    await served.live.workspaces.upsert("p-2/a", { projectId: "p-2" });
    await using one = stockClient(served.url);
    await using two = stockClient(served.url);
    const inP = watch(one.trpc, "p");
    const inP2 = watch(two.trpc, "p-2");
    await vi.waitFor(() => expect([inP.frames.length, inP2.frames.length]).toEqual([1, 1]));
    await served.live.workspaces.upsert("p/a", { name: "changed" });
    await vi.waitFor(() => expect(inP.frames).toHaveLength(2));
    expect(inP.frames[1]?.data).toMatchObject({
      type: "snapshot_changed",
      workspaceId: "p/a",
      entry: { workspaceId: "p/a", projectId: "p", name: "changed" },
    });
    // A later change of the other project arrives as the very next frame there: nothing came between.
    await served.live.workspaces.upsert("p-2/a", { name: "other" });
    await vi.waitFor(() => expect(inP2.frames).toHaveLength(2));
    expect(JSON.stringify(inP2.frames)).not.toContain('"p/');
  });

  test("S4 a removal reaches the project's clients as removed, with the workspace id", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await served.live.workspaces.remove("p/a");
    await vi.waitFor(() =>
      expect(frames[1]?.data).toEqual({ type: "snapshot_removed", workspaceId: "p/a", projectId: "p" }),
    );
  });

  test("S5 a socket that is not open gets nothing, and does not stop the others", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("p/a", { projectId: "p" });
    await using dead = stockClient(served.url);
    await using alive = stockClient(served.url);
    const toDead = watch(dead.trpc, "p");
    const toAlive = watch(alive.trpc, "p");
    await vi.waitFor(() => expect([toDead.frames.length, toAlive.frames.length]).toEqual([1, 1]));
    const closed = dead.connection.close();
    await served.live.workspaces.upsert("p/a", { name: "b" });
    await vi.waitFor(() => expect(toAlive.frames).toHaveLength(2));
    await closed;
    expect(toDead.frames).toHaveLength(1);
  });

  test("S6 a closed client leaves its set, and the last one of a project leaves no trace of the project", async () => {
    await using served = await serve();
    await using one = stockClient(served.url);
    const two = stockClient(served.url);
    const first = watch(one.trpc, "p");
    watch(two.trpc, "p");
    await vi.waitFor(() => expect(served.live.feed.size).toBe(2));
    await two.connection.close();
    await vi.waitFor(() => expect(served.live.feed.size).toBe(1));
    expect(served.live.feed.watchedScopes).toBe(1);
    first.stop();
    await vi.waitFor(() => expect(served.live.feed.size).toBe(0));
    expect(served.live.feed.watchedScopes).toBe(0);
  });

  test("S7 the store has one subscription, however many clients there are", async () => {
    await using served = await serve();
    const { workspaces } = served.live;
    const before = [workspaces.listenerCount(SNAPSHOT_CHANGED), workspaces.listenerCount(SNAPSHOT_REMOVED)];
    expect(before).toEqual([1, 1]);
    await using client = stockClient(served.url);
    for (let n = 0; n < 20; n += 1) watch(client.trpc, `p-${n % 3}`);
    await vi.waitFor(() => expect(served.live.feed.size).toBe(20));
    expect([workspaces.listenerCount(SNAPSHOT_CHANGED), workspaces.listenerCount(SNAPSHOT_REMOVED)]).toEqual(
      before,
    );
  });

  test("S8 a subscriber is registered before its full frame is taken: a change in between is not lost", async () => {
    await using served = await serve({
      // The first pass never ends by itself, so that the subscriber waits between joining and its full frame.
      sources: [{ name: "slow", list: () => firstPass, read: () => [] }],
    });
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(served.live.feed.size).toBe(1));
    await served.live.workspaces.upsert("p/a", { projectId: "p", name: "in between" });
    expect(frames).toEqual([]);
    endFirstPass([]);
    await vi.waitFor(() => expect(versionsAfter(frames)).toEqual(versionsIn(served.live, "p")));
    expect(frames[0]?.data).toMatchObject({ type: "snapshot_full", entries: [{ name: "in between" }] });
  });

  test("S9 after a drop the client has what it missed: resumed, with the missed deltas, and no second full", async () => {
    await using served = await serve();
    for (const name of ["a", "b", "c"])
      await served.live.workspaces.upsert(`p/${name}`, { projectId: "p", name });
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "p");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    client.sockets.at(-1)?.terminate();
    await served.live.workspaces.upsert("p/a", { name: "missed" });
    await served.live.workspaces.remove("p/b");
    await vi.waitFor(() => expect(versionsAfter(frames)).toEqual(versionsIn(served.live, "p")));
    expect(frames.slice(1).map(({ data }) => data.type)).toEqual([
      "snapshot_resumed",
      "snapshot_changed",
      "snapshot_removed",
    ]);
  });

  test("S10 the path is never answered with a page", async () => {
    await using served = await serve();
    for (const path of ["/trpc", "/trpc/snapshots.onProject", "/trpc/nothing.here", "/"]) {
      const { type, body } = await get(`${served.url}${path}`, { accept: "text/html" });
      expect(type).not.toContain("html");
      expect(body).not.toContain("<html");
    }
  });
});

let endFirstPass: (ids: string[]) => void = () => undefined;
const firstPass = new Promise<string[]>((resolve) => {
  endFirstPass = resolve;
});

function get(url: string, headers: Record<string, string>): Promise<{ type: string; body: string }> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ type: response.headers["content-type"] ?? "", body }));
    })
      .on("error", reject)
      .end();
  });
}
