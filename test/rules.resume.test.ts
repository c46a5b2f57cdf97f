/** Rules 7 to 14 of the design: how a subscription begins, walks and goes on. Of rule 14 only what the server says. */
import { describe, expect, test, vi } from "vitest";
import { formatPosition, parsePosition } from "../src/protocol/position.ts";
import { type Cluster, type ClusterNode, cluster, HOUR, turn, watching } from "./helpers/cluster.ts";

/** A project with three workspaces, and who saw all of it at 3. */
async function seeded(c: Cluster, options = {}) {
  const node = await c.node(options);
  for (const id of ["a", "b", "c"]) await node.live.workspaces.upsert(id, { projectId: "p" });
  const watcher = await watching(node, "p");
  watcher.take();
  return { node, watcher, position: watcher.position ?? "" };
}

const at = ({ live }: ClusterNode, sequence: number, projectId = "p") =>
  formatPosition(live.workspaces.collection.tagOf(projectId), sequence);

describe("R7 the decision", () => {
  test("R7 without a cursor: a full, because it is the first", async () => {
    await using c = await cluster();
    const { node } = await seeded(c);
    for (const none of [undefined, null])
      expect((await watching(node, "p", none)).told()).toEqual(["3.f full first: a@1 b@2 c@3"]);
  });

  test.each([
    "",
    " ",
    "x",
    "3",
    ".3",
    "0x3",
    "-1",
    `${"t".repeat(12)}.03`,
    `${"t".repeat(12)}.3.x`,
    "\u0000",
    "💥",
  ])("R7 an unreadable cursor %j: a full, because it is invalid", async (cursor) => {
    await using c = await cluster();
    const { node } = await seeded(c);
    expect((await watching(node, "p", cursor)).told()).toEqual(["3.f full invalid: a@1 b@2 c@3"]);
  });

  test("R7 a cursor of another epoch: a full, because the epoch changed", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    await c.replaceOrder();
    expect((await watching(node, "p", position)).told()).toEqual(["0.f full epoch-changed: "]);
  });

  test("R7 a cursor that no node can know: a full, because it is ahead", async () => {
    await using c = await cluster();
    const { node } = await seeded(c);
    expect((await watching(node, "p", at(node, 4))).told()).toEqual(["3.f full ahead: a@1 b@2 c@3"]);
  });

  test("R7 a cursor below the floor: a full, because it was trimmed; at the floor it goes on", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    await node.live.workspaces.remove("a");
    c.now += HOUR + 1;
    await node.live.workspaces.collection.prune();
    expect((await watching(node, "p", position)).told()).toEqual(["4.f full trimmed: b@2 c@3"]);
    expect((await watching(node, "p", at(node, 4))).told()).toEqual(["4.r resumed until 4 missed 0"]);
  });

  test("R7 any other: resumed", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    expect((await watching(node, "p", position)).told()).toEqual(["3.r resumed until 3 missed 0"]);
    expect((await watching(node, "p", at(node, 1))).told()).toEqual([
      "1.r resumed until 3 missed 2",
      "2 changed b@2",
      "3 changed c@3",
    ]);
  });

  test("R7 is taken in one turn with the first walk: what happens between the two is looked at again", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    const resumed = await watching(node, "p", position); // decided; nothing taken yet
    const first = await watching(node, "p");
    await node.live.workspaces.upsert("a", { name: "later" });
    expect(resumed.told(2)).toEqual(["3.r resumed until 4 missed 1", "4 changed a@4"]);
    expect(first.told(), "cut when it is taken").toEqual(["4.f full first: b@2 c@3 a@4"]);
    const trimmed = await watching(node, "p", position);
    await node.live.workspaces.remove("b");
    c.now += HOUR + 1;
    await node.live.workspaces.collection.prune();
    expect(trimmed.told()).toEqual(["5.f full trimmed: c@3 a@4"]);
  });
});

test("R8 a position that only another node has reached is never answered with older state", async () => {
  await using c = await cluster();
  const one = await c.node();
  const two = await c.node({ behindWaitMs: 50 });
  await one.live.workspaces.upsert("w", { projectId: "p", name: "old" });
  two.faults.hold();
  const { position } = await one.live.workspaces.upsert("w", { name: "new" });
  let begun = false;
  const waiting = watching(two, "p", position).finally(() => {
    begun = true;
  });
  waiting.catch(() => undefined);
  await turn();
  expect(begun).toBe(false);
  two.faults.release(1);
  await turn();
  expect(begun, "the record alone does not say that nothing is missing before it").toBe(false);
  await expect(waiting, "and not for ever: another node may know it").rejects.toMatchObject({
    reason: "behind",
  });
  const again = watching(two, "p", position);
  two.faults.release();
  expect((await again).told()).toEqual(["2.r resumed until 2 missed 0"]);
});

