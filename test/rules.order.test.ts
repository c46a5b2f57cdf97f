/** Rules 1 to 6 of the design: the order, its records, its views, and the positions in it. */
import { describe, expect, test } from "vitest";
import { positionTag } from "../src/collection/tag.ts";
import { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED } from "../src/protocol/events.ts";
import { formatPosition, parsePosition } from "../src/protocol/position.ts";
import { workspaceModel } from "../src/workspace/index.ts";
import { type ClusterNode, cluster, HOUR, turn, watching } from "./helpers/cluster.ts";
import { following } from "./helpers/journal-sinks.ts";

const READY = { status: "READY" } as const;

describe("R1 one order", () => {
  test("R1 every commit has one sequence, ascending, and gaps between sequences mean nothing", async () => {
    let n = 0;
    await using c = await cluster({ step: () => 1 + (n++ % 3) * 10 });
    const node = await c.node();
    const watcher = await watching(node, "p");
    watcher.take();
    const versions: number[] = [];
    for (const name of ["a", "b", "c", "d"])
      versions.push((await node.live.workspaces.upsert("w", { projectId: "p", name })).version);
    expect(versions).toEqual([1, 12, 33, 34]);
    expect(watcher.told()).toEqual(["34 changed w@34"]);
    expect((await watching(node, "p", positionAt(node, "p", 33))).told()).toEqual([
      "33.r resumed until 34 missed 1",
      "34 changed w@34",
    ]);
    expect(
      (await watching(node, "p", positionAt(node, "p", 20))).told(),
      "a position in a gap is one too",
    ).toEqual(["20.r resumed until 34 missed 1", "34 changed w@34"]);
  });

  test("R1 what another collection of the same journal does moves no sequence, head or position of this one", async () => {
    await using c = await cluster();
    const node = await c.node();
    await node.live.workspaces.upsert("w", { projectId: "p" });
    const other = c.journal.log("messages");
    for (let expected = 0, count = 0; count < 5; count += 1)
      expected = (await other.append({ key: "w", body: null, expect: expected, messageId: `m${count}` }))
        .sequence;
    await other.raiseFloor("p", 5);
    expect(node.live.workspaces.collection.head).toBe(1);
    expect(node.live.workspaces.collection.floorOf("p")).toBe(0);
    expect((await node.live.workspaces.upsert("w", READY)).version).toBe(2);
    const { epoch } = await following(other);
    const theirs = positionTag(epoch, workspaceModel.revision, "messages", "p");
    expect(node.live.workspaces.collection.tagOf("p"), "nor are positions mistaken").not.toBe(theirs);
  });
});

/** A position in a project of this node, at any sequence. */
function positionAt({ live }: ClusterNode, projectId: string, sequence: number): string {
  return formatPosition(live.workspaces.collection.tagOf(projectId), sequence);
}

