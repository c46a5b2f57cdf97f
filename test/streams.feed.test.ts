/** `streams.onProject`: the snapshot, the deltas, resuming, and who may do what. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TrackedFrame } from "../src/protocol/frames.ts";
import {
  type ArtifactEntry,
  readStreamFrame,
  type StreamEntry,
  type StreamFrame,
} from "../src/protocol/streams.ts";
import { ADMIN, follow, identity, refusalOf, routed } from "./helpers/router-callers.ts";
import { serve, stockClient } from "./helpers/served.ts";
import { until } from "./helpers/store-until.ts";

const P = "project";

async function service() {
  const routes = await routed();
  const watching = (projectId = P, lastEventId?: string, who = ADMIN) => {
    const abort = new AbortController();
    const caller = routes.as(who, { signal: abort.signal });
    return { abort, ...follow(caller.streams.onProject({ projectId, lastEventId })) };
  };
  const admin = routes.as(ADMIN).streams;
  const create = async (name: string, projectId = P) =>
    (await admin.create({ projectId, name, clientKey: name })).stream.streamId;
  return { ...routes, watching, admin, create, [Symbol.asyncDispose]: () => routes.live.stop() };
}

function wordsOf(frame: StreamFrame): string {
  switch (frame.type) {
    case "snapshot_full":
      return `full ${frame.reason} ${frame.streams.length}+${frame.artifacts.length}`;
    case "snapshot_resumed":
      return `resumed ${frame.missed}`;
    case "snapshot_ended":
      return `ended ${frame.reason}`;
    case "snapshot_progress":
    case "snapshot_status":
      return frame.type;
    case "stream:created":
    case "stream:updated":
    case "stream:phase-changed":
    case "stream:archived":
    case "stream:removed":
    case "artifact:created":
    case "artifact:updated":
    case "artifact:deleted":
      return `${frame.type} ${Object.values(frame.payload).at(-1)}`;
  }
}

const worded = (frames: readonly StreamFrame[]): string[] => frames.map(wordsOf);

/** What a simple client knows after these frames. */
function replicaOf(frames: readonly TrackedFrame<StreamFrame>[]) {
  const streams = new Map<string, StreamEntry>();
  const artifacts = new Map<string, ArtifactEntry>();
  const nameOf = (a: { streamId: string; filename: string } | { id: string }): string =>
    "streamId" in a ? `${a.streamId}/${a.filename}` : a.id;
  for (const { data } of frames) {
    if (data.type === "snapshot_full") {
      streams.clear();
      artifacts.clear();
      for (const stream of data.streams) streams.set(stream.streamId, stream);
      for (const artifact of data.artifacts) artifacts.set(nameOf(artifact), artifact);
    } else if ("stream" in data) streams.set(data.stream.streamId, data.stream);
    else if ("artifact" in data) artifacts.set(nameOf(data.artifact), data.artifact);
    else if (data.type === "artifact:deleted") artifacts.delete(nameOf(data.payload));
    else if (data.type === "stream:removed") streams.delete(data.payload.streamId);
  }
  return {
    streams: [...streams.values()].sort((a, b) => a.version - b.version),
    artifacts: [...artifacts.values()].sort((a, b) => a.version - b.version),
  };
}

const storeOf = ({ live }: Pick<Awaited<ReturnType<typeof service>>, "live">, projectId = P) => ({
  streams: [...live.streams.list(projectId)].sort((a, b) => a.version - b.version),
  artifacts: [...live.streams.artifacts(projectId)].sort((a, b) => a.version - b.version),
});

