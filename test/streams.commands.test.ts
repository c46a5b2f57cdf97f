/** What each command makes of a stream or an artifact, what it says to the hub, and what it is refused for. */
import { describe, expect, test } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { STREAM_PHASES } from "../src/protocol/event-types.ts";
import { createSnapwire, type SnapwireOptions } from "../src/snapwire.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { NOON, reasonFrom, running } from "./helpers/store-parts.ts";
import { toldEvents, toldPayloads } from "./helpers/told-events.ts";

const P = "project";

async function service(options: SnapwireOptions = {}) {
  const parts = await running({ now: () => NOON, ...options });
  const { streams } = parts.live;
  const create = async (name = "checkout", clientKey: string = name) =>
    (await streams.create({ projectId: P, name, clientKey })).stream;
  return {
    ...parts,
    streams,
    create,
    told: () => toldPayloads(parts.live),
    /** What is told by this, and by nothing before it. */
    async toldBy(action: () => Promise<unknown>) {
      const before = toldEvents(parts.live).length;
      await action();
      return toldPayloads(parts.live).slice(before);
    },
    [Symbol.asyncDispose]: () => parts.live.stop(),
  };
}

describe("H5 each event of a stream has exactly its keys", () => {
  test("stream:created", async () => {
    await using s = await service();
    const { streamId } = await s.create("checkout");
    expect(s.told()).toEqual([["stream:created", { projectId: P, streamId, name: "checkout" }]]);
    expect(toldEvents(s.live)[0]).toMatchObject({ projectId: P, timestamp: "2026-08-01T12:00:00.000Z" });
    expect(s.streams.get(P, streamId)).toEqual({
      projectId: P,
      streamId,
      version: expect.any(Number),
      name: "checkout",
      phase: "",
      status: "active",
      outcome: null,
      metadata: {},
      createdAt: "2026-08-01T12:00:00.000Z",
      updatedAt: "2026-08-01T12:00:00.000Z",
      archivedAt: null,
    });
  });

  test("stream:updated says what changed, and only that", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    await s.streams.update({ projectId: P, streamId, changes: { owner: "ada", size: 3, gone: true } });
    const changes = { name: "pay", owner: "ada", size: 4, gone: null, nested: { a: [1] } };
    const told = await s.toldBy(() => s.streams.update({ projectId: P, streamId, changes }));
    const { owner: _same, ...changed } = changes;
    expect(told).toEqual([["stream:updated", { projectId: P, streamId, changes: changed }]]);
    expect(s.streams.get(P, streamId)).toMatchObject({
      name: "pay",
      metadata: { owner: "ada", size: 4, nested: { a: [1] } },
    });
    expect(Object.keys(s.streams.get(P, streamId)?.metadata ?? {})).not.toContain("gone");
  });

  test.each(STREAM_PHASES.filter((phase) => phase !== ""))(
    "stream:phase-changed, to %s and back to none",
    async (phase) => {
      await using s = await service();
      const { streamId } = await s.create();
      for (const filename of ["b.md", "a.md"])
        await s.streams.putArtifact({ projectId: P, streamId, filename });
      expect(await s.toldBy(() => s.streams.phase({ projectId: P, streamId, phase }))).toEqual([
        ["stream:phase-changed", { projectId: P, streamId, phase, artifacts: ["a.md", "b.md"] }],
      ]);
      expect(
        await s.toldBy(() => s.streams.phase({ projectId: P, streamId, phase: "", artifacts: ["only.md"] })),
      ).toEqual([["stream:phase-changed", { projectId: P, streamId, phase: "", artifacts: ["only.md"] }]]);
      expect(s.streams.get(P, streamId)?.phase).toBe("");
    },
  );

  test("A7 a phase without artifacts has an empty list, never null", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    const [told] = await s.toldBy(() => s.streams.phase({ projectId: P, streamId, phase: "planning" }));
    expect(told?.[1]).toMatchObject({ artifacts: [] });
  });

  test.each(["merged", "abandoned"] as const)("stream:archived, %s", async (outcome) => {
    await using s = await service();
    const { streamId } = await s.create();
    expect(await s.toldBy(() => s.streams.archive({ projectId: P, streamId, outcome }))).toEqual([
      ["stream:archived", { projectId: P, streamId, outcome }],
    ]);
    expect(s.streams.get(P, streamId)).toMatchObject({
      status: "archived",
      outcome,
      archivedAt: "2026-08-01T12:00:00.000Z",
    });
  });
});

