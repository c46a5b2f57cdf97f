import { describe, expect, test, vi } from "vitest";
import {
  ADMIN,
  follow,
  identity,
  leftovers,
  NOTHING_LEFT,
  refusalOf,
  routed,
} from "./helpers/router-callers.ts";
import { until } from "./helpers/store-until.ts";

const P = "project";

describe("what is asked for", () => {
  test("byProject answers the entries and the position at which they were cut: a subscriber goes on from there", async () => {
    await using service = await routed();
    const caller = service.as(ADMIN);
    await caller.snapshots.upsert({ workspaceId: "w", projectId: P });
    const { position, entries, complete } = await caller.snapshots.byProject({ projectId: P });
    expect([entries.map(({ workspaceId }) => workspaceId), complete]).toEqual([["w"], true]);
    await caller.snapshots.upsert({ workspaceId: "v", projectId: P });
    const abort = new AbortController();
    const { data } = follow(
      service
        .as(ADMIN, { signal: abort.signal })
        .snapshots.onProject({ projectId: P, lastEventId: position }),
    );
    await until(() =>
      expect(data()).toMatchObject([
        { type: "snapshot_resumed", missed: 1 },
        { type: "snapshot_changed", workspaceId: "v" },
      ]),
    );
    abort.abort();
  });

  test("byProject of a project that nobody knows is empty", async () => {
    await using service = await routed();
    expect(await service.as(ADMIN).snapshots.byProject({ projectId: "unknown" })).toMatchObject({
      entries: [],
      complete: true,
    });
  });

  test("byProject shows the own write when it is asked for at least its position", async () => {
    await using service = await routed();
    const caller = service.as(ADMIN);
    const { position } = await caller.snapshots.upsert({ workspaceId: "w", projectId: P });
    const { entries } = await caller.snapshots.byProject({
      projectId: P,
      ...(position && { atLeast: position }),
    });
    expect(entries).toHaveLength(1);
  });

  test("byProject at a position of another life, or of another project, has nothing to wait for", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    const asked = service.as(ADMIN).snapshots.byProject({ projectId: P, atLeast: "AAAAAAAAAAAA.1000" });
    expect((await asked).entries).toHaveLength(1);
  });

  test("byProject at a position that this node does not reach in time is refused as behind", async () => {
    await using service = await routed();
    const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(AbortSignal.abort());
    const atLeast = `${service.workspaces.collection.tagOf(P)}.1000`;
    const attempt = service.as(ADMIN).snapshots.byProject({ projectId: P, atLeast });
    expect(await refusalOf(attempt)).toMatchObject({ code: "SERVICE_UNAVAILABLE", reason: "behind" });
    expect(timeout).toHaveBeenCalledWith(10_000);
    timeout.mockRestore();
  });

  test("byWorkspace answers the entry and a position, null for what is gone or hidden", async () => {
    await using service = await routed();
    const caller = service.as(ADMIN);
    await caller.snapshots.upsert({ workspaceId: "w", projectId: P, name: "here" });
    const found = await caller.snapshots.byWorkspace({ workspaceId: "w" });
    expect(found).toMatchObject({ entry: { name: "here" }, position: expect.stringMatching(/^.{12}\.1$/) });
    await caller.snapshots.upsert({ workspaceId: "w", status: "ARCHIVING" });
    expect(await caller.snapshots.byWorkspace({ workspaceId: "w" })).toBeNull();
    await caller.snapshots.remove({ workspaceId: "w" });
    expect(await caller.snapshots.byWorkspace({ workspaceId: "w" })).toBeNull();
  });

  test("projects answers and onProjects tells which projects there are, each time that changes", async () => {
    await using service = await routed();
    const abort = new AbortController();
    const { data, frames, over } = follow(service.as(ADMIN, { signal: abort.signal }).snapshots.onProjects());
    await until(() => expect(data()).toEqual([{ type: "projects", projects: [] }]));
    await service.workspaces.upsert("w", { projectId: "b" });
    await until(() => expect(data().at(-1)?.projects).toEqual(["b"]));
    await service.workspaces.upsert("w", { name: "no news of projects" });
    await service.workspaces.upsert("v", { projectId: "a" });
    await until(() => expect(data().at(-1)?.projects).toEqual(["a", "b"]));
    await service.workspaces.remove("w");
    await until(() => expect(data().at(-1)?.projects).toEqual(["a"]));
    expect(data()).toHaveLength(4);
    expect(new Set(frames.map(({ id }) => id)).size).toBe(4);
    expect(await service.as(ADMIN).snapshots.projects()).toEqual({ projects: ["a"] });
    abort.abort();
    await over;
    expect(leftovers(service.live)).toEqual(NOTHING_LEFT);
  });

  test("onProjects that is resumed begins with the whole list", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    for (const lastEventId of ["nonsense", "AAAAAAAAAAAA.7", null]) {
      const abort = new AbortController();
      const { data } = follow(
        service.as(ADMIN, { signal: abort.signal }).snapshots.onProjects({ lastEventId }),
      );
      await until(() => expect(data()).toEqual([{ type: "projects", projects: [P] }]));
      abort.abort();
    }
  });

  test("stats count what there is", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: P });
    await service.workspaces.upsert("gone", { projectId: P });
    await service.workspaces.remove("gone");
    expect(await service.as(ADMIN).system.stats()).toMatchObject({
      sockets: 0,
      subscriptions: 0,
      projects: 1,
      workspaces: 1,
      tombstones: 1,
    });
  });
});

describe("what is written", () => {
  test("is answered with what came of it", async () => {
    await using service = await routed();
    const caller = service.as(identity("publisher", [P]));
    const first = await caller.snapshots.upsert({
      workspaceId: "w",
      projectId: P,
      source: "ci-bot",
      name: "a",
    });
    expect(first).toEqual({ accepted: true, changed: true, version: 1, position: expect.any(String) });
    expect(service.workspaces.getByWorkspaceId("w")).toMatchObject({ source: "event:ci-bot", name: "a" });
    const equal = await caller.snapshots.upsert({ workspaceId: "w", name: "a" });
    expect(equal).toMatchObject({ accepted: true, changed: false, version: 1 });
    const late = await caller.snapshots.upsert({ workspaceId: "w", name: "b", observedAt: 1 });
    expect(late).toMatchObject({ accepted: false, changed: false });
    expect(await caller.snapshots.remove({ workspaceId: "w", observedAt: 1 })).toMatchObject({
      accepted: false,
    });
    expect(await caller.snapshots.remove({ workspaceId: "w" })).toMatchObject({ changed: true, version: 2 });
    expect(await caller.snapshots.remove({ workspaceId: "w" })).toMatchObject({ changed: false });
  });

  test("may clear a field by null and leave it by saying nothing", async () => {
    await using service = await routed();
    const caller = service.as(ADMIN);
    await caller.snapshots.upsert({ workspaceId: "w", projectId: P, prUrl: "https://example.com/1" });
    await caller.snapshots.upsert({ workspaceId: "w", name: "x" });
    expect(service.workspaces.getByWorkspaceId("w")?.prUrl).toBe("https://example.com/1");
    await caller.snapshots.upsert({ workspaceId: "w", prUrl: null });
    expect(service.workspaces.getByWorkspaceId("w")?.prUrl).toBeNull();
  });
});