describe("R9 a full", () => {
  test("R9 carries the applied head at which it was cut, not the tail of the project", async () => {
    await using c = await cluster();
    const { node } = await seeded(c);
    await node.live.workspaces.upsert("elsewhere", { projectId: "q" });
    await node.live.workspaces.upsert("a", { status: "ARCHIVED" });
    await node.live.workspaces.upsert("a", { name: "hidden" });
    expect((await watching(node, "p")).told()).toEqual(["6.f full first: b@2 c@3"]);
    expect((await watching(node, "nobody ever wrote here")).told()).toEqual(["6.f full first: "]);
  });

  test("R9 the first delta after it lies above it, and nothing of it is told twice", async () => {
    await using c = await cluster();
    const { node } = await seeded(c);
    const watcher = await watching(node, "p");
    await node.live.workspaces.upsert("b", { name: "before it is taken" });
    expect(watcher.told()).toEqual(["4.f full first: a@1 c@3 b@4"]);
    await node.live.workspaces.upsert("a", { name: "after" });
    expect(watcher.told()).toEqual(["5 changed a@5"]);
  });

  test("R9 is incomplete while the first pass of the sources runs, and complete is told once it is", async () => {
    await using c = await cluster();
    let answer: ((ids: string[]) => void) | undefined;
    const list = () =>
      new Promise<string[]>((resolve) => {
        answer = resolve;
      });
    const read = (ids: readonly string[]) => ids.map((workspaceId) => ({ workspaceId, projectId: "p" }));
    const node = await c.node({ list, read, firstPassWaitMs: 0 });
    const watcher = await watching(node, "p");
    expect(watcher.told()).toEqual(["0.f full first incomplete: "]);
    await vi.waitFor(() => expect(answer).toBeDefined());
    answer?.(["w"]);
    await vi.waitFor(() => expect(node.live.complete("p")).toBe(true));
    expect(watcher.told()).toEqual(["1 changed w@1", "1.p progress true"]);
    expect((await watching(node, "p")).told()).toEqual(["1.f full first: w@1"]);
  });

  test("R9 is shared: the same entries for everybody, gathered once", async () => {
    await using c = await cluster();
    const { node } = await seeded(c);
    const entries = [];
    for (let n = 0; n < 3; n += 1) {
      const [frame] = (await watching(node, "p")).take();
      if (frame?.data.type === "snapshot_full") entries.push(frame.data.entries);
    }
    expect(entries).toHaveLength(3);
    expect(new Set(entries).size).toBe(1);
  });
});

describe("R10 a resumed frame", () => {
  test("R10 carries the client's own position, and the newest sequence of the project's list", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    await node.live.workspaces.upsert("a", { name: "1" });
    await node.live.workspaces.upsert("b", { name: "1" });
    await node.live.workspaces.upsert("elsewhere", { projectId: "q" });
    const resumed = await watching(node, "p", position);
    const [frame] = resumed.take(1);
    expect(parsePosition(frame?.id)).toMatchObject({ sequence: 3, kind: "r" });
    expect(frame?.data).toEqual({
      type: "snapshot_resumed",
      projectId: "p",
      until: at(node, 5),
      missed: 2,
    });
    expect(resumed.told()).toEqual(["4 changed a@4", "5 changed b@5"]);
    expect(resumed.position, "caught up").toBe(at(node, 5));
  });

  test("R10 of one who missed nothing says that it has caught up already", async () => {
    await using c = await cluster();
    const { node } = await seeded(c);
    await node.live.workspaces.upsert("elsewhere", { projectId: "q" });
    expect((await watching(node, "p", at(node, 4))).told()).toEqual(["4.r resumed until 4 missed 0"]);
  });
});

