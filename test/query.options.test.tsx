// @vitest-environment happy-dom
/** A live query on a page: TanStack Query's own hook, over a server that is the test. */
import { QueryClient, QueryClientProvider, useQuery } from "@tanstack/react-query";
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { afterEach, expect, expectTypeOf, test, vi } from "vitest";
import { createLiveProjects } from "../client/live-projects.ts";
import { SnapshotError, snapshotKey, snapshotOptions } from "../client/query/index.ts";
import { FakeSnapshots, trpcError } from "./helpers/client-fakes.ts";
import {
  changed,
  entry,
  full,
  removed,
  resumed,
  type TestEntry,
  type TestFrame,
} from "./helpers/client-frames.ts";
import { FakeFrames } from "./helpers/fake-frames.ts";

afterEach(cleanup);

function setup() {
  const snapshots = new FakeSnapshots();
  const frames = new FakeFrames();
  const projects = createLiveProjects({ snapshots }, { schedule: frames.schedule, releaseAfterMs: 0 });
  const queryClient = new QueryClient();
  const wrapper = ({ children }: { readonly children: ReactNode }) => (
    <StrictMode>
      <QueryClientProvider client={queryClient}>{children}</QueryClientProvider>
    </StrictMode>
  );
  const turn = async (what: () => void): Promise<void> => {
    await act(async () => {
      what();
      await Promise.resolve();
      frames.next();
      await new Promise((resolve) => setTimeout(resolve)); // TanStack Query tells in a task of its own
    });
  };
  return {
    snapshots,
    projects,
    queryClient,
    wrapper,
    deliver: (...delivered: readonly TestFrame[]) => turn(() => snapshots.current.deliver(...delivered)),
    refuse: (code: string) => turn(() => snapshots.current.callbacks.onError(trpcError(code))),
    lose: () =>
      turn(() =>
        snapshots.current.callbacks.onConnectionStateChange({
          state: "connecting",
          error: new Error("gone"),
        }),
      ),
  };
}

test("useQuery waits for the first view, and is patched from then on without fetching again", async () => {
  const { projects, snapshots, deliver, wrapper, queryClient } = setup();
  let fetches = 0;
  const { result } = renderHook(
    () => {
      const query = useQuery(snapshotOptions({ client: projects, projectId: "p" }));
      expectTypeOf(query.data).toEqualTypeOf<readonly TestEntry[] | undefined>();
      return query;
    },
    { wrapper },
  );
  queryClient.getQueryCache().subscribe((event) => {
    if (event.type === "updated" && event.action.type === "fetch") fetches += 1;
  });
  expect(result.current.status).toBe("pending");
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  await waitFor(() => expect(result.current.data).toHaveLength(2));
  const [a] = result.current.data ?? [];
  await deliver(changed(2, "b"), changed(3, "c"));
  await waitFor(() =>
    expect(result.current.data?.map(({ name }) => name)).toEqual(["a at 1", "b at 2", "c at 3"]),
  );
  expect(result.current.data?.[0]).toBe(a);
  await deliver(removed(4, "a"));
  await waitFor(() => expect(result.current.data).toHaveLength(2));
  expect(fetches).toBe(0);
  expect(snapshots.open).toBe(1);
});

test("an empty project is data, and not the same as not loaded", async () => {
  const { projects, deliver, wrapper } = setup();
  const { result } = renderHook(() => useQuery(snapshotOptions({ client: projects, projectId: "p" })), {
    wrapper,
  });
  await deliver(full(1, []));
  await waitFor(() => expect(result.current).toMatchObject({ status: "success", data: [] }));
});

test("nobody looks: nothing is subscribed; looked at again it shows what it had, and heals", async () => {
  const { projects, snapshots, deliver, wrapper, queryClient } = setup();
  const options = snapshotOptions({ client: projects, projectId: "p" });
  const first = renderHook(() => useQuery(options), { wrapper });
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  await waitFor(() => expect(first.result.current.data).toHaveLength(2));
  const [a] = first.result.current.data ?? [];
  first.unmount();
  expect([snapshots.open, projects.size]).toEqual([0, 0]);
  const second = renderHook(() => useQuery(options), { wrapper });
  expect(second.result.current.data?.[0]).toBe(a);
  await deliver(full(9, [entry("a", 1), entry("c", 9)]));
  await waitFor(() =>
    expect(second.result.current.data?.map(({ name }) => name)).toEqual(["a at 1", "c at 9"]),
  );
  expect(second.result.current.data?.[0]).toBe(a);
  second.unmount();
  queryClient.clear();
  expect([snapshots.open, queryClient.getQueryCache().hasListeners()]).toEqual([0, false]);
});

test("a query that came from elsewhere is fetched once and is live after that", async () => {
  const { projects, deliver, wrapper, queryClient } = setup();
  queryClient.setQueryData(snapshotKey("p"), [entry("a", 1), entry("gone", 1)]);
  const { result } = renderHook(() => useQuery(snapshotOptions({ client: projects, projectId: "p" })), {
    wrapper,
  });
  expect(result.current.data).toHaveLength(2);
  await deliver(full(2, [entry("a", 1)]));
  await waitFor(() => expect(result.current.data?.map(({ name }) => name)).toEqual(["a at 1"]));
  await deliver(changed(3, "a"));
  await waitFor(() => expect(result.current.data?.[0]?.version).toBe(3));
});

