/** A live project as a collection: what is written, what is shown meanwhile, and what is left. */
import { createCollection, createLiveQueryCollection, eq } from "@tanstack/db";
import { expect, expectTypeOf, test, vi } from "vitest";
import { createLiveProjects, createSnapwireClient } from "../client/index.ts";
import { SnapshotError, snapshotCollection } from "../client/tanstack-db/index.ts";
import { FakeSnapshots, trpcError } from "./helpers/client-fakes.ts";
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
import { serve } from "./helpers/served.ts";

function setup() {
  const snapshots = new FakeSnapshots();
  const frames = new FakeFrames();
  const projects = createLiveProjects({ snapshots }, { schedule: frames.schedule, releaseAfterMs: 0 });
  const collection = createCollection(snapshotCollection({ client: projects, projectId: "p" }));
  /** Every change that the collection told of, as `type key`; one list per transaction. */
  const told: string[][] = [];
  const sizes: number[] = [];
  const subscription = collection.subscribeChanges((changes) => {
    told.push(changes.map(({ type, key }) => `${type} ${key}`));
    sizes.push(collection.size);
  });
  const turn = async (what: () => void): Promise<void> => {
    what();
    await Promise.resolve();
    frames.next();
  };
  return {
    snapshots,
    projects,
    collection,
    told,
    sizes,
    subscription,
    deliver: (...delivered: readonly TestFrame[]) => turn(() => snapshots.current.deliver(...delivered)),
    refuse: (code: string) => turn(() => snapshots.current.callbacks.onError(trpcError(code))),
  };
}

test("the first view makes the collection ready, and every change after it is one transaction", async () => {
  const { collection, deliver, told } = setup();
  expectTypeOf(collection.toArray).toExtend<TestEntry[]>();
  expect(collection.status).toBe("loading");
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  expect(collection.status).toBe("ready");
  expect(collection.toArray.map(({ name }) => name)).toEqual(["a at 1", "b at 1"]);
  told.length = 0;
  await deliver(changed(2, "b"), changed(3, "c"), removed(4, "a"), changed(5, "b"));
  expect(told).toHaveLength(1);
  expect(new Set(told[0])).toEqual(new Set(["delete a", "update b", "insert c"]));
  expect(collection.get("b")?.name).toBe("b at 5");
});

test("an empty project is ready", async () => {
  const { collection, deliver } = setup();
  await deliver(full(1, []));
  expect([collection.status, collection.size]).toEqual(["ready", 0]);
});

test("a whole new snapshot never shows the collection empty, and writes only what is different", async () => {
  const { collection, deliver, told, sizes } = setup();
  await deliver(full(1, [entry("a", 1), entry("b", 1), entry("c", 1)]));
  const a = collection.get("a");
  told.length = 0;
  sizes.length = 0;
  await deliver(
    full(4, [entry("a", 1), entry("b", 2), entry("z", 4)], { tag: OTHER_TAG, reason: "epoch-changed" }),
  );
  expect(told).toHaveLength(1);
  expect(new Set(told[0])).toEqual(new Set(["update b", "delete c", "insert z"]));
  expect(sizes).toEqual([3]);
  expect(collection.get("a")).toBe(a);
  told.length = 0;
  await deliver(
    full(9, [entry("a", 1), entry("b", 2), entry("z", 4)], { tag: OTHER_TAG, reason: "trimmed" }),
  );
  expect(told).toEqual([]);
});

test("a row that did not change is the same object", async () => {
  const { collection, deliver } = setup();
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  const a = collection.get("a");
  await deliver(changed(2, "b"));
  expect(collection.get("a")).toBe(a);
});

test("live queries follow", async () => {
  const { collection, deliver } = setup();
  const named = createLiveQueryCollection((q) =>
    q.from({ entry: collection }).where(({ entry: row }) => eq(row.name, "wanted")),
  );
  const subscription = named.subscribeChanges(() => {});
  await deliver(full(1, [entry("a", 1, "wanted"), entry("b", 1)]));
  expect(named.toArray.map(({ workspaceId }) => workspaceId)).toEqual(["a"]);
  await deliver(changed(2, "b", { name: "wanted" }), removed(3, "a"));
  expect(named.toArray.map(({ workspaceId }) => workspaceId)).toEqual(["b"]);
  subscription.unsubscribe();
});

test("a project that is refused before it was loaded is an error, and comes back on demand", async () => {
  const { collection, deliver, refuse } = setup();
  const loaded = collection.preload();
  await refuse("FORBIDDEN");
  await expect(loaded).rejects.toThrow(SnapshotError);
  expect(collection.status).toBe("error");
  collection.utils.retry();
  await deliver(full(1, [entry("a", 1)]));
  expect([collection.status, collection.size]).toEqual(["ready", 1]);
});

test("after it was loaded the rows stay through everything, and the view says how fresh they are", async () => {
  const { snapshots, collection, deliver, refuse } = setup();
  await deliver(full(1, [entry("a", 1)]));
  const seen: string[] = [];
  const leave = collection.utils.onView(() => void seen.push(collection.utils.getView().status));
  await refuse("UNAUTHORIZED");
  expect([collection.status, collection.size]).toEqual(["ready", 1]);
  collection.utils.retry();
  await deliver(resumed(1));
  expect(seen).toEqual(["denied", "reconnecting", "live"]);
  leave();
  expect(snapshots.open).toBe(1);
});

test("a collection that is cleaned up leaves no subscription, and starts anew with what is there by then", async () => {
  const { snapshots, projects, collection, subscription, deliver } = setup();
  await deliver(full(1, [entry("a", 1), entry("b", 1)]));
  subscription.unsubscribe();
  await collection.cleanup();
  expect([snapshots.open, projects.size]).toEqual([0, 0]);
  const again = collection.subscribeChanges(() => {});
  await deliver(full(5, [entry("b", 5)]));
  expect(collection.toArray.map(({ name }) => name)).toEqual(["b at 5"]);
  again.unsubscribe();
  await collection.cleanup();
});

test("from a server's store into a live query, and back to nothing", async () => {
  await using served = await serve();
  await served.live.workspaces.upsert("a", { projectId: "p", name: "first" });
  await using client = createSnapwireClient({ url: served.url });
  using projects = createLiveProjects(client, { releaseAfterMs: 0 });
  const collection = createCollection(snapshotCollection({ client: projects, projectId: "p" }));
  await collection.preload();
  expect(collection.get("a")?.name).toBe("first");
  const subscription = collection.subscribeChanges(() => {});
  await served.live.workspaces.upsert("a", { name: "second" });
  await served.live.workspaces.upsert("b", { projectId: "p", name: "new" });
  await vi.waitFor(() => expect(collection.toArray.map(({ name }) => name)).toEqual(["second", "new"]));
  await served.live.workspaces.remove("a");
  await vi.waitFor(() => expect(collection.has("a")).toBe(false));
  subscription.unsubscribe();
  await collection.cleanup();
  await vi.waitFor(() => expect(served.live.stats().subscriptions).toBe(0));
});
