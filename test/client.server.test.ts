/** Snapwire's client and Snapwire's server, from end to end. */
import { expect, expectTypeOf, test, vi } from "vitest";
import { createProjectReplica, createSnapwireClient } from "../client/index.ts";
import type { WorkspaceEntry } from "../src/index.ts";
import { FakePage } from "./helpers/client-fakes.ts";
import { serve } from "./helpers/served.ts";

const retry = { floorMs: 5, capMs: 50 };

test("P3 writers on the wire and in the process, clients that drop and move: every replica ends as the store", async () => {
  await using served = await serve();
  const { live } = served;
  await using client = createSnapwireClient({ url: served.url, retry });
  expectTypeOf(client.trpc.snapshots.byProject.query).returns.resolves.toHaveProperty("entries");
  await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p", retry });
  expectTypeOf(replica.getSnapshot().entries).toEqualTypeOf<readonly WorkspaceEntry[]>();
  await vi.waitFor(() => expect(replica.getSnapshot()).toMatchObject({ status: "live", entries: [] }));
  for (let round = 0; round < 20; round += 1) {
    await live.workspaces.upsert(`w${round % 7}`, { projectId: "p", name: `round ${round}` });
    if (round % 5 === 3) await client.trpc.snapshots.remove.mutate({ workspaceId: `w${round % 7}` });
    if (round % 6 === 5) client.connection.reconnect();
  }
  await live.workspaces.upsert("elsewhere", { projectId: "q", name: "not ours" });
  await vi.waitFor(() => {
    const shown = Object.fromEntries(replica.getSnapshot().byId);
    const stored = live.workspaces.getByProjectId("p").map((entry) => [entry.workspaceId, entry]);
    expect(shown).toEqual(Object.fromEntries(stored));
    expect(replica.status).toBe("live");
  });
  expect(live.feed.counters.fulls.first).toBe(1); // every further connection resumed
});

test("a server that was restarted, with its memory gone, is shown as it is, and the old view stays until then", async () => {
  const first = await serve();
  await first.live.workspaces.upsert("a", { projectId: "p", name: "before" });
  await using client = createSnapwireClient({ url: first.url, retry });
  await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p", retry });
  await vi.waitFor(() => expect(replica.getSnapshot().entries).toHaveLength(1));
  const port = Number(new URL(first.url).port);
  await first[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(replica.status).toBe("reconnecting"));
  expect(replica.getSnapshot().entries[0]?.name).toBe("before");
  await using second = await serve({ port });
  await second.live.workspaces.upsert("b", { projectId: "p", name: "after" });
  await vi.waitFor(() => expect(replica.getSnapshot().entries.map(({ name }) => name)).toEqual(["after"]));
  await vi.waitFor(() => expect(replica.status).toBe("live"));
});

test("a project that ends is told as ended", async () => {
  await using served = await serve();
  await using client = createSnapwireClient({ url: served.url, retry });
  await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p", retry });
  await vi.waitFor(() => expect(replica.status).toBe("live"));
  served.live.endProject("p");
  await vi.waitFor(() =>
    expect(replica.getSnapshot()).toMatchObject({ status: "ended", reason: "project-gone" }),
  );
});

test("the server answers the sign of life that a page asks for when it is looked at again", async () => {
  await using served = await serve();
  const page = new FakePage();
  let time = 1_000;
  await using client = createSnapwireClient({ url: served.url, retry, surroundings: page, now: () => time });
  await client.trpc.system.health.query();
  expect(client.connection.lastProofOfLife).toBe(1_000);
  time = 2_000;
  page.wake();
  await vi.waitFor(() => expect(client.connection.lastProofOfLife).toBe(2_000));
  expect(client.connection.status).toBe("open");
});