describe("H7 each event of an artifact has exactly its keys", () => {
  test("of a stream: projectId, streamId, filename, and the phase if there is one", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    const file = { projectId: P, streamId, filename: "brief.md" };
    expect(await s.toldBy(() => s.streams.putArtifact(file))).toEqual([["artifact:created", file]]);
    const planned = { ...file, phase: "planning" } as const;
    expect(await s.toldBy(() => s.streams.putArtifact(planned))).toEqual([["artifact:updated", planned]]);
    expect(await s.toldBy(() => s.streams.deleteArtifact(file))).toEqual([["artifact:deleted", planned]]);
    expect(s.streams.artifacts(P)).toEqual([]);
  });

  test("of a project: with phaseName, isSharded, and the parent if there is one", async () => {
    await using s = await service();
    const document = {
      projectId: P,
      id: "prd",
      name: "Requirements",
      type: "prd",
      path: "docs/prd.md",
      status: "draft",
      phase: 2,
      phaseName: "Planning",
      isSharded: true,
    };
    expect(await s.toldBy(() => s.streams.putArtifact(document))).toEqual([["artifact:created", document]]);
    const shard = { ...document, id: "prd/1", isSharded: false, parentId: "prd" };
    expect(await s.toldBy(() => s.streams.putArtifact(shard))).toEqual([["artifact:created", shard]]);
    const done = { ...document, status: "done" };
    expect(await s.toldBy(() => s.streams.putArtifact(done))).toEqual([["artifact:updated", done]]);
    expect(s.streams.artifacts(P)).toMatchObject([
      { kind: "project", id: "prd/1", parentId: "prd", phaseName: "Planning", isSharded: false },
      { kind: "project", id: "prd", parentId: null, status: "done" },
    ]);
    expect(await s.toldBy(() => s.streams.deleteArtifact({ projectId: P, id: "prd" }))).toEqual([
      ["artifact:deleted", { projectId: P, id: "prd", path: "docs/prd.md" }],
    ]);
  });

  test("new content is an update although nothing else changed, and is no key of the event", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    const file = { projectId: P, streamId, filename: "brief.md" };
    await s.streams.putArtifact({ ...file, modifiedAt: "2026-08-01T12:00:00Z" });
    const touched = { ...file, modifiedAt: "2026-08-01T12:05:00Z" };
    expect(await s.toldBy(() => s.streams.putArtifact(touched))).toEqual([["artifact:updated", file]]);
    expect(await s.toldBy(() => s.streams.putArtifact(touched)), "the same again").toEqual([]);
  });
});

describe("nothing is told", () => {
  test("when nothing changed", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    const of = { projectId: P, streamId };
    await s.streams.update({ ...of, changes: { owner: "ada" } });
    await s.streams.phase({ ...of, phase: "planning" });
    await s.streams.putArtifact({ ...of, filename: "a.md", phase: "planning" });
    const version = s.streams.get(P, streamId)?.version;
    const told = await s.toldBy(async () => {
      expect(
        await s.streams.update({ ...of, changes: { owner: "ada", name: "checkout", none: null } }),
      ).toMatchObject({
        changed: false,
      });
      expect(await s.streams.phase({ ...of, phase: "planning" })).toMatchObject({ changed: false });
      expect(await s.streams.putArtifact({ ...of, filename: "a.md", phase: "planning" })).toMatchObject({
        changed: false,
      });
      expect(await s.streams.deleteArtifact({ ...of, filename: "never.md" })).toMatchObject({
        changed: false,
      });
      await s.streams.update({ ...of, changes: {} });
    });
    expect(told).toEqual([]);
    expect(s.streams.get(P, streamId)?.version).toBe(version);
    await s.streams.archive({ ...of, outcome: "merged" });
    expect(await s.toldBy(() => s.streams.archive({ ...of, outcome: "merged" }))).toEqual([]);
  });

  test("A11 when the write failed", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    s.setJournalAway(true);
    expect(await reasonFrom(s.streams.phase({ projectId: P, streamId, phase: "planning" }))).toBe(
      "unavailable",
    );
    expect(await reasonFrom(s.create("another"))).toBe("unavailable");
    s.setJournalAway(false);
    expect(s.told()).toHaveLength(1);
    expect(s.streams.get(P, streamId)?.phase).toBe("");
  });

  test("before the commit", async () => {
    await using s = await service();
    const release = s.holdJournal();
    const created = s.create();
    await new Promise((resolve) => setImmediate(resolve));
    expect(s.told()).toEqual([]);
    expect(s.streams.list(P)).toEqual([]);
    release();
    await created;
    expect(s.told()).toHaveLength(1);
  });
});

