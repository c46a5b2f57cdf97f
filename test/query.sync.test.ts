/** What live changes do to a query cache that an application has already. */
import { notifyManager, QueryClient, QueryObserver } from "@tanstack/query-core";
import { expect, test, vi } from "vitest";
import { createLiveProjects } from "../client/live-projects.ts";
import { patchList, type SnapshotPatch, syncSnapshot } from "../client/query/index.ts";
import { FakeSnapshots } from "./helpers/client-fakes.ts";
import {
  changed,
  entry,
  full,
  OTHER_TAG,
  removed,
  resumed,
  type TestEntry,
  type TestFrame,
} from "./helpers/client-frames.ts";
import { FakeFrames } from "./helpers/fake-frames.ts";

const KEY = ["workspaces", "p"];

function setup() {
  const snapshots = new FakeSnapshots();
  const frames = new FakeFrames();
  const projects = createLiveProjects({ snapshots }, { schedule: frames.schedule, releaseAfterMs: 0 });
  const queryClient = new QueryClient({ defaultOptions: { queries: { gcTime: Number.POSITIVE_INFINITY } } });
  const list = (): readonly TestEntry[] | undefined => queryClient.getQueryData(KEY);
  return {
    snapshots,
    projects,
    queryClient,
    list,
    names: () => list()?.map(({ name }) => name),
    async deliver(...delivered: readonly TestFrame[]): Promise<void> {
      snapshots.current.deliver(...delivered);
      await Promise.resolve();
      frames.next();
    },
    async lose(): Promise<void> {
      snapshots.current.callbacks.onConnectionStateChange({ state: "connecting", error: new Error("gone") });
      await Promise.resolve();
      frames.next();
    },
  };
}

/** A query that polls a server: it answers when the test says so. */
function poll(queryClient: QueryClient) {
  const answers: ((rows: readonly TestEntry[]) => void)[] = [];
  const observer = new QueryObserver<readonly TestEntry[]>(queryClient, {
    queryKey: KEY,
    queryFn: () => new Promise((resolve) => void answers.push(resolve)),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const seen: (readonly string[] | undefined)[] = [];
  // As hooks do: they are told at the end of the turn, and render the result as it is by then.
  const stop = observer.subscribe(
    notifyManager.batchCalls(() => {
      seen.push(observer.getCurrentResult().data?.map(({ name }) => name));
    }),
  );
  return { observer, answers, seen, stop };
}

test("M8 a client cache is patched by deltas, without a refetch and without touching what did not change", async () => {
  const { projects, queryClient, deliver, list, names } = setup();
  const { answers, stop } = poll(queryClient);
  using sync = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY });
  answers[0]?.([entry("a", 1), entry("b", 1)]);
  await vi.waitFor(() => expect(names()).toEqual(["a at 1", "b at 1"]));
  const [a] = list() ?? [];
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  expect(list()?.[0]).toBe(a); // the same content is the same object, wherever it came from
  await deliver(changed(2, "b"));
  expect(names()).toEqual(["a at 1", "b at 2"]);
  expect(list()?.[0]).toBe(a);
  await deliver(changed(3, "c"), removed(4, "b"));
  expect(names()).toEqual(["a at 1", "c at 3"]);
  expect(list()?.[0]).toBe(a);
  expect(answers).toHaveLength(1);
  expect(queryClient.getQueryState(KEY)?.isInvalidated).toBe(false);
  sync.stop();
  stop();
});

test("a patch touches only its own rows: an optimistic change of another row stays", async () => {
  const { projects, queryClient, deliver, names } = setup();
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY });
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  queryClient.setQueryData<readonly TestEntry[]>(KEY, (rows) =>
    rows?.map((row) => (row.workspaceId === "a" ? { ...row, name: "renaming" } : row)),
  );
  await deliver(changed(2, "b"));
  expect(names()).toEqual(["renaming", "b at 2"]);
  await deliver(changed(3, "a"));
  expect(names()).toEqual(["a at 3", "b at 2"]);
});

test("the late answer of a poll never goes back behind what was pushed, not even for one render", async () => {
  const { projects, queryClient, deliver, names } = setup();
  const { observer, answers, seen, stop } = poll(queryClient);
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY });
  answers[0]?.([entry("a", 1)]);
  await vi.waitFor(() => expect(names()).toEqual(["a at 1"]));
  await deliver(full(1, [entry("a", 1)]));
  const polled = observer.refetch();
  await deliver(changed(2, "a"), changed(3, "b"));
  answers[1]?.([entry("a", 1), entry("gone", 1)]); // read before the changes
  await polled;
  await vi.waitFor(() => expect(seen.at(-1)).toEqual(["a at 2", "b at 3"]));
  expect(names()).toEqual(["a at 2", "b at 3"]);
  expect(seen.flat()).not.toContain("gone at 1");
  stop();
});

test("while nothing is heard a poll may bring news, and the end of the interruption puts everything right", async () => {
  const { projects, queryClient, deliver, lose, names, list } = setup();
  const { observer, answers, stop } = poll(queryClient);
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY });
  await deliver(full(1, [entry("a", 1), entry("b", 1), entry("c", 1)]));
  answers[0]?.([entry("a", 1), entry("b", 1), entry("c", 1)]);
  await lose();
  const polled = observer.refetch();
  await vi.waitFor(() => expect(answers).toHaveLength(2));
  answers[1]?.([entry("a", 2), entry("b", 1)]);
  await polled;
  expect(names()).toEqual(["a at 2", "b at 1"]);
  const b = list()?.[1];
  await deliver(resumed(1, 3), changed(2, "a"));
  expect(names()).toEqual(["a at 2", "b at 1"]); // on its way: not shown
  await deliver(removed(3, "c"));
  expect(names()).toEqual(["a at 2", "b at 1"]);
  expect(list()?.[1]).toBe(b);
  stop();
});

