// @vitest-environment happy-dom
/** What a page is told about its line, over a client that knows it and over one that does not. */
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { createLiveProjects } from "../client/live-projects.ts";
import { useLiveStatus } from "../client/react/index.ts";
import { FakeSnapshots, trpcError } from "./helpers/client-fakes.ts";
import { changed, full } from "./helpers/client-frames.ts";
import { fakeProjects, inProvider } from "./helpers/react-projects.tsx";

afterEach(cleanup);

function watching(...projectIds: readonly string[]) {
  const fake = fakeProjects({ releaseAfterMs: 0 });
  const { result } = renderHook(() => useLiveStatus(), { wrapper: inProvider(fake) });
  const leave = projectIds.map((projectId) => fake.projects.project(projectId).subscribe(() => {}));
  const tell = (what: () => void): Promise<void> =>
    act(async () => {
      what();
      await Promise.resolve();
    });
  const [first, second] = fake.snapshots.subscriptions;
  if (!first) throw new Error("nothing is watched");
  return { ...fake, result, tell, leave, first, second };
}

const lost = { state: "connecting", error: new Error("gone") };

test("without a connection of its own it is read from the projects: the best news proves the line", async () => {
  const { result, tell, first, second } = watching("p", "q");
  expect(result.current.status).toBe("connecting");
  await tell(() => first.deliver(full(1, [])));
  expect(result.current).toEqual({ status: "open", reason: undefined, detail: undefined });
  await tell(() => first.callbacks.onConnectionStateChange(lost));
  expect(result.current.status).toBe("connecting"); // the other one has not failed yet
  await tell(() => second?.callbacks.onConnectionStateChange(lost));
  await tell(() => second?.deliver(full(1, [])));
  expect(result.current.status).toBe("open");
  await tell(() => second?.callbacks.onConnectionStateChange(lost));
  expect(result.current).toEqual({ status: "reconnecting", reason: "connection-lost", detail: "gone" });
});

test("no network is told, and so is its return", async () => {
  const { result, tell, first, page } = watching("p");
  await tell(() => first.deliver(full(1, [])));
  await tell(() => first.callbacks.onConnectionStateChange(lost));
  await tell(() => page.setOnline(false));
  expect(result.current.status).toBe("offline");
  await tell(() => page.setOnline(true));
  expect(result.current.status).toBe("reconnecting");
});

test("a refusal is an answer: the line is open", async () => {
  const { result, tell, first } = watching("p");
  await tell(() => first.callbacks.onError(trpcError("FORBIDDEN")));
  expect(result.current.status).toBe("open");
});

test("a client that was closed is told as closed, and when nobody watches nothing is known", async () => {
  const { result, tell, first, leave } = watching("p");
  await tell(() => first.callbacks.onComplete());
  expect(result.current).toMatchObject({ status: "closed", reason: "client-closed" });
  await tell(() => {
    for (const each of leave) each();
  });
  expect(result.current.status).toBe("connecting");
});

test("it renders only when the line changes, not when data comes", async () => {
  const fake = fakeProjects();
  let renders = 0;
  renderHook(
    () => {
      renders += 1;
      return useLiveStatus();
    },
    { wrapper: inProvider(fake) },
  );
  fake.projects.project("p").subscribe(() => {});
  await fake.deliver(full(1, []));
  renders = 0;
  await fake.deliver(changed(2, "a"));
  expect(renders).toBe(0);
});

test("two sets of live projects over one client have their own subscriptions, and end apart", () => {
  const snapshots = new FakeSnapshots();
  const [one, other] = [createLiveProjects({ snapshots }), createLiveProjects({ snapshots })];
  one.project("p").subscribe(() => {});
  other.project("p").subscribe(() => {});
  expect(snapshots.open).toBe(2);
  one.close();
  one.close();
  expect([snapshots.open, one.size, other.size]).toEqual([1, 0, 1]);
  const leave = one.project("p").subscribe(() => {}); // and may be used again
  expect(one.size).toBe(1);
  leave();
  leave();
  one.close();
  other.close();
  expect(snapshots.open).toBe(0);
});
