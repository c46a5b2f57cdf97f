/** Who may listen to what and publish where, and what becomes of a right that goes away. */
import { describe, expect, test, vi } from "vitest";
import type { EventTargets } from "../src/events/hub.ts";
import type { EventFrame } from "../src/protocol/envelope.ts";
import { little } from "./helpers/hub-watchers.ts";
import { ADMIN, follow, identity, refusalOf, routed } from "./helpers/router-callers.ts";

const VIEWER = identity("viewer", ["a"]);
const PUBLISHER = identity("publisher", ["a"]);

type Service = Awaited<ReturnType<typeof routed>>;

/** Listens until the test aborts it. */
function listen(service: Service, who: Parameters<Service["as"]>[0], target: EventTargets) {
  const abort = new AbortController();
  const caller = service.as(who, { signal: abort.signal });
  return { abort, ...follow<EventFrame>(caller.events.onScope(target)) };
}

const ids = (frames: readonly { readonly data: EventFrame }[]): string[] =>
  frames.map(({ data }) => ("id" in data ? data.id : data.type));

describe("listening", () => {
  const REFUSED: readonly EventTargets[] = [
    { scope: "all" },
    { projectId: "a-b" },
    { workspaceId: "of-another" },
    { workspaceId: "unknown" },
    { sessionId: "unknown" },
    { targets: [{ projectId: "a" }, { projectId: "a-b" }] },
  ];

  test.each(REFUSED)(
    "P5 %j is refused to who may see only project a, and nothing is subscribed",
    async (target) => {
      await using service = await routed();
      await service.workspaces.upsert("of-another", { projectId: "a-b" });
      const refusal = await refusalOf(service.as(VIEWER).events.onScope(target));
      expect(refusal).toMatchObject({ code: "FORBIDDEN" });
      // Where something belongs is for those who may see it.
      if ("workspaceId" in target) expect(refusal.message).not.toContain("a-b");
      expect(service.live.events.feed.size).toBe(0);
      expect(await refusalOf(service.as(VIEWER).events.recent(target))).toMatchObject({ code: "FORBIDDEN" });
    },
  );

  test("P5 not one event of another project, also when its name begins alike", async () => {
    await using service = await routed();
    const { live } = service;
    await service.workspaces.upsert("w", { projectId: "a" });
    const project = listen(service, VIEWER, { projectId: "a" });
    const workspace = listen(service, VIEWER, { workspaceId: "w" });
    await vi.waitFor(() => expect([project.frames.length, workspace.frames.length]).toEqual([1, 1]));
    await live.events.publish(little("1", { projectId: "a-b", workspaceId: "w-2" }));
    await live.events.publish(little("2", { projectId: "a-b", workspaceId: "w" })); // a lie about the workspace
    await live.events.publish(little("3"));
    await live.events.publish(little("4", { workspaceId: "w" }));
    await vi.waitFor(() => expect([project.frames.length, workspace.frames.length]).toEqual([2, 2]));
    expect(ids(project.frames)).toEqual(["connection:status", "4"]);
    expect(ids(workspace.frames)).toEqual(["connection:status", "4"]);
    expect(JSON.stringify([project.frames, workspace.frames])).not.toContain("a-b");
    expect((await service.as(VIEWER).events.recent({ workspaceId: "w" })).events.map(({ id }) => id)).toEqual(
      ["4"],
    );
    project.abort.abort();
    workspace.abort.abort();
  });

  test("P5 ends as revoked when the right is gone, and as moved when a workspace belongs to another project", async () => {
    await using service = await routed({ recheckEveryMs: 5 });
    await service.workspaces.upsert("w", { projectId: "a" });
    const workspace = listen(service, ADMIN, { workspaceId: "w" });
    await vi.waitFor(() => expect(workspace.frames).toHaveLength(1));
    await service.workspaces.upsert("w", { projectId: "a-b" });
    await workspace.over;
    expect(workspace.data().at(-1)).toMatchObject({ type: "connection:ended", payload: { reason: "moved" } });

    const who = { ...VIEWER };
    let now: typeof VIEWER | null = who;
    const abort = new AbortController();
    const caller = service.as(who, { recheck: async () => now, signal: abort.signal });
    const project = follow<EventFrame>(caller.events.onScope({ projectId: "a" }));
    await vi.waitFor(() => expect(project.frames).toHaveLength(1));
    now = null;
    await project.over;
    expect(project.data().at(-1)).toMatchObject({ type: "connection:ended", payload: { reason: "revoked" } });
    expect(service.live.events.feed.size).toBe(0);
  });

  const MALFORMED: readonly unknown[] = [
    {},
    { scope: "project" },
    { projectId: "a", workspaceId: "w" },
    { projectId: "a", targets: [{ projectId: "a" }] },
    { targets: [] },
    { targets: Array.from({ length: 65 }, (_, n) => ({ projectId: `${n}` })) },
    { targets: [{ projectId: "a", sessionId: "s" }] },
    { projectId: "" },
    { projectId: "a", types: [] },
    { projectId: "a", types: ["stream:creatd"] },
    { projectId: "a", project: "b" },
    { projectId: 7 },
  ];

  test.each(MALFORMED)("P10 %j is no target: BAD_REQUEST", async (input) => {
    await using service = await routed();
    expect(await refusalOf(service.as(ADMIN).events.onScope(input as never))).toMatchObject({
      code: "BAD_REQUEST",
    });
    expect(service.live.events.feed.size).toBe(0);
  });
});