test("a whole new snapshot of another life of the server replaces the list in one write, with the rows that are equal kept", async () => {
  const { projects, queryClient, deliver, list, names } = setup();
  const { seen, stop } = poll(queryClient);
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY });
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  const [a] = list() ?? [];
  await vi.waitFor(() => expect(seen.at(-1)).toEqual(["a at 1", "b at 1"]));
  seen.length = 0;
  await deliver(full(1, [entry("a", 1), entry("z", 1)], { tag: OTHER_TAG, reason: "epoch-changed" }));
  expect(names()).toEqual(["a at 1", "z at 1"]);
  expect(list()?.[0]).toBe(a);
  await vi.waitFor(() => expect(seen).toEqual([["a at 1", "z at 1"]]));
  stop();
});

test("what is removed is gone from the list and from its own query, also for those who show it", async () => {
  const { projects, queryClient, deliver, list } = setup();
  const entryKey = (id: string) => ["workspace", id];
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY, entryKey });
  await deliver(full(1, [entry("a", 1), entry("b", 1), entry("c", 1)]));
  let fetches = 0;
  const detail = (id: string) =>
    new QueryObserver<TestEntry>(queryClient, {
      queryKey: entryKey(id),
      queryFn: () => {
        fetches += 1;
        return entry(id, 1);
      },
      staleTime: Number.POSITIVE_INFINITY,
    });
  const shown = detail("a");
  const stop = shown.subscribe(() => {});
  await queryClient.prefetchQuery({ queryKey: entryKey("b"), queryFn: () => entry("b", 1) });
  await vi.waitFor(() => expect(shown.getCurrentResult().data?.version).toBe(1));
  await deliver(changed(2, "a"));
  expect(shown.getCurrentResult().data?.version).toBe(2);
  expect(shown.getCurrentResult().data).toEqual(list()?.[0]);
  await deliver(removed(3, "a"), removed(4, "b"), changed(5, "c"));
  expect(shown.getCurrentResult()).toMatchObject({ data: undefined, status: "pending", fetchStatus: "idle" });
  expect(queryClient.getQueryCache().find({ queryKey: entryKey("b") })).toBeUndefined();
  expect(queryClient.getQueryCache().find({ queryKey: entryKey("c") })).toBeUndefined(); // nobody asked for it
  expect(fetches).toBe(1);
  stop();
});

test("what was removed during an interruption is gone from its own query too", async () => {
  const { projects, queryClient, deliver, lose } = setup();
  const entryKey = (id: string) => ["workspace", id];
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY, entryKey });
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  queryClient.setQueryData(entryKey("a"), entry("a", 1));
  await lose();
  await deliver(full(5, [entry("b", 1)], { reason: "trimmed" }));
  expect(queryClient.getQueryData(entryKey("a"))).toBeUndefined();
});

test("a request for a single entry that is under way when the entry goes does not bring it back", async () => {
  const { projects, queryClient, deliver } = setup();
  const entryKey = (id: string) => ["workspace", id];
  using _ = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY, entryKey });
  await deliver(full(1, [entry("a", 1)]));
  let answer = (_row: TestEntry): void => {};
  const observer = new QueryObserver<TestEntry>(queryClient, {
    queryKey: entryKey("a"),
    queryFn: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
    retry: false,
  });
  const stop = observer.subscribe(() => {});
  await vi.waitFor(() => expect(observer.getCurrentResult().fetchStatus).toBe("fetching"));
  await deliver(removed(2, "a"));
  answer(entry("a", 1));
  await Promise.resolve();
  expect(queryClient.getQueryData(entryKey("a"))).toBeUndefined();
  stop();
});

test("a list of another shape is kept by the application's own function", async () => {
  interface Page {
    readonly total: number;
    readonly rows: readonly TestEntry[];
  }
  const { projects, queryClient, deliver } = setup();
  const apply = (page: Page | undefined, patch: SnapshotPatch<TestEntry>): Page | undefined => {
    const rows = page && patchList(page.rows, patch);
    return rows && { total: rows.length, rows };
  };
  using _ = syncSnapshot(queryClient, {
    client: projects,
    projectId: "p",
    queryKey: KEY,
    apply,
  });
  await deliver(full(1, [entry("a", 1)]));
  expect(queryClient.getQueryData(KEY)).toBeUndefined(); // nothing to add to yet
  queryClient.setQueryData<Page>(KEY, { total: 0, rows: [] });
  await deliver(changed(2, "b"));
  expect(queryClient.getQueryData<Page>(KEY)).toMatchObject({ total: 1 });
});

test("when it is stopped the cache stays, and nothing is left", async () => {
  const { snapshots, projects, queryClient, deliver, names } = setup();
  const sync = syncSnapshot(queryClient, { client: projects, projectId: "p", queryKey: KEY });
  await deliver(full(1, [entry("a", 1)]));
  sync.stop();
  sync.stop();
  expect([snapshots.open, projects.size]).toEqual([0, 0]);
  expect(queryClient.getQueryCache().hasListeners()).toBe(false);
  expect(names()).toEqual(["a at 1"]);
});