describe("R2 a record is whole", () => {
  test("R2 a move is one record: no moment at which a workspace is in both projects or in none", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    const seen: string[] = [];
    const look = () => seen.push(["p", "q"].map((id) => live.workspaces.getByProjectId(id).length).join("+"));
    live.workspaces.on(SNAPSHOT_CHANGED, look);
    live.workspaces.on(SNAPSHOT_REMOVED, look);
    await live.workspaces.upsert("w", { projectId: "p", name: "n" });
    await live.workspaces.upsert("w", { projectId: "q" });
    expect(seen).toEqual(["1+0", "0+1", "0+1"]);
    expect((await following(c.journal.log("snapshots"))).newest().size).toBe(1);
  });

  test("R2 a move is a removal in the old project and a change in the new one, at one sequence", async () => {
    await using c = await cluster();
    const node = await c.node();
    await node.live.workspaces.upsert("w", { projectId: "p", name: "n" });
    const [old, fresh] = [await watching(node, "p"), await watching(node, "q")];
    old.take();
    fresh.take();
    const { position } = await node.live.workspaces.upsert("w", { projectId: "q" });
    expect(old.told()).toEqual(["2 removed w"]);
    expect(fresh.told()).toEqual(["2 changed w@2"]);
    expect(fresh.position).toBe(position);
    expect(parsePosition(old.position)?.tag).not.toBe(parsePosition(fresh.position)?.tag);
  });

  test("R2 a node that starts from the newest records knows every departure inside the resume window", async () => {
    await using c = await cluster();
    const node = await c.node();
    const positions = new Map<string, string>();
    const see = async (projectId: string) => {
      const watcher = await watching(node, projectId);
      watcher.take();
      positions.set(projectId, watcher.position ?? "");
    };
    for (const projectId of ["a", "b", "c", "d"]) {
      await node.live.workspaces.upsert("w", { projectId });
      await see(projectId);
    }
    await node.live.workspaces.upsert("w", { name: "later", status: "ARCHIVED" });
    await node.live.workspaces.upsert("w", { name: "hidden" });
    const cold = await node.restart();
    const told = new Map<string, string[]>();
    for (const [projectId, position] of positions)
      told.set(projectId, (await watching(cold, projectId, position)).told());
    expect(Object.fromEntries(told)).toEqual({
      a: ["1.r resumed until 2 missed 1", "2 removed w"],
      b: ["2.r resumed until 3 missed 1", "3 removed w"],
      c: ["3.r resumed until 4 missed 1", "4 removed w"],
      d: ["4.r resumed until 5 missed 1", "5 removed w"],
    });
  });

  test("R2 what left before the resume window is not carried along for ever", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    for (let n = 0; n < 20; n += 1) {
      await live.workspaces.upsert("w", { projectId: `p${n}` });
      c.now += HOUR;
      await live.workspaces.collection.prune();
    }
    expect(live.workspaces.collection.record("w")?.left.length).toBeLessThanOrEqual(2);
    expect([...live.workspaces.collection.views()].length).toBeLessThanOrEqual(2);
  });
});

describe("R3 a scope's list", () => {
  test("R3 stands in the order of the last visible change", async () => {
    await using c = await cluster();
    const node = await c.node();
    for (const id of ["a", "b", "c"]) await node.live.workspaces.upsert(id, { projectId: "p" });
    await node.live.workspaces.upsert("a", { name: "again" });
    expect((await watching(node, "p")).told()).toEqual(["4.f full first: b@2 c@3 a@4"]);
  });

  test.each(["ARCHIVING", "ARCHIVED"] as const)(
    "R3 an entry that becomes %s is removed once, and what changes while it is hidden is told to nobody",
    async (status) => {
      await using c = await cluster();
      const node = await c.node();
      await node.live.workspaces.upsert("w", { projectId: "p", ...READY });
      const watcher = await watching(node, "p");
      watcher.take();
      await node.live.workspaces.upsert("w", { status });
      expect(watcher.told()).toEqual(["2 removed w"]);
      await node.live.workspaces.upsert("w", { name: "hidden" });
      await node.live.workspaces.upsert("w", { status: status === "ARCHIVED" ? "ARCHIVING" : "ARCHIVED" });
      expect(watcher.told()).toEqual([]);
      expect(node.live.workspaces.collection.head, "it takes a sequence all the same").toBe(4);
      expect(node.live.workspaces.getByWorkspaceId("w")).toBeUndefined();
      await node.live.workspaces.remove("w");
      expect(watcher.told(), "removed while hidden: told already").toEqual([]);
    },
  );

  test("R3 a tombstone gives way to an entry of the same workspace in the same project", async () => {
    await using c = await cluster();
    const node = await c.node();
    const watcher = await watching(node, "p");
    await node.live.workspaces.upsert("w", { projectId: "p", ...READY });
    watcher.take();
    await node.live.workspaces.upsert("w", { status: "ARCHIVED" });
    await node.live.workspaces.upsert("w", READY);
    expect(watcher.told(), "conflated: there again before anybody looked").toEqual(["3 changed w@3"]);
    await node.live.workspaces.remove("w");
    await node.live.workspaces.upsert("w", { projectId: "p" });
    expect(watcher.told()).toEqual(["5 changed w@5"]);
    expect(node.live.workspaces.collection.view("p")?.tombstoneCount).toBe(0);
  });
});