test("it begins with everything, then each change has the name and payload of its event, and the whole row", async () => {
  await using s = await service();
  const streamId = await s.create("checkout");
  const of = { projectId: P, streamId };
  await s.admin.putArtifact({ ...of, filename: "brief.md" });
  const heard = s.watching();
  await until(() => expect(worded(heard.data())).toEqual(["full first 1+1"]));
  const steps: (() => Promise<unknown>)[] = [
    () => s.admin.update({ ...of, changes: { owner: "ada" } }),
    () => s.admin.phase({ ...of, phase: "planning" }),
    () => s.admin.putArtifact({ ...of, filename: "brief.md", phase: "planning" }),
    () => s.admin.putArtifact({ ...of, filename: "plan.md" }),
    () => s.admin.deleteArtifact({ ...of, filename: "brief.md" }),
    () => s.admin.archive({ ...of, outcome: "merged" }),
    () => s.create("next"),
  ];
  for (const [n, step] of steps.entries()) {
    await step();
    await until(() => expect(heard.frames).toHaveLength(n + 2));
  }
  const next = s.live.streams.list(P).at(-1);
  expect(heard.data().slice(1)).toMatchObject([
    {
      type: "stream:updated",
      payload: { ...of, changes: { owner: "ada" } },
      stream: { ...of, name: "checkout", metadata: { owner: "ada" } },
    },
    {
      type: "stream:phase-changed",
      payload: { ...of, phase: "planning", artifacts: ["brief.md"] },
      stream: { phase: "planning", metadata: { owner: "ada" } },
    },
    {
      type: "artifact:updated",
      payload: { filename: "brief.md" },
      artifact: { kind: "stream", phase: "planning" },
    },
    { type: "artifact:created", payload: { ...of, filename: "plan.md" }, artifact: { filename: "plan.md" } },
    { type: "artifact:deleted", projectId: P, payload: { ...of, filename: "brief.md" } },
    { type: "stream:archived", payload: { ...of, outcome: "merged" }, stream: { status: "archived" } },
    { type: "stream:created", payload: { projectId: P, name: "next" }, stream: { streamId: next?.streamId } },
  ]);
  for (const frame of heard.data()) expect(readStreamFrame(JSON.parse(JSON.stringify(frame)))).toEqual(frame);
  expect(replicaOf(heard.frames)).toEqual(storeOf(s));
});

test("P4 for whoever was away several changes of a stream are one: the last of them, with the whole row", async () => {
  await using s = await service();
  const streamId = await s.create("checkout");
  const first = s.watching();
  await until(() => expect(first.frames).toHaveLength(1));
  first.abort.abort();
  await first.over;
  await s.admin.update({ projectId: P, streamId, changes: { owner: "ada" } });
  await s.admin.phase({ projectId: P, streamId, phase: "planning" });
  await s.create("new");
  const second = s.watching(P, first.lastId());
  await until(() =>
    expect(worded(second.data())).toEqual(["resumed 2", "stream:phase-changed ", "stream:created new"]),
  );
  expect(second.data()[1]).toMatchObject({ stream: { metadata: { owner: "ada" }, phase: "planning" } });
  expect(replicaOf([...first.frames, ...second.frames])).toEqual(storeOf(s));
  second.abort.abort();
  const third = s.watching(P, second.lastId());
  await until(() => expect(worded(third.data())).toEqual(["resumed 0"]));
});

test("A6 the answer of a command is the position of its commit: its own echo is not told to who goes on from it", async () => {
  await using s = await service();
  const { position } = await s.admin.create({ projectId: P, name: "mine", clientKey: "k" });
  await s.create("of somebody else");
  const heard = s.watching(P, position);
  await until(() => expect(worded(heard.data())).toEqual(["resumed 1", "stream:created of somebody else"]));
});

test("fetch, then follow: no hole and no double", async () => {
  await using s = await service();
  await s.create("a");
  const { position, streams } = await s.admin.list({ projectId: P });
  expect(streams.map(({ name }) => name)).toEqual(["a"]);
  await s.create("b");
  const heard = s.watching(P, position);
  await until(() => expect(worded(heard.data())).toEqual(["resumed 1", "stream:created b"]));
});

