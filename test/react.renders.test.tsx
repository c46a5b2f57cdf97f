// @vitest-environment happy-dom
/** How often components render, how many subscriptions they open, and what they leave behind. */
import { act, cleanup, render, renderHook, screen } from "@testing-library/react";
import { memo, StrictMode, useState } from "react";
import { renderToString } from "react-dom/server";
import { afterEach, expect, test, vi } from "vitest";
import type { ReplicaEntry } from "../client/index.ts";
import { SnapwireProvider, useProject, useProjectSnapshot } from "../client/react/index.ts";
import { changed, entry, full, removed, status, type TestEntry } from "./helpers/client-frames.ts";
import { Counted, fakeProjects, inProvider } from "./helpers/react-projects.tsx";

afterEach(cleanup);

function useNames(): readonly string[] {
  return useProjectSnapshot<readonly string[], TestEntry>("p", (view) =>
    view.entries.map(({ name }) => name),
  );
}

const Names = () => <p>{useNames().join()}</p>;
const Position = () => <b>{useProjectSnapshot("p", (view) => view.position)}</b>;
const Status = () => <p>{useProjectSnapshot("p").status}</p>;

interface RowProps {
  readonly row: ReplicaEntry;
  readonly onRow: (id: string) => void;
}
const Row = memo(function Row({ row, onRow }: RowProps) {
  onRow(row.workspaceId);
  return <li>{row.workspaceId}</li>;
});
const List = ({ onRow }: Pick<RowProps, "onRow">) =>
  useProjectSnapshot("p").entries.map((row) => <Row key={row.workspaceId} row={row} onRow={onRow} />);

/** React renders it twice before it commits. */
function Twice() {
  const [ready, setReady] = useState(false);
  useProjectSnapshot("p");
  if (!ready) setReady(true);
  return null;
}

test("rows that did not change do not render again", async () => {
  const fake = fakeProjects();
  const renders: string[] = [];
  const onRow = (id: string): void => void renders.push(id);
  render(<List onRow={onRow} />, { wrapper: inProvider(fake) });
  await fake.deliver(full(1, [entry("a", 1), entry("b", 1), entry("c", 1)]));
  renders.length = 0;
  await fake.deliver(changed(2, "b"));
  await fake.deliver(status(2, false, "away"));
  await fake.deliver(status(2, true));
  expect(renders).toEqual(["b"]);
});

test("1,000 changes between two frames are one commit, for all components together", async () => {
  const fake = fakeProjects();
  let commits = 0;
  const count = (): void => {
    commits += 1;
  };
  render(
    <Counted count={count}>
      <Names />
      <Position />
      <Names />
    </Counted>,
    { wrapper: inProvider(fake) },
  );
  await fake.deliver(full(1, [entry("a", 1)]));
  const before = commits;
  await act(async () => {
    for (let sequence = 2; sequence <= 1_001; sequence += 1) {
      fake.snapshots.current.deliver(changed(sequence, `w${sequence % 10}`));
      if (sequence % 7 === 0) await Promise.resolve(); // several turns, as many messages would take
    }
    await Promise.resolve();
    expect(fake.frames.pending).toBe(1);
    expect(commits).toBe(before);
    fake.frames.next();
  });
  expect(commits).toBe(before + 1);
  expect(screen.getAllByText(/w1 at 1001|a at 1/)).toHaveLength(2);
  expect(fake.frames.next()).toBe(false);
});