describe("a client key", () => {
  test("makes one stream, however often it is asked for, and answers the same", async () => {
    await using s = await service();
    const first = await s.streams.create({ projectId: P, name: "checkout", clientKey: "k" });
    expect(first).toMatchObject({ changed: true, position: expect.any(String) });
    const again = await s.streams.create({ projectId: P, name: "another name", clientKey: "k" });
    expect(again).toEqual(first);
    expect(s.streams.list(P)).toHaveLength(1);
    expect(s.told()).toHaveLength(1);
  });

  test("does so for calls under way together, on two nodes, and after a restart", async () => {
    const journal = createMemoryJournal({ epoch: "one-life" });
    const one = await service({ journal });
    const two = await service({ journal });
    const [a, b, c] = await Promise.all([one.create("x", "k"), one.create("x", "k"), two.create("x", "k")]);
    expect(new Set([a.streamId, b.streamId, c.streamId]).size).toBe(1);
    expect(one.told()).toHaveLength(1);
    await one.live.stop();
    await two.live.stop();
    await using after = await service({ journal });
    expect((await after.create("x", "k")).streamId).toBe(a.streamId);
    expect(after.streams.list(P)).toHaveLength(1);
    expect(after.told(), "the event of the commit is not told twice").toHaveLength(1);
  });

  test("A5 gives an id that says nothing: another project or key, another stream; the name is no part of it", async () => {
    await using s = await service();
    const ids = await Promise.all(
      [
        { projectId: "a-b", name: "c", clientKey: "k" },
        { projectId: "a", name: "b-c", clientKey: "k" },
        { projectId: "a", name: "b-c", clientKey: "l" },
      ].map(async (input) => (await s.streams.create(input)).stream.streamId),
    );
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
  });

  test("makes a repeated change harmless, also after a restart", async () => {
    const journal = createMemoryJournal({ epoch: "one-life" });
    const before = await service({ journal });
    const { streamId } = await before.create();
    const rename = (to: string, clientKey: string) => ({
      projectId: P,
      streamId,
      changes: { name: to },
      clientKey,
    });
    const first = await before.streams.update(rename("one", "k1"));
    await before.streams.update(rename("two", "k2"));
    expect(await before.streams.update(rename("one", "k1"))).toEqual(first);
    await before.live.stop();
    await using after = await service({ journal });
    expect(await after.streams.update(rename("one", "k1"))).toMatchObject({ changed: false });
    expect(after.streams.get(P, streamId)?.name).toBe("two");
  });
});

test("an event that a crash left untold is told at the next start", async () => {
  const journal = createMemoryJournal({ epoch: "one-life" });
  const faults = new JournalFaults();
  const before = createSnapwire({ journal: withFaults(journal, faults) });
  await before.start();
  faults.fate = ({ key }) => (key.startsWith("[") ? "answered" : "refused");
  const { stream } = await before.streams.create({ projectId: P, name: "x", clientKey: "k" });
  expect(toldPayloads(before)).toEqual([]);
  faults.fate = () => "answered";
  await before.stop();
  await using after = createSnapwire({ journal });
  await after.start();
  expect(toldPayloads(after)).toEqual([
    ["stream:created", { projectId: P, streamId: stream.streamId, name: "x" }],
  ]);
});