test("a refusal is the query's error, at once, with the data that was there; to fetch again is to try again", async () => {
  const { projects, snapshots, deliver, refuse, wrapper } = setup();
  const { result } = renderHook(() => useQuery(snapshotOptions({ client: projects, projectId: "p" })), {
    wrapper,
  });
  await refuse("FORBIDDEN");
  await waitFor(() => expect(result.current.status).toBe("error"));
  expect(result.current.error).toBeInstanceOf(SnapshotError);
  expect(result.current.error).toMatchObject({ status: "denied", reason: "forbidden", projectId: "p" });
  const before = snapshots.subscriptions.length;
  void result.current.refetch();
  await vi.waitFor(() => expect(snapshots.subscriptions.length).toBe(before + 1));
  await deliver(full(1, [entry("a", 1)]));
  await waitFor(() => expect(result.current).toMatchObject({ status: "success", error: null }));
  await refuse("FORBIDDEN");
  await waitFor(() => expect(result.current.status).toBe("error"));
  expect(result.current.data).toHaveLength(1);
  projects.project("p").retry();
  await deliver(resumed(1));
  await waitFor(() => expect(result.current).toMatchObject({ status: "success", error: null }));
});

test("the fallback is asked only while nothing is heard, and a live project answers without it", async () => {
  const { projects, deliver, lose, wrapper } = setup();
  let asked = 0;
  let answer = [entry("a", 5)];
  const { result } = renderHook(
    () =>
      useQuery(
        snapshotOptions({
          client: projects,
          projectId: "p",
          fallback: async () => {
            asked += 1;
            return answer;
          },
        }),
      ),
    { wrapper },
  );
  await deliver(full(1, [entry("a", 1)]));
  await waitFor(() => expect(result.current.data?.[0]?.version).toBe(1));
  await act(() => result.current.refetch());
  expect([asked, result.current.data?.[0]?.version]).toEqual([0, 1]);
  await lose();
  await act(() => result.current.refetch());
  await waitFor(() => expect([asked, result.current.data?.[0]?.version]).toEqual([1, 5]));
  answer = [entry("a", 4)];
  await deliver(resumed(1, 6), changed(6, "a"));
  await waitFor(() => expect(result.current.data?.[0]?.version).toBe(6));
});

test("an answer of the fallback that comes after the project is live again is not taken", async () => {
  const { projects, deliver, lose, wrapper } = setup();
  const notAsked = (_rows: readonly TestEntry[]): void => {};
  let answer = notAsked;
  const fallback = () =>
    new Promise<readonly TestEntry[]>((resolve) => {
      answer = resolve;
    });
  const { result } = renderHook(
    () => useQuery(snapshotOptions({ client: projects, projectId: "p", fallback })),
    { wrapper },
  );
  await deliver(full(1, [entry("a", 1)]));
  await waitFor(() => expect(result.current.data).toHaveLength(1));
  await lose();
  const refetched = result.current.refetch();
  await vi.waitFor(() => expect(answer).not.toBe(notAsked));
  await deliver(resumed(1, 7), changed(7, "a"));
  answer([entry("a", 2)]);
  expect((await act(() => refetched)).data?.[0]?.version).toBe(7);
  await waitFor(() => expect(result.current.data?.[0]?.version).toBe(7));
});

test("a page that leaves before the first view leaves nothing", async () => {
  const { projects, snapshots, wrapper, queryClient } = setup();
  const { unmount } = renderHook(() => useQuery(snapshotOptions({ client: projects, projectId: "p" })), {
    wrapper,
  });
  expect(snapshots.open).toBe(1);
  unmount();
  await vi.waitFor(() => expect([snapshots.open, projects.size]).toEqual([0, 0]));
  queryClient.clear();
  expect(queryClient.getQueryCache().hasListeners()).toBe(false);
});

test("without a page too, an answer of the fallback gives way to what is live by then", async () => {
  const { projects, deliver, lose, queryClient } = setup();
  const leave = projects.project("p").subscribe(() => {});
  await deliver(full(1, [entry("a", 1)]));
  await lose();
  const notAsked = (_rows: readonly TestEntry[]): void => {};
  let answer = notAsked;
  const fetched = queryClient.fetchQuery(
    snapshotOptions({
      client: projects,
      projectId: "p",
      fallback: () =>
        new Promise<readonly TestEntry[]>((resolve) => {
          answer = resolve;
        }),
    }),
  );
  await vi.waitFor(() => expect(answer).not.toBe(notAsked));
  await deliver(resumed(1, 7), changed(7, "a"));
  answer([entry("a", 2)]);
  expect(await fetched).toMatchObject([{ version: 7 }]);
  leave();
  queryClient.clear();
});
