/** Live queries over Snapwire's client and server, and beside a poll over HTTP, from end to end. */
import { QueryClient, QueryObserver } from "@tanstack/query-core";
import { createTRPCClient, httpLink } from "@trpc/client";
import superjson from "superjson";
import { expect, expectTypeOf, test, vi } from "vitest";
import { createLiveProjects, createSnapwireClient } from "../client/index.ts";
import { snapshotOptions, syncSnapshot } from "../client/query/index.ts";
import type { SnapwireRouter, WorkspaceEntry } from "../src/index.ts";
import { serve, stockClient } from "./helpers/served.ts";

const retry = { floorMs: 5, capMs: 50 };
const names = (rows: readonly WorkspaceEntry[] | undefined) => rows?.map(({ name }) => name);

test("M8 a list that was polled becomes live: one request in all, and every change of the store is in the cache", async () => {
  await using served = await serve();
  await served.live.workspaces.upsert("a", { projectId: "p", name: "first" });
  await using client = createSnapwireClient({ url: served.url, retry });
  using projects = createLiveProjects(client);
  const queryClient = new QueryClient();
  const queryKey = ["workspaces", "p"];
  let requests = 0;
  const poll = new QueryObserver(queryClient, {
    queryKey,
    queryFn: async () => {
      requests += 1;
      return (await client.trpc.snapshots.byProject.query({ projectId: "p" })).entries;
    },
    refetchInterval: 60_000,
  });
  const stop = poll.subscribe(() => {});
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey });
  const cached = () => names(queryClient.getQueryData(queryKey));
  await vi.waitFor(() => expect(cached()).toEqual(["first"]));
  await vi.waitFor(() => expect(projects.project("p").getSnapshot().status).toBe("live"));
  for (const name of ["second", "third"]) await served.live.workspaces.upsert("a", { name });
  await served.live.workspaces.upsert("b", { projectId: "p", name: "new" });
  await vi.waitFor(() => expect(cached()).toEqual(["third", "new"]));
  await served.live.workspaces.remove("a");
  await vi.waitFor(() => expect(cached()).toEqual(["new"]));
  expect(requests).toBe(1);
  stop();
  queryClient.clear();
});

test("when the server goes, a query asks its fallback; when it is back, it is live again", async () => {
  const first = await serve();
  await first.live.workspaces.upsert("a", { projectId: "p", name: "before" });
  await using client = createSnapwireClient({ url: first.url, retry });
  using projects = createLiveProjects(client, { releaseAfterMs: 0 });
  const queryClient = new QueryClient();
  await using elsewhere = await serve();
  await elsewhere.live.workspaces.upsert("a", { projectId: "p", name: "by request" });
  const plain = createTRPCClient<SnapwireRouter>({
    links: [httpLink({ url: `${elsewhere.url}/trpc`, transformer: superjson })],
  });
  const observer = new QueryObserver(
    queryClient,
    snapshotOptions({
      client: projects,
      projectId: "p",
      fallback: async ({ signal }) =>
        (await plain.snapshots.byProject.query({ projectId: "p" }, { signal })).entries,
    }),
  );
  const stop = observer.subscribe(() => {});
  const shown = () => observer.getCurrentResult().data;
  expectTypeOf(shown()).toEqualTypeOf<readonly WorkspaceEntry[] | undefined>();
  await vi.waitFor(() => expect(names(shown())).toEqual(["before"]));
  const port = Number(new URL(first.url).port);
  await first[Symbol.asyncDispose]();
  await vi.waitFor(() => expect(projects.project("p").getSnapshot().status).toBe("reconnecting"));
  await observer.refetch();
  expect(names(shown())).toEqual(["by request"]);
  await using second = await serve({ port });
  await second.live.workspaces.upsert("a", { projectId: "p", name: "back" });
  await vi.waitFor(() => expect(names(shown())).toEqual(["back"]));
  stop();
  queryClient.clear();
  await vi.waitFor(() => expect(second.live.stats().subscriptions).toBe(0));
});

test("a query that is prefetched without a page, as on a server, has data and leaves no subscription", async () => {
  await using served = await serve();
  await served.live.workspaces.upsert("a", { projectId: "p", name: "here" });
  await using stock = stockClient(served.url);
  using projects = createLiveProjects({ snapshots: stock.trpc.snapshots }, { releaseAfterMs: 0 });
  const queryClient = new QueryClient();
  const options = snapshotOptions({ client: projects, projectId: "p" });
  expect(names(await queryClient.fetchQuery(options))).toEqual(["here"]);
  await vi.waitFor(() => expect(served.live.stats().subscriptions).toBe(0));
  expect(projects.size).toBe(0);
  queryClient.clear();
});