test("StrictMode and many components open one subscription, and leave none", async () => {
  vi.useFakeTimers();
  try {
    const fake = fakeProjects({ releaseAfterMs: 3_000 });
    const { unmount } = render(
      <StrictMode>
        <Names />
        <Names />
        <Names />
      </StrictMode>,
      { wrapper: inProvider(fake) },
    );
    expect(fake.snapshots.subscriptions).toHaveLength(1);
    await fake.deliver(full(1, [entry("a", 1)]));
    unmount();
    await vi.advanceTimersByTimeAsync(2_999);
    expect([fake.snapshots.open, fake.projects.size]).toEqual([1, 1]);
    await vi.advanceTimersByTimeAsync(1);
    expect([fake.snapshots.open, fake.projects.size]).toEqual([0, 0]);
    expect(fake.page.listeners).toBe(0);
    expect(fake.frames.pending).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("a project that is looked at again in time goes on, without a new subscription and without a flash", async () => {
  vi.useFakeTimers();
  try {
    const fake = fakeProjects({ releaseAfterMs: 3_000 });
    const first = renderHook(() => useNames(), { wrapper: inProvider(fake) });
    await fake.deliver(full(1, [entry("a", 1)]));
    first.unmount();
    await vi.advanceTimersByTimeAsync(2_000);
    const second = renderHook(() => useNames(), { wrapper: inProvider(fake) });
    expect(second.result.current).toEqual(["a at 1"]);
    await vi.advanceTimersByTimeAsync(60_000);
    await fake.deliver(changed(2, "a"));
    expect(second.result.current).toEqual(["a at 2"]);
    expect(fake.snapshots.subscriptions).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});

test("a component renders only when what it selected changed, however the selector is written", async () => {
  const fake = fakeProjects();
  let renders = 0;
  const { result, rerender } = renderHook(
    () => {
      renders += 1;
      // A new function, and a new object, each time.
      return useProjectSnapshot<{ ids: readonly string[] }, TestEntry>("p", (view) => ({
        ids: view.entries.map(({ workspaceId }) => workspaceId),
      }));
    },
    { wrapper: inProvider(fake) },
  );
  await fake.deliver(full(1, [entry("a", 1), entry("b", 1)]));
  const loaded = result.current;
  renders = 0;
  for (let sequence = 2; sequence < 22; sequence += 1) await fake.deliver(changed(sequence, "a"));
  expect(renders).toBe(0);
  rerender();
  expect(result.current).toBe(loaded);
  renders = 0;
  await fake.deliver(removed(30, "b"));
  expect(renders).toBe(1);
  expect(result.current).toEqual({ ids: ["a"] });
});

test("a selector sees its own newest variables", async () => {
  const fake = fakeProjects();
  const { result, rerender } = renderHook(
    ({ id }: { id: string }) =>
      useProjectSnapshot<string | undefined, TestEntry>("p", (view) => view.byId.get(id)?.name),
    { wrapper: inProvider(fake), initialProps: { id: "a" } },
  );
  await fake.deliver(full(1, [entry("a", 1), entry("b", 1)]));
  expect(result.current).toBe("a at 1");
  rerender({ id: "b" });
  expect(result.current).toBe("b at 1");
});

test("an equality of one's own decides what is a change", async () => {
  const fake = fakeProjects();
  let renders = 0;
  renderHook(
    () => {
      renders += 1;
      return useProjectSnapshot<readonly TestEntry[], TestEntry>(
        "p",
        (view) => view.entries,
        (a, b) => a.length === b.length,
      );
    },
    { wrapper: inProvider(fake) },
  );
  await fake.deliver(full(1, [entry("a", 1)]));
  renders = 0;
  await fake.deliver(changed(2, "a"));
  expect(renders).toBe(0);
  await fake.deliver(changed(3, "b"));
  expect(renders).toBe(1);
});

test("a component that only asks for the project subscribes to nothing", () => {
  const fake = fakeProjects();
  renderHook(() => useProject("p"), { wrapper: inProvider(fake) });
  expect(fake.snapshots.subscriptions).toHaveLength(0);
});

test("a component that throws its first render away subscribes to nothing", () => {
  const fake = fakeProjects();
  render(<Twice />, { wrapper: inProvider(fake) });
  expect(fake.snapshots.subscriptions).toHaveLength(1);
});

test("markup made on a server is that of connecting, and subscribes to nothing", () => {
  const fake = fakeProjects();
  const html = renderToString(
    <SnapwireProvider client={fake.projects}>
      <Status />
    </SnapwireProvider>,
  );
  expect(html).toBe("<p>connecting</p>");
  expect(fake.snapshots.subscriptions).toHaveLength(0);
});

test("the same markup is taken over without a complaint, and comes to life", async () => {
  const fake = fakeProjects();
  await using _ = { [Symbol.asyncDispose]: async () => fake.projects.close() };
  const other = renderHook(() => useNames(), { wrapper: inProvider(fake) });
  await fake.deliver(full(1, [entry("a", 1)])); // it is known already when the markup is taken over
  const container = document.createElement("div");
  document.body.append(container);
  container.innerHTML = "<p>connecting</p>";
  const errors = vi.spyOn(console, "error").mockImplementation(() => {});
  render(<Status />, { container, hydrate: true, wrapper: inProvider(fake) });
  expect(errors.mock.calls).toEqual([]);
  errors.mockRestore();
  expect(container.textContent).toBe("live");
  other.unmount();
});

test("to begin watching is no reason to render again", () => {
  const fake = fakeProjects();
  let renders = 0;
  renderHook(
    () => {
      renders += 1;
      return useProjectSnapshot("p");
    },
    { wrapper: inProvider(fake) },
  );
  expect([fake.snapshots.open, renders]).toEqual([1, 1]);
});

test("without a client everything is connecting, and it begins when there is one", async () => {
  const fake = fakeProjects();
  const page = (client: typeof fake.projects | undefined) => (
    <SnapwireProvider client={client}>
      <Status />
    </SnapwireProvider>
  );
  const { container, rerender } = render(page(undefined));
  expect(container.textContent).toBe("connecting");
  rerender(page(fake.projects));
  await fake.deliver(full(1, []));
  expect(container.textContent).toBe("live");
});
