/** `snapshots.onProject` by createCaller: how it begins, goes on, resumes and ends. */
import { describe, expect, test, vi } from "vitest";
import type { Journal, SnapwireConnection } from "../src/index.ts";
import { unwrap } from "../src/testing.ts";
import {
  ADMIN,
  follow,
  leftovers,
  NOTHING_LEFT,
  refusalOf,
  routed,
  subscribed,
  worded,
} from "./helpers/router-callers.ts";
import { countedJournal, latch } from "./helpers/store-parts.ts";
import { until } from "./helpers/store-until.ts";

const P = "project";

test("a subscriber gets the full first, then each change and removal, at ascending positions", async () => {
  await using service = await routed();
  const { workspaces } = service;
  await workspaces.upsert("w", { projectId: P, name: "before" });
  const { data, frames, abort, over } = subscribed(service);
  await until(() => expect(worded(data())).toEqual(["full first w"]));
  await workspaces.upsert("w", { name: "after" });
  await workspaces.upsert("v", { projectId: P });
  await workspaces.remove("w");
  await until(() => expect(worded(data()).slice(1).at(-1)).toBe("removed w"));
  const sequences = frames.map(({ id }) => Number(id.split(".")[1]));
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  expect(new Set(frames.map(({ id }) => id)).size, "each with an id of its own").toBe(frames.length);
  abort.abort();
  await over;
  expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
});

test("a change carries the whole entry, the very object that the store shows", async () => {
  await using service = await routed();
  const { data, abort } = subscribed(service);
  await until(() => expect(data()).toHaveLength(1));
  await service.workspaces.upsert("w", { projectId: P, name: "whole" });
  await until(() => expect(data()).toHaveLength(2));
  const [, changed] = data();
  expect(changed?.type === "snapshot_changed" && changed.entry).toBe(
    service.workspaces.getByWorkspaceId("w"),
  );
  abort.abort();
});

test("a project that has no workspace yet is an empty, live full", async () => {
  await using service = await routed();
  const { data, abort } = subscribed(service);
  await until(() =>
    expect(data()).toEqual([
      { type: "snapshot_full", projectId: P, entries: [], reason: "first", complete: true },
    ]),
  );
  await service.workspaces.upsert("w", { projectId: P });
  await until(() => expect(worded(data()).at(-1)).toBe("changed w"));
  abort.abort();
});

test("M8 a client's cache is patched by deltas, without asking again", async () => {
  await using service = await routed();
  const { workspaces } = service;
  for (const id of ["a", "b", "c"]) await workspaces.upsert(id, { projectId: P });
  const asked = vi.spyOn(workspaces, "getByProjectId");
  const cache = new Map<string, { name: string }>();
  const abort = new AbortController();
  const caller = service.as(ADMIN, { signal: abort.signal });
  const untouched: unknown[] = [];
  const patching = (async () => {
    for await (const { data } of unwrap(caller.snapshots.onProject({ projectId: P }))) {
      if (data.type === "snapshot_full") {
        for (const entry of data.entries) cache.set(entry.workspaceId, entry);
        untouched.push(cache.get("c"));
      }
      if (data.type === "snapshot_changed") cache.set(data.workspaceId, data.entry);
      if (data.type === "snapshot_removed") cache.delete(data.workspaceId);
    }
  })();
  await until(() => expect([...cache.keys()]).toEqual(["a", "b", "c"]));
  await workspaces.upsert("a", { name: "patched" });
  await workspaces.remove("b");
  await workspaces.upsert("d", { projectId: P });
  await until(() => expect(new Set(cache.keys())).toEqual(new Set(["a", "c", "d"])));
  expect(cache.get("a")?.name).toBe("patched");
  expect(cache.get("c"), "what did not change is the same object").toBe(untouched[0]);
  expect(asked).not.toHaveBeenCalled();
  abort.abort();
  await patching;
});