describe("R4 only the ordered log applies", () => {
  test("R4 an acknowledgement applies nothing: until the record comes back queries, fulls, listeners and feeds see nothing", async () => {
    await using c = await cluster();
    const node = await c.node();
    const { live, faults } = node;
    await live.workspaces.upsert("w", { projectId: "p", name: "old" });
    const watcher = await watching(node, "p");
    watcher.take();
    const heard: number[] = [];
    live.workspaces.on(SNAPSHOT_CHANGED, ({ entry }) => heard.push(entry.version));
    faults.hold();
    let answered = false;
    const write = live.workspaces.upsert("w", { name: "new" }).finally(() => {
      answered = true;
    });
    await turn();
    expect((await following(c.journal.log("snapshots"))).head, "it is committed").toBe(2);
    expect(live.workspaces.getByWorkspaceId("w")?.name).toBe("old");
    expect((await watching(node, "p")).told()).toEqual(["1.f full first: w@1"]);
    expect({ heard, told: watcher.told(), answered }).toEqual({ heard: [], told: [], answered: false });
    faults.release();
    expect(await write).toMatchObject({ version: 2 });
    expect({ heard, told: watcher.told() }).toEqual({ heard: [2], told: ["2 changed w@2"] });
  });

  test("R4 answers that come in another order than the commits disturb nothing", async () => {
    await using c = await cluster();
    const node = await c.node();
    node.faults.answers.held = true;
    const writes = ["a", "b", "c"].map((id) => node.live.workspaces.upsert(id, { projectId: "p" }));
    await turn();
    const watcher = await watching(node, "p");
    expect(watcher.told(), "what is applied is seen before its writer is answered").toEqual([
      "3.f full first: a@1 b@2 c@3",
    ]);
    for (const index of [2, 0, 0]) node.faults.answers.releaseOne(index);
    expect((await Promise.all(writes)).map(({ version }) => version)).toEqual([1, 2, 3]);
  });

  test("R4 telling is one queue: what is committed while something is told is told after it, in order, to each listener", async () => {
    await using c = await cluster();
    const node = await c.node();
    const { live } = node;
    const heard: string[][] = [[], []];
    live.workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId, entry }) => {
      heard[0]?.push(`${workspaceId}@${entry.version}`);
      if (workspaceId === "a" && entry.version === 1) {
        void live.workspaces.upsert("b", { projectId: "p" });
        void live.workspaces.remove("c");
      }
    });
    live.workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId, entry }) =>
      heard[1]?.push(`${workspaceId}@${entry.version}`),
    );
    await live.workspaces.upsert("a", { projectId: "p" });
    await turn();
    expect(heard).toEqual([
      ["a@1", "b@2"],
      ["a@1", "b@2"],
    ]);
  });

  test("R4 a listener that throws or rejects harms neither the writer nor the others", async () => {
    await using c = await cluster();
    const node = await c.node();
    const { live } = node;
    const heard: string[] = [];
    live.workspaces.on(SNAPSHOT_CHANGED, () => {
      throw new Error("a bad listener");
    });
    live.workspaces.on(
      SNAPSHOT_CHANGED,
      () => Promise.reject(new Error("another one")) as unknown as undefined,
    );
    live.workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId }) => heard.push(workspaceId));
    const watcher = await watching(node, "p");
    await live.workspaces.upsert("w", { projectId: "p" });
    expect(heard).toEqual(["w"]);
    expect(watcher.told()).toHaveLength(1);
  });

  test("R4 what is handed out is frozen, and stays what it was", async () => {
    await using c = await cluster();
    const node = await c.node();
    const { live } = node;
    const events: { readonly entry: object }[] = [];
    live.workspaces.on(SNAPSHOT_CHANGED, (event) => void events.push(event));
    await live.workspaces.upsert("w", { projectId: "p", name: "1" });
    const full = (await watching(node, "p")).take();
    const list = live.workspaces.getByProjectId("p");
    await live.workspaces.upsert("w", { name: "2" });
    for (const handed of [events[0], events[0]?.entry, list, list[0]])
      expect(Object.isFrozen(handed)).toBe(true);
    expect(full[0]?.data).toMatchObject({ entries: [{ name: "1", version: 1 }] });
    expect(list).toMatchObject([{ name: "1" }]);
  });
});

