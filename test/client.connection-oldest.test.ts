/** Snapwire's own client on top of the oldest tRPC client that it says it works with. */
import { expect, test, vi } from "vitest";
import { createProjectReplica, createSnapwireClient } from "../client/index.ts";
import { changed, entry, full, resumed, TAG } from "./helpers/client-frames.ts";
import { serveTest, type TestRouter } from "./helpers/client-server.ts";

vi.mock("@trpc/client", () => import("./hosts/oldest/node_modules/@trpc/client/dist/index.mjs"));

const retry = { floorMs: 5, capMs: 20 };

test("it resumes, twice in a row", async () => {
  await using server = await serveTest();
  await using client = createSnapwireClient<TestRouter>({ url: server.url, token: "mine", retry });
  await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
  (await server.nth(1)).deliver(full(5, []), changed(7, "b"));
  await vi.waitFor(() => expect(replica.getSnapshot().position).toBe(`${TAG}.7`));
  for (const attempt of [2, 3]) {
    server.cut();
    expect(await server.nth(attempt)).toMatchObject({ lastEventId: `${TAG}.7`, token: "mine" });
  }
  (await server.nth(3)).deliver(resumed(7));
  await vi.waitFor(() => expect(replica.status).toBe("live"));
});

test("a server that asks it to move gets exactly one further connection, not a cascade", async () => {
  await using server = await serveTest();
  await using client = createSnapwireClient<TestRouter>({ url: server.url, retry });
  await using replica = createProjectReplica(client.trpc.snapshots, { projectId: "p" });
  (await server.nth(1)).deliver(full(5, [entry("a", 5)]));
  await vi.waitFor(() => expect(replica.status).toBe("live"));
  server.notice();
  (await server.nth(2)).deliver(resumed(5), changed(6, "b"));
  await vi.waitFor(() =>
    expect(replica.getSnapshot()).toMatchObject({ status: "live", position: `${TAG}.6` }),
  );
  await vi.waitFor(() => expect(server.openSockets).toBe(1));
  expect(await client.trpc.whoami.query()).toBe("nobody"); // all that was on the way has arrived
  expect(server.upgrades).toHaveLength(2);
});

test("close() leaves no connection, also while one is being made", async () => {
  await using server = await serveTest();
  const client = createSnapwireClient<TestRouter>({ url: server.url, retry });
  await client.trpc.whoami.query();
  await client.close();
  await createSnapwireClient<TestRouter>({ url: server.url, token: () => new Promise(() => {}) }).close();
  await vi.waitFor(() => expect(server.openSockets).toBe(0));
  await expect(client.trpc.whoami.query()).rejects.toThrow("this Snapwire client is closed");
});
