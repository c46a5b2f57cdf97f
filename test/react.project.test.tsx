// @vitest-environment happy-dom
/** What a component sees of a project in each of its states. */
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, expect, test, vi } from "vitest";
import { useProject, useProjectSnapshot } from "../client/react/index.ts";
import { trpcError } from "./helpers/client-fakes.ts";
import {
  changed,
  ended,
  entry,
  full,
  removed,
  resumed,
  status,
  type TestEntry,
} from "./helpers/client-frames.ts";
import { fakeProjects, inProvider } from "./helpers/react-projects.tsx";

afterEach(cleanup);

test("a component shows the project once it is loaded, and every change after that", async () => {
  const fake = fakeProjects();
  const { result } = renderHook(() => useProjectSnapshot<TestEntry>("p"), { wrapper: inProvider(fake) });
  expect(result.current).toMatchObject({ status: "connecting", entries: [], position: undefined });
  await fake.deliver(full(1, [entry("a", 1), entry("b", 1)]));
  expect(result.current).toMatchObject({ status: "live", complete: true });
  expect(result.current.entries.map(({ name }) => name)).toEqual(["a at 1", "b at 1"]);
  await fake.deliver(changed(2, "b"), removed(3, "a"));
  expect(result.current.entries.map(({ name }) => name)).toEqual(["b at 2"]);
  expect(result.current.byId.get("b")?.name).toBe("b at 2");
});

test("an entry that did not change is the same object, through changes of others and through a whole new snapshot", async () => {
  const fake = fakeProjects();
  const { result } = renderHook(() => useProjectSnapshot<TestEntry>("p"), { wrapper: inProvider(fake) });
  await fake.deliver(full(1, [entry("a", 1), entry("b", 1)]));
  const first = result.current.byId.get("a");
  await fake.deliver(changed(2, "b"));
  expect(result.current.byId.get("a")).toBe(first);
  const entries = result.current.entries;
  await fake.deliver(full(3, [entry("a", 1), entry("b", 2)], { reason: "trimmed" }));
  expect(result.current.byId.get("a")).toBe(first);
  expect(result.current.entries).toBe(entries);
});