describe("publishing", () => {
  test("needs the right to write where the event goes, and to everything for one that belongs nowhere", async () => {
    await using service = await routed();
    await service.workspaces.upsert("w", { projectId: "a" });
    await service.workspaces.upsert("x", { projectId: "a-b" });
    const { events } = service.as(PUBLISHER);
    await events.publish(little("1", { projectId: "a" }));
    await events.publish(little("2", { workspaceId: "w" }));
    for (const refused of [
      little("3"),
      little("4", { projectId: "a-b" }),
      little("5", { workspaceId: "x" }),
    ]) {
      const { code, message } = await refusalOf(events.publish(refused));
      expect(code).toBe("FORBIDDEN");
      expect(message).not.toContain("a-b");
      expect(
        await refusalOf(events.ingest({ events: [little("0", { projectId: "a" }), refused] })),
      ).toMatchObject({
        code: "FORBIDDEN",
      });
    }
    expect(await refusalOf(service.as(VIEWER).events.publish(little("6", { projectId: "a" })))).toMatchObject(
      {
        code: "FORBIDDEN",
      },
    );
    expect(await refusalOf(service.as(null).events.publish({} as never))).toMatchObject({
      code: "UNAUTHORIZED",
    });
    await service.as(ADMIN).events.publish(little("7"));
    const { events: stored } = service.live.events.recent({ scope: "all" });
    expect(stored.map(({ id, projectId }) => [id, projectId])).toEqual([
      ["1", "a"],
      ["2", "a"],
      ["7", undefined],
    ]);
  });

  test("answers what is wrong as BAD_REQUEST, and stores nothing of a batch", async () => {
    await using service = await routed();
    const { events } = service.as(ADMIN);
    const wrong: readonly unknown[] = [
      { type: "stream:created" },
      { type: "stream:creatd", payload: {} },
      { type: "connection:status", payload: {} },
      { payload: {} },
      little("with blank"),
      { ...little("x"), timestamp: "now" },
      { ...little("x"), projectId: "" },
    ];
    for (const event of wrong) {
      expect(await refusalOf(events.publish(event as never))).toMatchObject({
        code: "BAD_REQUEST",
        reason: "invalid-input",
      });
      expect(await refusalOf(events.ingest({ events: [little("ok"), event as never] }))).toMatchObject({
        code: "BAD_REQUEST",
      });
    }
    const many = Array.from({ length: 501 }, (_, n) => little(`${n}`));
    expect(await refusalOf(events.ingest({ events: many }))).toMatchObject({ code: "BAD_REQUEST" });
    expect(service.live.events.log.size).toBe(0);
  });

  test("ingest counts what was stored and what was known, within a batch too", async () => {
    await using service = await routed();
    const { events } = service.as(ADMIN);
    const listener = listen(service, ADMIN, { scope: "all" });
    await vi.waitFor(() => expect(listener.frames).toHaveLength(1));
    const batch = [little("a"), little("b"), little("a")];
    expect(await events.ingest({ events: batch })).toEqual({ ingested: 2, duplicates: 1 });
    expect(await events.ingest({ events: [...batch, little("c")] })).toEqual({ ingested: 1, duplicates: 3 });
    await vi.waitFor(() => expect(ids(listener.frames)).toEqual(["connection:status", "a", "b", "c"]));
    expect(service.live.events.stats()).toMatchObject({ published: 3, duplicates: 4, retained: 3 });
    listener.abort.abort();
  });

  test("after a stop is refused, twice stopped or not", async () => {
    const service = await routed();
    const listener = listen(service, ADMIN, { scope: "all" });
    await vi.waitFor(() => expect(listener.frames).toHaveLength(1));
    const inFlight = service.live.events.publish(little("a"));
    await Promise.all([service.live.stop(), service.live.stop()]);
    await listener.over;
    await expect(service.live.events.publish(little("b"))).rejects.toMatchObject({ reason: "unavailable" });
    expect(await refusalOf(service.as(ADMIN).events.publish(little("c")))).toMatchObject({
      code: "SERVICE_UNAVAILABLE",
    });
    expect(() => service.live.events.recent({ scope: "all" })).toThrow("not running");
    await inFlight;
  });
});
