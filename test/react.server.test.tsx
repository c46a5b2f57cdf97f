// @vitest-environment happy-dom
/** Hooks, Snapwire's client and Snapwire's server, from end to end; and over a stock tRPC client. */
import { act, cleanup, render, renderHook, screen, waitFor } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { afterEach, expect, expectTypeOf, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createLiveProjects, createSnapwireClient, type ProjectView } from "../client/index.ts";
import { pageFrames } from "../client/page-frame.ts";
import { hooksFor, SnapwireProvider, useLiveStatus, useProjectSnapshot } from "../client/react/index.ts";
import type { WorkspaceEntry } from "../src/index.ts";
import { Counted } from "./helpers/react-projects.tsx";
import { serve, stockClient } from "./helpers/served.ts";

afterEach(cleanup);

const retry = { floorMs: 5, capMs: 50 };

function Board({ projectId }: { readonly projectId: string }) {
  const view = useProjectSnapshot(projectId);
  expectTypeOf(view).toEqualTypeOf<ProjectView<WorkspaceEntry>>();
  return (
    <section aria-label={projectId} data-status={view.status}>
      {view.entries.map(({ workspaceId, name }) => (
        <p key={workspaceId}>{name}</p>
      ))}
    </section>
  );
}

const Line = () => <output>{useLiveStatus().status}</output>;

const shown = (projectId: string): HTMLElement => screen.getByLabelText(projectId);

test("a page shows two projects over one connection, follows every change, dims when the server goes and heals when it is back", async () => {
  const first = await serve();
  await first.live.workspaces.upsert("a", { projectId: "p", name: "first" });
  await using client = createSnapwireClient({ url: first.url, retry, WebSocket });
  const { unmount } = render(
    <StrictMode>
      <SnapwireProvider client={client}>
        <Board projectId="p" />
        <Board projectId="q" />
        <Line />
      </SnapwireProvider>
    </StrictMode>,
  );
  await waitFor(() => expect(shown("p").textContent).toBe("first"));
  await waitFor(() => expect(shown("q").dataset.status).toBe("live"));
  expect(first.live.stats().subscriptions).toBe(2);
  await act(async () => {
    await first.live.workspaces.upsert("a", { name: "second" });
    await first.live.workspaces.upsert("z", { projectId: "q", name: "elsewhere" });
  });
  await waitFor(() => expect(shown("p").textContent).toBe("second"));
  await waitFor(() => expect(shown("q").textContent).toBe("elsewhere"));
  await first.live.workspaces.remove("z");
  await waitFor(() => expect(shown("q").textContent).toBe(""));

  const port = Number(new URL(first.url).port);
  await first[Symbol.asyncDispose]();
  await waitFor(() => expect(shown("p").dataset.status).toBe("reconnecting"));
  await waitFor(() => expect(screen.getByRole("status").textContent).toBe("reconnecting"));
  expect(shown("p").textContent).toBe("second");
  await using second = await serve({ port });
  await second.live.workspaces.upsert("a", { projectId: "p", name: "third" });
  await waitFor(() => expect(shown("p").textContent).toBe("third"));
  await waitFor(() => expect(shown("p").dataset.status).toBe("live"));
  unmount();
});

test("over a stock tRPC client, what is mounted is one subscription on the server, and unmounted none", async () => {
  await using served = await serve();
  await using stock = stockClient(served.url);
  using projects = createLiveProjects({ snapshots: stock.trpc.snapshots }, { releaseAfterMs: 1 });
  const wrapper = ({ children }: { readonly children: ReactNode }) => (
    <SnapwireProvider client={projects}>{children}</SnapwireProvider>
  );
  const { useProjectSnapshot: useTyped } = hooksFor<typeof stock.trpc.snapshots>();
  const hooks = [1, 2, 3].map(() =>
    renderHook(
      () => ({ names: useTyped("p", (view) => view.entries.map(({ name }) => name)), line: useLiveStatus() }),
      {
        wrapper,
      },
    ),
  );
  await vi.waitFor(() => expect(served.live.stats().subscriptions).toBe(1));
  await waitFor(() => expect(hooks[0]?.result.current.line.status).toBe("open"));
  await served.live.workspaces.upsert("a", { projectId: "p", name: "here" });
  for (const { result } of hooks) await waitFor(() => expect(result.current.names).toEqual(["here"]));
  for (const { unmount } of hooks) unmount();
  await vi.waitFor(() => expect(served.live.stats().subscriptions).toBe(0));
});

test("a whole tRPC client given as it is, and its sub-router given in a new object each time, are one subscription", async () => {
  await using served = await serve();
  await using stock = stockClient(served.url);
  const page = () => (
    <>
      <SnapwireProvider client={{ snapshots: stock.trpc.snapshots }}>
        <Board projectId="p" />
      </SnapwireProvider>
      <SnapwireProvider client={stock.trpc}>
        <Line />
      </SnapwireProvider>
    </>
  );
  const { rerender } = render(page());
  await waitFor(() => expect(screen.getByRole("status").textContent).toBe("open"));
  rerender(page());
  rerender(page());
  expect(shown("p").dataset.status).toBe("live");
  expect(served.live.stats().fulls.first).toBe(1);
  expect(served.live.stats().subscriptions).toBe(1);
});

test("1,000 changes that arrive as fast as they can are as many commits as frames, and the last one is shown", async () => {
  await using served = await serve();
  await using client = createSnapwireClient({ url: served.url, retry, WebSocket });
  const frames = pageFrames();
  let shownFrames = 0;
  using projects = createLiveProjects(client, {
    schedule: (flush) =>
      frames(() => {
        shownFrames += 1;
        flush();
      }),
  });
  let commits = 0;
  const count = (): void => {
    commits += 1;
  };
  render(
    <SnapwireProvider client={projects}>
      <Counted count={count}>
        <Board projectId="p" />
        <Board projectId="p" />
      </Counted>
    </SnapwireProvider>,
  );
  for (let change = 1; change <= 1_000; change += 1)
    await served.live.workspaces.upsert(`w${change % 10}`, { projectId: "p", name: `change ${change}` });
  await waitFor(() => expect(screen.getAllByText("change 1000")).toHaveLength(2));
  expect(commits - 1).toBeLessThanOrEqual(shownFrames); // one is the mount
  expect(shownFrames).toBeLessThan(500);
  expect(served.live.stats().subscriptions).toBe(1);
});