test("queries answer what there is", async () => {
  await using s = await service();
  const streamId = await s.create("a");
  await s.create("b");
  await s.admin.putArtifact({ projectId: P, streamId, filename: "a.md" });
  await s.admin.archive({ projectId: P, streamId, outcome: "abandoned" });
  expect(await s.admin.list({ projectId: P, status: "active" })).toMatchObject({ streams: [{ name: "b" }] });
  expect(await s.admin.get({ projectId: P, streamId })).toMatchObject({
    stream: { name: "a", outcome: "abandoned" },
    artifacts: [{ filename: "a.md" }],
  });
  expect(await s.admin.get({ projectId: "other", streamId })).toBeNull();
  expect(await s.admin.artifacts({ projectId: P })).toMatchObject({ artifacts: [{ filename: "a.md" }] });
  expect(await s.admin.list({ projectId: "empty" })).toMatchObject({
    streams: [],
    position: expect.any(String),
  });
});

test("P5 not one byte of another project, also when one name begins with the other", async () => {
  await using s = await service();
  const heard = s.watching("a");
  await until(() => expect(heard.frames).toHaveLength(1));
  await s.create("secret", "a-b");
  await s.create("mine", "a");
  await until(() => expect(worded(heard.data())).toEqual(["full first 0+0", "stream:created mine"]));
  expect(JSON.stringify(heard.frames)).not.toContain("a-b");
  expect(JSON.stringify(await s.admin.list({ projectId: "a" }))).not.toContain("secret");
});

test("a project that is gone ends its subscriptions; nothing is left behind", async () => {
  await using s = await service();
  const heard = s.watching();
  await until(() => expect(heard.frames).toHaveLength(1));
  s.live.endProject(P);
  await until(() => expect(worded(heard.data())).toEqual(["full first 0+0", "ended project-gone"]));
  await heard.over;
  expect({ size: s.live.streams.feed.size, scopes: s.live.streams.feed.watchedScopes }).toEqual({
    size: 0,
    scopes: 0,
  });
});

describe("rights", () => {
  const calls = (streamId: string) => ({
    read: ["onProject", "list", "get", "artifacts"],
    with: {
      onProject: {},
      list: {},
      get: { streamId },
      artifacts: {},
      create: { name: "x", clientKey: "k" },
      update: { streamId, changes: { a: 1 } },
      phase: { streamId, phase: "planning" },
      putArtifact: { streamId, filename: "a.md" },
      deleteArtifact: { streamId, filename: "a.md" },
      archive: { streamId, outcome: "merged" },
    } as Record<string, object>,
  });
  type Callable = Record<string, (input: object) => Promise<unknown>>;

  test("who may read the project may look, who may write it may change, and nobody else", async () => {
    await using s = await service();
    const streamId = await s.create("a");
    const { read, with: inputs } = calls(streamId);
    const may = (role: "viewer" | "publisher" | "agent", projects: "*" | string[]) =>
      s.as(identity(role, projects)).streams as unknown as Callable;
    for (const [name, input] of Object.entries(inputs)) {
      const attempt = (who: Callable) =>
        who[name]?.({ projectId: P, ...input }) ?? Promise.reject(new Error(name));
      expect(await refusalOf(attempt(may("publisher", ["other"]))), name).toMatchObject({
        code: "FORBIDDEN",
      });
      expect(await refusalOf(attempt(may("agent", "*"))), name).toMatchObject({ code: "FORBIDDEN" });
      if (read.includes(name)) await attempt(may("viewer", [P]));
      else {
        expect(await refusalOf(attempt(may("viewer", [P]))), name).toMatchObject({ code: "FORBIDDEN" });
        await attempt(may("publisher", [P]));
      }
    }
  });

  test("refusals have their code and their stable reason", async () => {
    await using s = await service();
    const streamId = await s.create("a");
    expect(
      await refusalOf(s.admin.phase({ projectId: P, streamId: "unknown", phase: "planning" })),
    ).toMatchObject({ code: "NOT_FOUND", reason: "unknown-stream" });
    await s.admin.archive({ projectId: P, streamId, outcome: "merged" });
    expect(await refusalOf(s.admin.phase({ projectId: P, streamId, phase: "planning" }))).toMatchObject({
      code: "CONFLICT",
      reason: "stream-archived",
    });
    expect(await refusalOf(s.admin.phase({ projectId: P, streamId, phase: "lunch" as never }))).toMatchObject(
      {
        code: "BAD_REQUEST",
        reason: "invalid-input",
        message: expect.stringContaining("phase"),
      },
    );
  });
});

