/** Acceptance H: the event hub, natively over real sockets. */
import { describe, expect, test, vi } from "vitest";
import type { EventFrame } from "../src/protocol/envelope.ts";
import {
  artifactCreated,
  artifactDeleted,
  artifactUpdated,
  projectRegistered,
  projectUnregistered,
  streamArchived,
  streamCreated,
  streamPhaseChanged,
  streamUpdated,
} from "../src/protocol/event-builders.ts";
import type { TrackedFrame } from "../src/protocol/frames.ts";
import { serve, stockClient } from "./helpers/served.ts";

type Trpc = ReturnType<typeof stockClient>["trpc"];

function listen(trpc: Trpc, target: { scope: "all" } | { projectId: string } = { scope: "all" }) {
  const frames: TrackedFrame<EventFrame>[] = [];
  const { unsubscribe } = trpc.events.onScope.subscribe(target, {
    onData: (frame) => void frames.push(frame as TrackedFrame<EventFrame>),
  });
  return { frames, stop: unsubscribe };
}

const first = (frames: readonly TrackedFrame<EventFrame>[]): EventFrame | undefined => frames[0]?.data;

describe("the event hub", () => {
  test("H1 the first message is connection:status with status connected, to that client only", async () => {
    await using served = await serve();
    await using one = stockClient(served.url);
    const earlier = listen(one.trpc);
    await vi.waitFor(() => expect(earlier.frames).toHaveLength(1));
    await using two = stockClient(served.url);
    const later = listen(two.trpc);
    await vi.waitFor(() => expect(later.frames).toHaveLength(1));
    for (const { frames } of [earlier, later])
      expect(first(frames)).toMatchObject({ type: "connection:status", payload: { status: "connected" } });
    await served.live.events.publish(projectUnregistered({ projectId: "p" }));
    await vi.waitFor(() => expect(earlier.frames).toHaveLength(2)); // and nothing of the other's status
    expect(earlier.frames[1]?.data.type).toBe("project:unregistered");
  });

  test("H2 after a drop and a reconnect the first message is connection:status again", async () => {
    await using served = await serve();
    await using client = stockClient(served.url);
    const { frames } = listen(client.trpc);
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    client.sockets[0]?.terminate();
    await vi.waitFor(() => expect(frames).toHaveLength(2));
    expect(frames.map(({ data }) => data.type)).toEqual(["connection:status", "connection:status"]);
  });

  test("H3 three clients get their own", async () => {
    await using served = await serve();
    const clients = [0, 1, 2].map(() => stockClient(served.url));
    const heard = clients.map(({ trpc }) => listen(trpc));
    await vi.waitFor(() => expect(heard.map(({ frames }) => frames.length)).toEqual([1, 1, 1]));
    for (const { frames } of heard) expect(first(frames)?.type).toBe("connection:status");
    for (const { connection } of clients) await connection.close();
  });

  test("H4 what is broadcast after the status is the second message and reaches all, with the same bytes", async () => {
    await using served = await serve();
    const clients = [0, 1, 2].map(() => stockClient(served.url));
    const heard = clients.map(({ trpc }) => listen(trpc));
    const sent: string[][] = clients.map(() => []);
    await vi.waitFor(() => expect(heard.map(({ frames }) => frames.length)).toEqual([1, 1, 1]));
    for (const [at, { sockets }] of clients.entries())
      sockets[0]?.on("message", (data) => void sent[at]?.push(String(data)));
    await served.live.events.publish(streamCreated({ projectId: "p", streamId: "p-s", name: "s" }));
    await vi.waitFor(() => expect(heard.map(({ frames }) => frames.length)).toEqual([2, 2, 2]));
    const bodies = sent.map(([text = ""]) => text.slice(text.indexOf('"result"')));
    expect(bodies[0]).toContain("stream:created");
    expect(new Set(bodies).size).toBe(1);
    for (const { connection } of clients) await connection.close();
  });

  test("H5 each stream event has exactly its payload keys, camelCase, absent optional keys left out", async () => {
    await using served = await serve();
    await using client = stockClient(served.url);
    const { frames } = listen(client.trpc, { projectId: "p" });
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    const { events } = served.live;
    const stream = { projectId: "p", streamId: "p-s" };
    await events.publish(streamCreated({ ...stream, name: "s" }));
    await events.publish(streamArchived({ ...stream, outcome: "merged" }));
    await events.publish(streamUpdated({ ...stream, changes: { name: "t" } }));
    await events.publish(
      streamPhaseChanged({ ...stream, phase: "planning", artifacts: ["a.md"] }, {
        timestamp: undefined,
      } as never),
    );
    await vi.waitFor(() => expect(frames).toHaveLength(5));
    const told = frames.slice(1).map(({ data }) => [data.type, data.payload]);
    expect(told).toEqual([
      ["stream:created", { projectId: "p", streamId: "p-s", name: "s" }],
      ["stream:archived", { projectId: "p", streamId: "p-s", outcome: "merged" }],
      ["stream:updated", { projectId: "p", streamId: "p-s", changes: { name: "t" } }],
      ["stream:phase-changed", { projectId: "p", streamId: "p-s", phase: "planning", artifacts: ["a.md"] }],
    ]);
    for (const { data } of frames.slice(1))
      expect(Object.keys(data).sort()).toEqual(["id", "payload", "projectId", "timestamp", "type"]);
  });

  test("H6 timestamps are RFC 3339 and UTC, as given or by the clock", async () => {
    await using served = await serve({ now: () => Date.UTC(2026, 7, 1, 12, 0, 0, 7) });
    await using client = stockClient(served.url);
    const { frames } = listen(client.trpc);
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    const { events } = served.live;
    const event = projectUnregistered({ projectId: "p" });
    await events.publish(event);
    await events.publish({ ...event, timestamp: "2026-08-01T10:00:00.123456789Z" });
    await events.publish({ ...event, timestamp: "2026-08-01T10:00:00+02:00" });
    await vi.waitFor(() => expect(frames).toHaveLength(4));
    expect(frames.map(({ data }) => data.timestamp)).toEqual([
      "2026-08-01T12:00:00.007Z",
      "2026-08-01T12:00:00.007Z",
      "2026-08-01T10:00:00.123456789Z",
      "2026-08-01T08:00:00.000Z",
    ]);
    await expect(events.publish({ ...event, timestamp: "yesterday" })).rejects.toMatchObject({
      reason: "invalid-input",
    });
  });

  test("H7 artifact events carry phaseName, isSharded and parentId, or the artifact of a stream", async () => {
    await using served = await serve();
    await using client = stockClient(served.url);
    const { frames } = listen(client.trpc);
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    const artifact = {
      projectId: "p",
      id: "a1",
      name: "PRD",
      type: "prd",
      path: "docs/prd.md",
      status: "draft",
      phase: 2,
      phaseName: "planning",
      isSharded: true,
    };
    const { events } = served.live;
    await events.publish(artifactCreated({ ...artifact, parentId: "a0" }));
    await events.publish(artifactUpdated(artifact));
    await events.publish(artifactDeleted({ projectId: "p", id: "a1", path: "docs/prd.md" }));
    await events.publish(
      artifactCreated({ projectId: "p", streamId: "p-s", filename: "x.md", phase: "analysis" }),
    );
    await events.publish(artifactUpdated({ projectId: "p", streamId: "p-s", filename: "x.md" }));
    await vi.waitFor(() => expect(frames).toHaveLength(6));
    expect(frames.slice(1).map(({ data }) => data.payload)).toEqual([
      { ...artifact, parentId: "a0" },
      artifact,
      { projectId: "p", id: "a1", path: "docs/prd.md" },
      { projectId: "p", streamId: "p-s", filename: "x.md", phase: "analysis" },
      { projectId: "p", streamId: "p-s", filename: "x.md" },
    ]);
  });

  test("H8 project events reach the hub", async () => {
    await using served = await serve();
    await using client = stockClient(served.url);
    const { frames } = listen(client.trpc, { projectId: "p" });
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await served.live.events.publish(projectRegistered({ projectId: "p", name: "P" }));
    await client.trpc.events.publish.mutate(projectUnregistered({ projectId: "p" }));
    await vi.waitFor(() => expect(frames).toHaveLength(3));
    expect(frames.slice(1).map(({ data }) => [data.type, data.payload])).toEqual([
      ["project:registered", { projectId: "p", name: "P" }],
      ["project:unregistered", { projectId: "p" }],
    ]);
  });
});