describe("R5 head and floors", () => {
  test("R5 the head is never lowered by compaction, after a restart neither", async () => {
    await using c = await cluster({ step: () => 7 });
    const node = await c.node();
    await node.live.workspaces.upsert("w", { projectId: "p" });
    await node.live.workspaces.remove("w");
    c.now += HOUR + 1;
    await node.live.workspaces.collection.prune();
    expect((await following(c.journal.log("snapshots"))).records, "nothing is left of it").toEqual([]);
    expect(node.live.workspaces.collection.head).toBe(14);
    const cold = await node.restart();
    expect(cold.live.workspaces.collection.head).toBe(14);
    expect((await watching(cold, "p")).told()).toEqual(["14.f full first: "]);
    expect((await cold.live.workspaces.upsert("w", { projectId: "p" })).version).toBe(21);
  });

  test("R5 the floor of a project is the newest removal that was pruned in it, no more", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    for (const id of ["p", "q"]) {
      await live.workspaces.upsert(`${id}/kept`, { projectId: id });
      await live.workspaces.upsert(`${id}/gone`, { projectId: id });
    }
    await live.workspaces.remove("p/gone");
    c.now += HOUR + 1;
    await live.workspaces.upsert("p/young", { projectId: "p" });
    await live.workspaces.remove("p/young");
    await live.workspaces.collection.prune();
    const { collection } = live.workspaces;
    expect([collection.floorOf("p"), collection.floorOf("q")]).toEqual([5, 0]);
  });

  test("R5 a project that is forgotten keeps its old cursors out, and nobody else's", async () => {
    await using c = await cluster();
    const node = await c.node();
    const { live } = node;
    await live.workspaces.upsert("p/w", { projectId: "p" });
    const [inP, inQ] = [await watching(node, "p"), await watching(node, "q")];
    inP.take();
    await live.workspaces.upsert("q/w", { projectId: "q" });
    inQ.take();
    await live.workspaces.remove("q/w");
    c.now += HOUR + 1;
    await live.workspaces.collection.prune();
    expect([...live.workspaces.collection.views()].map(({ scope }) => scope)).toEqual(["p"]);
    for (const server of [node, await c.node()]) {
      expect((await watching(server, "q", inQ.position)).told()).toEqual(["3.f full trimmed: "]);
      expect((await watching(server, "p", inP.position)).told()).toEqual(["1.r resumed until 1 missed 0"]);
    }
  });
});

describe("R6 a position", () => {
  test("R6 of another project, epoch or model is seen as foreign", async () => {
    await using c = await cluster();
    const node = await c.node();
    await node.live.workspaces.upsert("w", { projectId: "p" });
    await node.live.workspaces.upsert("v", { projectId: "p1" });
    const inP = await watching(node, "p");
    inP.take();
    expect((await watching(node, "p1", inP.position)).told()).toEqual(["2.f full epoch-changed: v@2"]);
    const newModel = await c.node({ model: { ...workspaceModel, revision: "next" } } as object);
    expect((await watching(newModel, "p", inP.position)).told()).toEqual(["2.f full epoch-changed: w@1"]);
    await using other = await cluster();
    const foreign = await other.node();
    expect((await watching(foreign, "p", inP.position)).told()).toEqual(["0.f full epoch-changed: "]);
  });

  test("R6 the kind keeps the ids of control frames apart from those of deltas, and means nothing else", async () => {
    await using c = await cluster();
    const node = await c.node();
    await node.live.workspaces.upsert("w", { projectId: "p" });
    const watcher = await watching(node, "p");
    watcher.take();
    await node.live.workspaces.upsert("w", { name: "new" });
    watcher.take();
    const resumed = await watching(node, "p", watcher.position);
    resumed.take();
    resumed.subscription.end("revoked");
    resumed.take();
    const frames = [...watcher.frames, ...resumed.frames];
    const kinds = frames.map(({ id }) => parsePosition(id)?.kind);
    expect(kinds).toEqual(["f", undefined, "r", "e"]);
    expect(new Set(frames.map(({ id }) => id)).size, "no id twice").toBe(frames.length);
    for (const kind of ["", ".f", ".r", ".g", ".e", ".p", ".s"]) {
      const again = await watching(node, "p", `${positionAt(node, "p", 1)}${kind}`);
      expect(again.told()).toEqual(["1.r resumed until 2 missed 1", "2 changed w@2"]);
    }
  });
});