test("another project id shows the other project at once, and nothing of the one before", async () => {
  vi.useFakeTimers();
  try {
    const fake = fakeProjects();
    const seen: string[] = [];
    const { result, rerender } = renderHook(
      ({ projectId }: { projectId: string }) => {
        const view = useProjectSnapshot<TestEntry>(projectId);
        seen.push(`${projectId}: ${view.projectId} ${view.entries.map(({ name }) => name).join()}`);
        return view;
      },
      { wrapper: inProvider(fake), initialProps: { projectId: "p" } },
    );
    await fake.deliver(full(1, [entry("a", 1)]));
    rerender({ projectId: "q" });
    expect(result.current).toMatchObject({ projectId: "q", status: "connecting", entries: [] });
    expect(fake.snapshots.current.input).toEqual({ projectId: "q" });
    await fake.deliver(full(1, [entry("z", 1)]));
    expect(result.current.entries.map(({ name }) => name)).toEqual(["z at 1"]);
    expect(seen.filter((line) => line.startsWith("q: p") || /q: .*a at/.test(line))).toEqual([]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(fake.snapshots.subscriptions.map(({ unsubscribed }) => unsubscribed)).toEqual([1, 0]);
  } finally {
    vi.useRealTimers();
  }
});

test("a refusal is a case of its own, and a try on demand ends it", async () => {
  const fake = fakeProjects();
  const { result } = renderHook(
    () => ({ view: useProjectSnapshot<TestEntry>("p"), project: useProject<TestEntry>("p") }),
    { wrapper: inProvider(fake) },
  );
  await act(async () => {
    fake.snapshots.current.callbacks.onError(trpcError("FORBIDDEN", "not your project"));
    await Promise.resolve();
    fake.frames.next();
  });
  const { view } = result.current;
  expect(view).toMatchObject({ status: "denied", reason: "forbidden", detail: "not your project" });
  if (view.status === "denied") view.reason satisfies "unauthorized" | "forbidden";
  act(() => result.current.project.retry());
  expect(fake.snapshots.subscriptions).toHaveLength(2);
  await fake.deliver(full(1, [entry("a", 1)]));
  expect(result.current.view.status).toBe("live");
});

test("a source that is away makes the view stale, with the entries, the reason and the time", async () => {
  let now = 1_000;
  const fake = fakeProjects({ now: () => now });
  const { result } = renderHook(() => useProjectSnapshot<TestEntry>("p"), { wrapper: inProvider(fake) });
  await fake.deliver(full(1, [entry("a", 1)]));
  expect(result.current.since).toBe(1_000);
  const { entries } = result.current;
  now = 5_000;
  await fake.deliver(status(1, false, "database away"));
  expect(result.current).toMatchObject({
    status: "stale",
    reason: "source-away",
    detail: "database away",
    since: 5_000,
  });
  expect(result.current.entries).toBe(entries);
  now = 6_000;
  await fake.deliver(changed(2, "a"));
  expect(result.current).toMatchObject({ status: "stale", since: 5_000 });
});

test("after an interruption it is told how much was missed, and the view stood all the while", async () => {
  let now = 0;
  const fake = fakeProjects({ now: () => now, retry: { floorMs: 1, capMs: 1 } });
  const { result } = renderHook(() => useProjectSnapshot<TestEntry>("p"), { wrapper: inProvider(fake) });
  await fake.deliver(full(1, [entry("a", 1), entry("b", 1), entry("c", 1)]));
  expect(result.current.caughtUp).toBeUndefined();
  now = 1_000;
  await act(async () => {
    fake.snapshots.current.callbacks.onConnectionStateChange({
      state: "connecting",
      error: new Error("gone"),
    });
    await Promise.resolve();
    fake.frames.next();
  });
  expect(result.current).toMatchObject({ status: "reconnecting", since: 1_000 });
  expect(result.current.entries).toHaveLength(3);
  now = 4_000;
  await fake.deliver(resumed(1, 4, { missed: 3 }));
  expect(result.current.status).toBe("catching-up");
  await fake.deliver(changed(2, "a"), removed(3, "b"), changed(4, "d"));
  expect(result.current).toMatchObject({
    status: "live",
    caughtUp: { at: 4_000, changes: 3, awayMs: 3_000 },
  });
  await fake.deliver(changed(5, "a"));
  expect(result.current.caughtUp).toMatchObject({ changes: 3 });
});

test("a project that is over says why", async () => {
  const fake = fakeProjects();
  const { result } = renderHook(() => useProjectSnapshot<TestEntry>("p"), { wrapper: inProvider(fake) });
  await fake.deliver(full(1, [entry("a", 1)]));
  await fake.deliver(ended(2, "revoked"));
  expect(result.current).toMatchObject({ status: "ended", reason: "revoked" });
  expect(result.current.entries).toHaveLength(1);
});

test("live projects that are closed tell their components, and hold nothing", async () => {
  const fake = fakeProjects();
  const { result, unmount } = renderHook(() => useProjectSnapshot<TestEntry>("p"), {
    wrapper: inProvider(fake),
  });
  await fake.deliver(full(1, [entry("a", 1)]));
  act(() => fake.projects.close());
  expect([fake.snapshots.open, fake.projects.size, fake.page.listeners]).toEqual([0, 0, 0]);
  unmount();
  expect(result.current.entries).toHaveLength(1);
});

test("a hook outside of a provider says what is missing", () => {
  const errors = vi.spyOn(console, "error").mockImplementation(() => {});
  expect(() => renderHook(() => useProjectSnapshot("p"))).toThrow(/SnapwireProvider/);
  errors.mockRestore();
});