const anyStep = fc.oneof(
  fc.record({ do: fc.constant("create"), at: fc.nat(3) }),
  fc.record({
    do: fc.constantFrom("update", "phase", "put", "delete", "archive", "document", "drop"),
    at: fc.nat(3),
  }),
  fc.record({ do: fc.constantFrom("leave", "resume", "settle"), at: fc.constant(0) }),
);

test("P3 P6 a replica equals the store when writers pause, whatever was done and however often it left", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 30 }), async (steps) => {
      await using s = await service();
      const ids: string[] = [];
      const frames: TrackedFrame<StreamFrame>[] = [];
      let heard: ReturnType<typeof s.watching> | undefined = s.watching();
      const leave = async (): Promise<void> => {
        heard?.abort.abort();
        await heard?.over;
        frames.push(...(heard?.frames ?? []));
        heard = undefined;
      };
      let phase = 0;
      for (const step of steps) {
        const streamId = ids[step.at % Math.max(1, ids.length)];
        const of = { projectId: P, streamId: streamId ?? "none" };
        const phases = ["analysis", "planning"] as const;
        const filename = `${step.at}.md`;
        const document = {
          name: "d",
          type: "t",
          path: "p",
          status: `${phase}`,
          phase: 1,
          phaseName: "n",
          isSharded: false,
        };
        const run: Record<string, () => Promise<unknown>> = {
          create: async () => void ids.push(await s.create(`stream-${step.at}`)),
          update: () => s.admin.update({ ...of, changes: { n: phase++ } }),
          phase: () => s.admin.phase({ ...of, phase: phases[phase++ % 2] ?? "" }),
          put: () => s.admin.putArtifact({ ...of, filename }),
          delete: () => s.admin.deleteArtifact({ ...of, filename }),
          document: () => s.admin.putArtifact({ projectId: P, id: filename, ...document }),
          drop: () => s.admin.deleteArtifact({ projectId: P, id: filename }),
          archive: () => s.admin.archive({ ...of, outcome: "merged" }),
          leave,
          resume: async () => {
            await leave();
            heard = s.watching(P, frames.at(-1)?.id);
          },
          settle: () => new Promise((resolve) => setImmediate(resolve)),
        };
        await run[step.do]?.().catch(() => undefined);
      }
      await leave();
      heard = s.watching(P, frames.at(-1)?.id);
      const expected = storeOf(s);
      await until(() => expect(replicaOf([...frames, ...(heard?.frames ?? [])])).toEqual(expected));
      await leave();
    }),
    { numRuns: 60 },
  );
});

test("over real sockets: a stock client creates, hears, loses its socket, and goes on", async () => {
  await using served = await serve();
  await using client = stockClient(served.url);
  const { trpc } = client;
  const frames: TrackedFrame<StreamFrame>[] = [];
  const { unsubscribe } = trpc.streams.onProject.subscribe(
    { projectId: P },
    { onData: (frame) => void frames.push(frame) },
  );
  await until(() => expect(frames).toHaveLength(1));
  const { stream } = await trpc.streams.create.mutate({ projectId: P, name: "checkout", clientKey: "k" });
  await until(() => expect(frames.at(-1)?.data).toMatchObject({ type: "stream:created", stream }));
  client.sockets.at(-1)?.terminate();
  await served.live.streams.phase({ projectId: P, streamId: stream.streamId, phase: "planning" });
  await until(() => expect(frames.at(-1)?.data).toMatchObject({ type: "stream:phase-changed" }));
  const again = await trpc.streams.create.mutate({ projectId: P, name: "checkout", clientKey: "k" });
  expect(again.stream.streamId).toBe(stream.streamId);
  expect(frames.map(({ data }) => data.type)).toEqual([
    "snapshot_full",
    "stream:created",
    "snapshot_resumed",
    "stream:phase-changed",
  ]);
  unsubscribe();
  await until(() => expect(served.live.streams.feed.size).toBe(0));
});
