/** What may be published: types, payloads, ids, a host's own; and what a publisher is told when it may not. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createBroadcaster } from "../src/events/broadcaster.ts";
import { MAX_PAYLOAD_BYTES } from "../src/events/plain-json.ts";
import { EVENT_SCHEMAS } from "../src/events/schemas.ts";
import { defineEvents, EventTypes } from "../src/events/types.ts";
import { createUlid } from "../src/events/ulid.ts";
import { silentLogger } from "../src/log.ts";
import { type EventFrame, isHubEvent, readEventFrame } from "../src/protocol/envelope.ts";
import {
  activity,
  artifactCreated,
  projectRegistered,
  remoteUpdate,
  sessionUpdate,
  streamArchived,
  streamCreated,
  streamPhaseChanged,
  streamUpdated,
  subagentUpdate,
  teamUpdate,
} from "../src/protocol/event-builders.ts";
import { ACTIVITY_TYPES } from "../src/protocol/event-types.ts";
import { hubBench, listening, little } from "./helpers/hub-watchers.ts";

const STREAM = { projectId: "p", streamId: "s" };

describe("a payload", () => {
  const WRONG: readonly (readonly [string, unknown, string])[] = [
    ["stream:created", { ...STREAM }, "name"],
    ["stream:created", { ...STREAM, name: "n", extra: 1 }, "extra"],
    ["stream:created", { stream_id: "s", projectId: "p", name: "n" }, "streamId"],
    ["stream:archived", { ...STREAM, outcome: "gone" }, "outcome"],
    ["stream:phase-changed", { ...STREAM, phase: "planning", artifacts: null }, "artifacts"],
    ["stream:phase-changed", { ...STREAM, phase: "later", artifacts: [] }, "phase"],
    ["session.update", { sessionId: "s", lifecycle: "unknown" }, "lifecycle"],
    [
      "session.update",
      { sessionId: "s", lifecycle: "ended", stats: { totalMessages: -1 } },
      "stats.totalMessages",
    ],
    ["team.update", { teamName: "t", memberCount: 1.5 }, "memberCount"],
    [
      "subagent.update",
      { sessionId: "s", subagent: { agentId: "a", agentType: "t", status: "idle" } },
      "status",
    ],
    ["git.commit", { deviceId: "d" }, "data"],
    ["git.commit", "text", "object"],
    ["git.commit", undefined, "object"],
  ];

  test.each(WRONG)("of %s that is %j is refused, and the message names %s", async (type, payload, what) => {
    const { hub } = await hubBench();
    await expect(hub.publish({ type, payload } as never)).rejects.toMatchObject({
      reason: "invalid-input",
      message: expect.stringContaining(what),
    });
    expect(hub.log.size).toBe(0);
  });

  test("P10 with a key that serialisers refuse, too deep, too large, or no JSON at all is refused on the way in", async () => {
    const { hub } = await hubBench();
    let deep: object = {};
    for (let n = 0; n < 100_000; n += 1) deep = { deep };
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    const bad: readonly (readonly [unknown, string])[] = [
      [JSON.parse('{"__proto__":{"x":1}}'), "__proto__"],
      [{ a: [{ constructor: 1 }] }, "constructor"],
      [{ prototype: {} }, "prototype"],
      [deep, "nested"],
      [cyclic, "nested"],
      [{ big: 1n }, ""],
      [{ text: "x".repeat(MAX_PAYLOAD_BYTES) }, `${MAX_PAYLOAD_BYTES}`],
    ];
    for (const [data, what] of bad) {
      await expect(
        hub.publish({ type: "skill.invoke", payload: { deviceId: "d", data } } as never),
      ).rejects.toMatchObject({ reason: "invalid-input", message: expect.stringContaining(what) });
    }
    await hub.publish(little("fine"));
    expect(hub.log.size).toBe(1);
  });

  test("is what it was: nobody changes it afterwards, and what says nothing is left out", async () => {
    const { hub } = await hubBench();
    const changes: Record<string, string | undefined> = { name: "n", gone: undefined };
    await hub.publish(streamUpdated({ ...STREAM, changes: changes as never }));
    changes.name = "other";
    const [event] = hub.recent({ scope: "all" }).events;
    expect(event?.payload).toEqual({ ...STREAM, changes: { name: "n" } });
    expect(Object.isFrozen(event)).toBe(true);
    expect(() => Object.assign((event as { payload: object }).payload, { x: 1 })).toThrow();
  });

  test("and its envelope speak of the same project, workspace and session", async () => {
    const { hub } = await hubBench();
    await expect(
      hub.publish({ ...streamCreated({ ...STREAM, name: "n" }), projectId: "q" }),
    ).rejects.toMatchObject({ reason: "invalid-input", message: expect.stringContaining("projectId") });
    await hub.publish(
      subagentUpdate({
        sessionId: "s",
        workspaceId: "w",
        subagent: { agentId: "a", agentType: "t", status: "failed" },
      }),
    );
    expect(hub.recent({ sessionId: "s" }).events).toMatchObject([{ sessionId: "s", workspaceId: "w" }]);
  });
});

describe("a type", () => {
  test("that nobody knows is refused with the names of its namespace, or with the namespaces", async () => {
    const { hub } = await hubBench();
    await expect(hub.publish({ type: "stream:create", payload: {} } as never)).rejects.toThrow(
      'Unknown event type "stream:create". There are stream:created, stream:archived, stream:updated, stream:phase-changed.',
    );
    await expect(hub.publish({ type: "deploy:finished", payload: {} } as never)).rejects.toThrow(
      /There are namespaces .*session.*stream.*artifact.*project/,
    );
    for (const type of ["toString", "__proto__", "connection:status", "gap"])
      await expect(hub.publish({ type, payload: {} } as never)).rejects.toMatchObject({
        reason: "invalid-input",
      });
  });

  test("of ours has a builder whose event is taken", async () => {
    const { hub } = await hubBench();
    const built = [
      streamCreated({ ...STREAM, name: "n" }),
      streamArchived({ ...STREAM, outcome: "abandoned" }),
      streamUpdated({ ...STREAM, changes: {} }),
      streamPhaseChanged({ ...STREAM, phase: "", artifacts: [] }),
      artifactCreated({ ...STREAM, filename: "f" }),
      projectRegistered({ projectId: "p", name: "P" }),
      sessionUpdate({ sessionId: "s", lifecycle: "complete", summary: "" }),
      remoteUpdate({ remoteEnvId: "r", status: "ready" }),
      subagentUpdate({ sessionId: "s", subagent: { agentId: "a", agentType: "t", status: "running" } }),
      teamUpdate({ teamName: "t", memberCount: 0 }),
      ...ACTIVITY_TYPES.map((type) => activity(type, { deviceId: "d", data: {} })),
    ];
    expect(await hub.ingest(built)).toEqual({ ingested: built.length, duplicates: 0 });
    expect(ACTIVITY_TYPES).toHaveLength(21);
    expect(Object.keys(EVENT_SCHEMAS)).toHaveLength(21 + 13);
  });

  test("of a host is checked by its own schema where it enters, and typed where it is published and read", async () => {
    const deploys = defineEvents({
      "deploy:finished": z.object({
        projectId: z.string(),
        ok: z.boolean().default(true),
        at: z.date().optional(),
      }),
    });
    const { hub } = await hubBench({ types: deploys.types });
    const watcher = await listening(hub, { projectId: "p" }, undefined, ["deploy:finished"]);
    await hub.publish(deploys.build["deploy:finished"]({ projectId: "p" }, { id: "d1" }));
    await expect(
      hub.publish(deploys.build["deploy:finished"]({ projectId: 7 } as never)),
    ).rejects.toMatchObject({ reason: "invalid-input" });
    const frame = watcher.take().at(-1)?.data as EventFrame;
    expect(frame).toMatchObject({ id: "d1", projectId: "p", payload: { projectId: "p", ok: true } });
    const read: { projectId: string; ok: boolean } | undefined = deploys.read("deploy:finished", frame);
    expect(read?.ok).toBe(true);
    expect(deploys.read("deploy:finished", { type: "other", payload: {} })).toBeUndefined();
  });

  test.each([
    "stream:created",
    "gap",
    "connection:status",
    "Deploy:Finished",
    "deploy",
    "deploy:",
    "deploy finished:x",
  ])("of a host may not be called %s", (type) => {
    expect(() => new EventTypes({ [type]: z.object({}) })).toThrow(/event type/);
  });
});

describe("an id", () => {
  test("is a ULID unless given: 26 characters that ascend inside a millisecond and when the clock goes back", () => {
    let now = 1_000;
    const next = createUlid({ now: () => now, random: (bytes) => new Uint8Array(bytes).fill(0xff) });
    const first = next();
    expect(first).toBe("00000000Z8ZZZZZZZZZZZZZZZZ");
    const second = next(); // every random bit was set: on to the next millisecond
    now = 500;
    const third = next();
    expect([first, second, third].sort()).toEqual([first, second, third]);
    expect(second).toBe("00000000Z90000000000000000");
    const many = Array.from({ length: 5_000 }, createUlid());
    expect(new Set(many).size).toBe(5_000);
    expect([...many].sort()).toEqual(many);
    for (const id of many) expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  });

  test("is stored once: the first event of it stands, and nothing is told again", async () => {
    const { hub } = await hubBench();
    const watcher = await listening(hub, { scope: "all" });
    const [one, two] = await Promise.all([
      hub.publish(little("a")),
      hub.publish(little("a", { projectId: "q" })),
    ]);
    expect([one.duplicate, two.duplicate]).toEqual([false, true]);
    expect(two.position).toBe(one.position);
    expect(await hub.publish(little("a"))).toEqual({ ...one, duplicate: true });
    expect(watcher.told()).toEqual(["0.s connected", "1 a"]);
  });

  test.each(["", "a b", "ü", "x".repeat(129), 7, null])("%j is none", async (id) => {
    const { hub } = await hubBench();
    await expect(hub.publish({ ...little("x"), id } as never)).rejects.toMatchObject({
      reason: "invalid-input",
    });
  });
});

describe("the broadcaster", () => {
  test("publishes by the methods that servers have, leaves out what is absent, keeps an empty summary", async () => {
    const { hub } = await hubBench();
    const broadcaster = createBroadcaster(hub, silentLogger);
    await broadcaster.broadcastEvent({
      id: "e1",
      type: "session.start",
      timestamp: "2026-08-01T10:00:00Z",
      deviceId: "d",
      workspaceId: "w",
      sessionId: "s",
      data: { cwd: "x" },
    });
    await broadcaster.broadcastEvent({
      type: "git.push",
      deviceId: "d",
      workspaceId: "w",
      sessionId: null,
      data: {},
      blobRefs: [],
    });
    await broadcaster.broadcastSessionUpdate("s", "w", "capturing");
    await broadcaster.broadcastSessionUpdate("s", "w", "summarized", "", { totalMessages: 3 });
    await broadcaster.broadcastRemoteUpdate("r", "w", "ready");
    await broadcaster.broadcastRemoteUpdate("r", "w", "ready", "10.0.0.1");
    await broadcaster.broadcastSubagentUpdate({
      sessionId: "s",
      workspaceId: "w",
      subagent: { agentId: "a", agentType: "t", status: "completed" },
    });
    await broadcaster.broadcastTeamUpdate({ teamName: "t", memberCount: 2 });
    const told = hub.recent({ scope: "all" }).events.map(({ id, timestamp, ...rest }) => rest);
    expect(told).toEqual([
      {
        type: "session.start",
        payload: { deviceId: "d", data: { cwd: "x" } },
        workspaceId: "w",
        sessionId: "s",
      },
      { type: "git.push", payload: { deviceId: "d", data: {}, blobRefs: [] }, workspaceId: "w" },
      {
        type: "session.update",
        payload: { sessionId: "s", lifecycle: "detected" },
        workspaceId: "w",
        sessionId: "s",
      },
      {
        type: "session.update",
        payload: { sessionId: "s", lifecycle: "summarized", summary: "", stats: { totalMessages: 3 } },
        workspaceId: "w",
        sessionId: "s",
      },
      { type: "remote.update", payload: { remoteEnvId: "r", status: "ready" }, workspaceId: "w" },
      {
        type: "remote.update",
        payload: { remoteEnvId: "r", status: "ready", publicIp: "10.0.0.1" },
        workspaceId: "w",
      },
      {
        type: "subagent.update",
        payload: {
          sessionId: "s",
          workspaceId: "w",
          subagent: { agentId: "a", agentType: "t", status: "completed" },
        },
        workspaceId: "w",
        sessionId: "s",
      },
      { type: "team.update", payload: { teamName: "t", memberCount: 2 } },
    ]);
    expect(hub.recent({ sessionId: "s" }).events).toHaveLength(4);
  });

  test("does not end a process that does not wait for its answer", async () => {
    const { hub } = await hubBench();
    const errors: object[] = [];
    const broadcaster = createBroadcaster(hub, {
      ...silentLogger,
      error: (facts) => void errors.push(facts),
    });
    await hub.close();
    void broadcaster.broadcastTeamUpdate({ teamName: "t", memberCount: 1 });
    await expect(broadcaster.broadcastRemoteUpdate("r", "w", "x")).rejects.toMatchObject({
      reason: "unavailable",
    });
    expect(errors).toHaveLength(2);
  });
});

describe("a reader", () => {
  test("takes every frame, whatever its type, and skips what is broken", async () => {
    const { hub } = await hubBench({ eventsPerProject: 1 });
    const slow = await listening(hub, { scope: "all" });
    slow.take(1);
    for (const id of ["a", "b", "c"]) await hub.publish(little(id));
    await hub.log.trim();
    slow.take();
    slow.subscription.end("revoked");
    slow.take();
    const types = slow.frames.map(({ data }) => data.type);
    expect(types).toEqual(["connection:status", "gap", "system.heartbeat", "connection:ended"]);
    for (const { data } of slow.frames)
      expect(readEventFrame(JSON.parse(JSON.stringify(data)))).toEqual(data);
    expect(slow.frames.map(({ data }) => isHubEvent(data))).toEqual([false, false, true, false]);
    for (const broken of [
      null,
      [],
      "x",
      {},
      { type: "x" },
      { type: "x", payload: {} },
      { type: "gap", payload: {} },
    ])
      expect(readEventFrame(broken)).toBeUndefined();
  });
});