describe("R11 a walk", () => {
  test("R11 gives records above the cursor, oldest first, as many as there is room for", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    for (const [id, name] of [
      ["c", "1"],
      ["a", "1"],
      ["b", "1"],
      ["c", "2"],
    ] as const)
      await node.live.workspaces.upsert(id, { name });
    const resumed = await watching(node, "p", position);
    expect(resumed.told(2)).toEqual(["3.r resumed until 7 missed 3", "5 changed a@5"]);
    await node.live.workspaces.remove("b");
    expect(resumed.told(1)).toEqual(["7 changed c@7"]);
    expect(resumed.told()).toEqual(["8 removed b"]);
  });

  test("R11 compares cursor and floor before each step, in mid-stream and in mid-catch-up", async () => {
    await using c = await cluster();
    const { node, position } = await seeded(c);
    await node.live.workspaces.remove("a");
    await node.live.workspaces.upsert("b", { name: "1" });
    await node.live.workspaces.remove("c");
    const catchingUp = await watching(node, "p", position);
    expect(catchingUp.told(2)).toEqual(["3.r resumed until 6 missed 3", "4 removed a"]);
    c.now += HOUR + 1;
    await node.live.workspaces.collection.prune();
    expect(catchingUp.told()).toEqual(["6.f full trimmed: b@5"]);
  });

  test("R11 holds no list for a subscriber: a thousand changes to a stalled one leave a thousand nodes less one each", async () => {
    await using c = await cluster();
    const { node, watcher } = await seeded(c);
    for (let n = 0; n < 1_000; n += 1) await node.live.workspaces.upsert("a", { name: `${n}` });
    expect(watcher.told()).toEqual(["1003 changed a@1003"]);
    expect(node.live.feed.counters.conflated).toBe(999);
  });
});

test("R13 deltas strictly ascend and control frames never go back, except to say that the position was ahead", async () => {
  await using c = await cluster();
  const { node, position } = await seeded(c);
  const watcher = await watching(node, "p", position);
  const sequences = () => watcher.frames.map(({ id }) => parsePosition(id)?.sequence ?? Number.NaN);
  for (let n = 0; n < 30; n += 1) {
    await node.live.workspaces.upsert("abc"[n % 3] ?? "a", { name: `${n}` });
    if (n % 5 === 0) node.faults.tellStatus(false, "a storm");
    if (n % 5 === 2) node.faults.tellStatus(true);
    if (n % 4 !== 3) watcher.take(2);
  }
  watcher.take();
  expect(sequences()).toEqual([...sequences()].sort((x, y) => x - y));
  const deltas = watcher.frames.filter(({ id }) => parsePosition(id)?.kind === undefined).map(({ id }) => id);
  expect(new Set(deltas).size).toBe(deltas.length);
  const ahead = await watching(node, "p", at(node, 1_000));
  expect(ahead.told()[0]).toMatch(/^33\.f full ahead/);
});

describe("R14 what the server says for a client to go by", () => {
  test("R14 every frame has a position, and a client that resumes from any of them misses nothing", async () => {
    await using c = await cluster();
    const { node, watcher } = await seeded(c);
    await node.live.workspaces.upsert("a", { name: "1" });
    node.faults.away("a storm");
    watcher.take();
    node.faults.back();
    await node.live.workspaces.remove("b");
    watcher.take();
    await node.live.workspaces.upsert("c", { name: "1" });
    watcher.take();
    const final = node.live.workspaces
      .getByProjectId("p")
      .map(({ workspaceId, version }) => [workspaceId, version]);
    for (const [index, { id }] of watcher.frames.entries()) {
      const known = new Map<string, number>();
      const resumed = await watching(node, "p", id);
      for (const { data } of [...watcher.frames.slice(0, index + 1), ...resumed.take()]) {
        if (data.type === "snapshot_full")
          for (const { workspaceId, version } of data.entries) known.set(workspaceId, version);
        if (data.type === "snapshot_changed") known.set(data.workspaceId, data.entry.version);
        if (data.type === "snapshot_removed") known.delete(data.workspaceId);
      }
      expect([...known].sort()).toEqual(final.sort());
    }
  });

  test("R14 a delta is whole: its entry says its project and its version, which is the position's sequence", async () => {
    await using c = await cluster();
    const { node, watcher } = await seeded(c);
    await node.live.workspaces.upsert("a", { name: "1" });
    const [frame] = watcher.take();
    expect(frame?.data).toMatchObject({
      type: "snapshot_changed",
      workspaceId: "a",
      entry: { workspaceId: "a", projectId: "p", version: 4, name: "1", status: "NEW" },
    });
    expect(parsePosition(frame?.id)).toMatchObject({ sequence: 4 });
  });
});