describe("P6 a resume", () => {
  test("P6 gets what was missed, each key once with its newest value", async () => {
    await using service = await routed();
    const { workspaces } = service;
    for (const id of ["a", "b", "c"]) await workspaces.upsert(id, { projectId: P });
    const first = subscribed(service);
    await until(() => expect(first.data()).toHaveLength(1));
    first.abort.abort();
    await first.over;
    for (const name of ["1", "2", "3"]) await workspaces.upsert("a", { name });
    await workspaces.remove("b");
    const again = subscribed(service, { lastEventId: first.lastId() ?? "" });
    await until(() => expect(worded(again.data())).toEqual(["resumed 2", "changed a", "removed b"]));
    const [, a] = again.data();
    expect(a?.type === "snapshot_changed" && a.entry.name).toBe("3");
    again.abort.abort();
  });

  test("P6 works twice in a row with zero frames in between, and from every position that was ever told", async () => {
    await using service = await routed();
    const { workspaces } = service;
    const first = subscribed(service);
    await until(() => expect(first.data()).toHaveLength(1));
    for (const name of ["1", "2", "3"]) {
      await workspaces.upsert("a", { projectId: P, name });
      await until(() => expect(worded(first.data()).at(-1)).toBe("changed a"));
    }
    first.abort.abort();
    await first.over;
    let at = first.lastId() ?? "";
    for (let i = 0; i < 3; i += 1) {
      const again = subscribed(service, { lastEventId: at });
      await until(() => expect(worded(again.data())).toEqual(["resumed 0"]));
      at = again.lastId() ?? "";
      again.abort.abort();
      await again.over;
    }
    for (const { id } of first.frames) {
      const again = subscribed(service, { lastEventId: id });
      await until(() => expect(again.data().length).toBeGreaterThan(0));
      expect(worded(again.data())[0], id).toMatch(/^resumed [01]$/);
      again.abort.abort();
      await again.over;
    }
  });

  test.each([
    ["of nonsense", "nonsense", "full invalid"],
    ["of an empty text", "", "full invalid"],
    ["of another life of the order", "AAAAAAAAAAAA.1", "full epoch-changed"],
    ["with a number that is no sequence", "AAAAAAAAAAAA.01", "full invalid"],
  ])("from a position %s is answered with a full that says why", async (_what, lastEventId, words) => {
    await using service = await routed();
    const { data, abort } = subscribed(service, { lastEventId });
    await until(() => expect(worded(data())).toEqual([words]));
    abort.abort();
  });

  test("P5 from a position of another project is answered with a full of the own one", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    await service.workspaces.upsert("secret", { projectId: "other" });
    const elsewhere = subscribed(service, { projectId: "other" });
    await until(() => expect(elsewhere.data()).toHaveLength(1));
    const here = subscribed(service, { lastEventId: elsewhere.lastId() ?? "" });
    await until(() => expect(worded(here.data())).toEqual(["full epoch-changed w"]));
    elsewhere.abort.abort();
    here.abort.abort();
  });

  test("from a position above what anybody knows is answered with a full that says so", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const first = subscribed(service);
    await until(() => expect(first.data()).toHaveLength(1));
    const [tag] = (first.lastId() ?? "").split(".");
    first.abort.abort();
    const again = subscribed(service, { lastEventId: `${tag}.1000` });
    await until(() => expect(worded(again.data())).toEqual(["full ahead w"]));
    again.abort.abort();
  });
});

describe("a position that another node told and this one has not reached", () => {
  /** The engine knows of more than this node was given. */
  function aheadOfThisNode(): Journal {
    const { journal } = countedJournal();
    return { ...journal, log: (name) => ({ ...journal.log(name), head: async () => 1_000 }) };
  }

  async function waiting(connection?: SnapwireConnection) {
    const service = await routed({ journal: aheadOfThisNode(), behindWaitMs: 5 });
    const abort = new AbortController();
    await service.workspaces.upsert("w", { projectId: P });
    const tag = service.workspaces.collection.tagOf(P);
    const caller = service.as(ADMIN, { signal: abort.signal, ...(connection ? { connection } : {}) });
    const followed = follow(caller.snapshots.onProject({ projectId: P, lastEventId: `${tag}.500` }));
    return { service, abort, ...followed, [Symbol.asyncDispose]: () => service.live.stop() };
  }

  test("is never answered with older state: without a connection the caller is told to try again", async () => {
    await using behind = await waiting();
    expect(await refusalOf(behind.over)).toMatchObject({ code: "SERVICE_UNAVAILABLE", reason: "behind" });
    expect(behind.frames).toEqual([]);
    expect(leftovers(behind.service.live)).toEqual(NOTHING_LEFT);
  });

  test("sends the connection to another node, and is no error that would end a stock subscription", async () => {
    const tryElsewhere = vi.fn();
    await using behind = await waiting({
      claim: () => undefined,
      release: () => undefined,
      tryElsewhere,
    });
    await until(() => expect(tryElsewhere).toHaveBeenCalledOnce());
    behind.abort.abort();
    await behind.over;
    expect(behind.frames).toEqual([]);
    expect(leftovers(behind.service.live)).toEqual(NOTHING_LEFT);
  });
});

describe("P4 a connection without room", () => {
  test("holds its cursor back, then gets each changed key once, and gives the room back each time", async () => {
    await using service = await routed();
    const { workspaces } = service;
    const room = latch();
    let full = false;
    let claims = 0;
    const connection: SnapwireConnection = {
      claim: () => {
        if (full) return room.promise;
        claims += 1;
        return undefined;
      },
      release: () => {
        claims -= 1;
      },
      tryElsewhere: () => undefined,
    };
    const abort = new AbortController();
    const caller = service.as(ADMIN, { signal: abort.signal, connection });
    const { data, over } = follow(caller.snapshots.onProject({ projectId: P }));
    await until(() => expect(data()).toHaveLength(1));
    full = true;
    for (let i = 0; i < 50; i += 1) await workspaces.upsert(`w${i % 2}`, { projectId: P, prNumber: i });
    expect(data()).toHaveLength(1);
    full = false;
    room.open();
    await until(() => expect(worded(data()).slice(1)).toEqual(["changed w0", "changed w1"]));
    expect(service.live.stats().conflated).toBe(48);
    abort.abort();
    await over;
    expect(claims).toBe(0);
  });

  test("that never comes does not keep a subscriber that leaves", async () => {
    await using service = await routed();
    const abort = new AbortController();
    const connection: SnapwireConnection = {
      claim: () => new Promise(() => undefined),
      release: () => undefined,
      tryElsewhere: () => undefined,
    };
    const { over } = follow(
      service.as(ADMIN, { signal: abort.signal, connection }).snapshots.onProject({ projectId: P }),
    );
    await until(() => expect(service.live.feed.size).toBe(1));
    abort.abort();
    await over;
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
  });
});