describe("what is refused", () => {
  test("a stream that is not there, or is in another project", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    for (const of of [
      { projectId: P, streamId: "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
      { projectId: "other", streamId },
    ]) {
      expect(await reasonFrom(s.streams.update({ ...of, changes: { a: 1 } }))).toBe("unknown-stream");
      expect(await reasonFrom(s.streams.phase({ ...of, phase: "planning" }))).toBe("unknown-stream");
      expect(await reasonFrom(s.streams.archive({ ...of, outcome: "merged" }))).toBe("unknown-stream");
      expect(await reasonFrom(s.streams.putArtifact({ ...of, filename: "a.md" }))).toBe("unknown-stream");
    }
  });

  test("any change of an archived stream; its files may still be deleted", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    const of = { projectId: P, streamId };
    await s.streams.putArtifact({ ...of, filename: "a.md" });
    await s.streams.archive({ ...of, outcome: "merged" });
    expect(await reasonFrom(s.streams.update({ ...of, changes: { a: 1 } }))).toBe("stream-archived");
    expect(await reasonFrom(s.streams.phase({ ...of, phase: "planning" }))).toBe("stream-archived");
    expect(await reasonFrom(s.streams.archive({ ...of, outcome: "abandoned" }))).toBe("stream-archived");
    expect(await reasonFrom(s.streams.putArtifact({ ...of, filename: "b.md" }))).toBe("stream-archived");
    expect(await s.streams.deleteArtifact({ ...of, filename: "a.md" })).toMatchObject({ changed: true });
  });

  test.each([
    ["a name that is blank", { name: "" }],
    ["no client key", { clientKey: undefined }],
    ["an unknown key", { colour: "red" }],
  ])("create with %s", async (_what, wrong) => {
    await using s = await service();
    const input = { projectId: P, name: "x", clientKey: "k", ...wrong } as never;
    expect(await reasonFrom(s.streams.create(input))).toBe("invalid-input");
  });

  test.each([
    { phase: "planning" },
    { status: "archived" },
    { outcome: "merged" },
    { streamId: "x" },
    { version: 1 },
    { name: "" },
    { name: null },
    { big: "x".repeat(16_384) },
  ])("update with %j", async (changes) => {
    await using s = await service();
    const { streamId } = await s.create();
    expect(await reasonFrom(s.streams.update({ projectId: P, streamId, changes }))).toBe("invalid-input");
  });

  test.each([
    { projectId: P, streamId: "x", filename: "" },
    { projectId: P, streamId: "x", filename: "a.md", phase: "lunch" },
    { projectId: P, id: "x", name: "half of what is needed" },
    { projectId: P, streamId: "x", filename: "a.md", id: "both" },
  ])("putArtifact with %j", async (input) => {
    await using s = await service();
    expect(await reasonFrom(s.streams.putArtifact(input as never))).toBe("invalid-input");
  });
});

describe("what is kept is bounded", () => {
  test("streams that are active, and rows in all", async () => {
    await using s = await service({ streams: { activePerProject: 2, rowsPerProject: 4 } });
    const { streamId } = await s.create("a");
    await s.create("b");
    expect(await reasonFrom(s.create("c"))).toBe("too-many");
    expect((await s.create("a")).streamId, "one that is there already").toBe(streamId);
    await s.streams.putArtifact({ projectId: P, streamId, filename: "1.md" });
    await s.streams.putArtifact({ projectId: P, streamId, filename: "2.md" });
    expect(await reasonFrom(s.streams.putArtifact({ projectId: P, streamId, filename: "3.md" }))).toBe(
      "too-many",
    );
    await s.streams.putArtifact({ projectId: P, streamId, filename: "2.md", phase: "planning" });
  });

  test("archived streams: the one archived first goes, with its files and without an event", async () => {
    await using s = await service({ streams: { archivedPerProject: 2 } });
    const of: { projectId: string; streamId: string }[] = [];
    for (const name of ["a", "b", "c"]) {
      const { streamId } = await s.create(name);
      of.push({ projectId: P, streamId });
      await s.streams.putArtifact({ projectId: P, streamId, filename: `${name}.md` });
    }
    for (const one of of) await s.streams.archive({ ...one, outcome: "merged" });
    expect(s.streams.list(P).map(({ name }) => name)).toEqual(["b", "c"]);
    expect(s.streams.artifacts(P)).toHaveLength(2);
    expect(s.told().filter(([type]) => type === "artifact:deleted")).toEqual([]);
  });

  test("what a stream keeps of its own", async () => {
    await using s = await service();
    const { streamId } = await s.create();
    const some = "x".repeat(16_000);
    for (const key of ["a", "b", "c", "d"])
      await s.streams.update({ projectId: P, streamId, changes: { [key]: some } });
    expect(await reasonFrom(s.streams.update({ projectId: P, streamId, changes: { e: some } }))).toBe(
      "too-many",
    );
    await s.streams.update({ projectId: P, streamId, changes: { a: null, e: some } });
  });
});
