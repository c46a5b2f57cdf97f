/** Rules 18 to 20 of the design, as far as one process can show them: starts, epochs, and what is not promised. */
import { describe, expect, test, vi } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { parsePosition } from "../src/protocol/position.ts";
import type { Source } from "../src/sources/source.ts";
import { cluster, HOUR, NOON, turn, watching } from "./helpers/cluster.ts";
import { following } from "./helpers/journal-sinks.ts";

/** A source over a plain map of rows. */
function worktrees(rows: Map<string, { projectId: string; name?: string }>): Source {
  return {
    name: "git",
    list: () => [...rows.keys()],
    read: (ids) =>
      ids.flatMap((workspaceId) => {
        const row = rows.get(workspaceId);
        return row ? [{ workspaceId, ...row }] : [];
      }),
  };
}

describe("R18 corrections at start-up", () => {
  test("R18 a worktree that vanished while nobody ran is removed by an ordinary commit, told like any other", async () => {
    await using c = await cluster();
    const rows = new Map([
      ["kept", { projectId: "p", name: "kept" }],
      ["gone", { projectId: "p", name: "gone" }],
    ]);
    const options = { sources: [worktrees(rows)] };
    const node = await c.node(options);
    await vi.waitFor(() => expect(node.live.complete("p")).toBe(true));
    await node.live.workspaces.upsert("by hand", { projectId: "p" });
    const watcher = await watching(node, "p");
    expect(watcher.told()).toEqual(["3.f full first: kept@1 gone@2 by hand@3"]);

    rows.delete("gone");
    const again = await node.restart();
    await vi.waitFor(() => expect(again.live.complete("p")).toBe(true));
    const resumed = await watching(again, "p", watcher.position);
    expect(resumed.told(), "only what the source introduced").toEqual([
      "3.r resumed until 4 missed 1",
      "4 removed gone",
    ]);
    const { records } = await following(c.journal.log("snapshots"));
    expect(records.at(-1)).toMatchObject({ sequence: 4, key: "gone" });
    expect((await watching(again, "p")).told()).toEqual(["4.f full first: kept@1 by hand@3"]);
  });

  test("R18 a full for a new subscriber waits for the corrections: nobody is shown what has vanished", async () => {
    await using c = await cluster();
    const rows = new Map([["gone", { projectId: "p" }]]);
    const options = { sources: [worktrees(rows)] };
    const node = await c.node(options);
    await vi.waitFor(() => expect(node.live.complete("p")).toBe(true));
    rows.clear();
    const again = await node.restart();
    expect((await watching(again, "p")).told()).toEqual(["2.f full first: "]);
  });

  test("R18 a start that finds everything as it was commits nothing", async () => {
    await using c = await cluster();
    const node = await c.node({ sources: [worktrees(new Map([["w", { projectId: "p" }]]))] });
    await vi.waitFor(() => expect(node.live.complete("p")).toBe(true));
    const { head } = node.live.workspaces.collection;
    const again = await node.restart();
    await vi.waitFor(() => expect(again.live.complete("p")).toBe(true));
    expect(again.live.workspaces.collection.head).toBe(head);
  });
});

describe("R19 an epoch", () => {
  test("R19 begins anew when the order is replaced, and everybody is told so by a full, once", async () => {
    await using c = await cluster();
    const node = await c.node();
    for (const id of ["a", "b"]) await node.live.workspaces.upsert(id, { projectId: "p" });
    const [live, stalled] = [await watching(node, "p"), await watching(node, "p")];
    live.take();
    stalled.take();
    const away = stalled.position;
    await node.live.workspaces.remove("a");
    live.take();
    await c.replaceOrder();
    for (const watcher of [live, stalled]) expect(watcher.told()).toEqual(["0.f full epoch-changed: "]);
    expect((await watching(node, "p", away)).told()).toEqual(["0.f full epoch-changed: "]);
    await node.live.workspaces.upsert("a", { projectId: "p" });
    for (const watcher of [live, stalled]) expect(watcher.told()).toEqual(["1 changed a@1"]);
  });

  test("R19 that was rolled back to a backup under a new name tells nobody a delta over what is gone", async () => {
    await using c = await cluster();
    const node = await c.node();
    await node.live.workspaces.upsert("a", { projectId: "p", name: "1" });
    const backup = await following(c.journal.log("snapshots"));
    backup.stop();
    const saved = [...backup.records];
    await node.live.workspaces.upsert("a", { name: "2" });
    await node.live.workspaces.upsert("b", { projectId: "p" });
    const watcher = await watching(node, "p");
    expect(watcher.told()).toEqual(["3.f full first: a@2 b@3"]);
    const restored = createMemoryJournal();
    await restored.open();
    for (const { key, body, sequence } of saved)
      await restored.log("snapshots").append({ key, body, expect: 0, messageId: `${sequence}` });
    await c.replaceOrder(restored);
    expect(watcher.told()).toEqual(["1.f full epoch-changed: a@1"]);
  });

  test("R19 is the same over a restart on an order that survived: a sequence that was told is never told of another commit", async () => {
    await using c = await cluster();
    let node = await c.node();
    const told = new Map<string, string>();
    let last: string | undefined;
    for (let life = 0; life < 4; life += 1) {
      const watcher = await watching(node, "p", last);
      for (let n = 0; n < 3; n += 1) {
        await node.live.workspaces.upsert(`w${n}`, { projectId: "p", name: `${life}.${n}` });
        if (n === 1) await node.live.workspaces.remove("w0");
        watcher.take();
      }
      for (const { id, data } of watcher.frames) {
        const { kind } = parsePosition(id) ?? {};
        if (kind !== undefined) continue;
        expect(told.has(id)).toBe(false);
        told.set(id, JSON.stringify(data));
      }
      expect(
        watcher.frames.map(({ data }) => data.type).filter((type) => type === "snapshot_full"),
      ).toHaveLength(life === 0 ? 1 : 0);
      last = watcher.position;
      node = await node.restart();
    }
    expect(told.size).toBe(15);
  });
});

test("R20 two subscriptions promise each other nothing: a stalled one delays no other, of the same project or another", async () => {
  await using c = await cluster();
  const node = await c.node();
  const stalled = await watching(node, "p");
  const [same, other] = [await watching(node, "p"), await watching(node, "q")];
  for (let n = 0; n < 3; n += 1) {
    await node.live.workspaces.upsert("p/w", { projectId: "p", name: `${n}` });
    await node.live.workspaces.upsert("q/w", { projectId: "q", name: `${n}` });
    same.take();
    other.take();
  }
  expect(same.frames).toHaveLength(3);
  expect(other.frames).toHaveLength(3);
  expect(stalled.told()).toEqual(["6.f full first: p/w@5"]);
});

describe("P6 a resume", () => {
  test("P6 works twice in a row, with no frame in between, in mid-catch-up, over a restart and on another node", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    for (const id of ["a", "b", "c", "d"]) await one.live.workspaces.upsert(id, { projectId: "p" });
    const first = await watching(one, "p");
    first.take();
    for (const id of ["a", "b", "c"]) await one.live.workspaces.upsert(id, { name: "new" });
    await one.live.workspaces.remove("d");

    const untaken = await watching(one, "p", first.position); // twice, with no frame in between
    untaken.close();
    const second = await watching(one, "p", first.position);
    expect(second.told(2)).toEqual(["4.r resumed until 8 missed 4", "5 changed a@5"]);
    second.close();

    const third = await watching(two, "p", second.position); // in mid-catch-up, on another node
    expect(third.told(1)).toEqual(["5.r resumed until 8 missed 3"]);
    third.close();

    const restarted = await two.restart();
    const fourth = await watching(restarted, "p", third.position); // from a control frame, after a restart
    expect(fourth.told()).toEqual([
      "5.r resumed until 8 missed 3",
      "6 changed b@6",
      "7 changed c@7",
      "8 removed d",
    ]);
    expect((await watching(one, "p", fourth.position)).told()).toEqual(["8.r resumed until 8 missed 0"]);
    expect(one.live.stats().fulls).toMatchObject({
      first: 1,
      trimmed: 0,
      ahead: 0,
      invalid: 0,
      "epoch-changed": 0,
    });
    expect(restarted.live.stats().fulls).toMatchObject({ first: 0, trimmed: 0, ahead: 0 });
  });
});

test("P5 not one byte of another project, also when names are prefixes of each other", async () => {
  await using c = await cluster();
  const node = await c.node();
  const projects = ["p", "p1", "p.1", "p/1", "P", "p ", "*", ">", "__proto__", "constructor"];
  const watchers = await Promise.all(projects.map((projectId) => watching(node, projectId)));
  const secret = (index: number) => `secret-of-${index}.`;
  for (let round = 0; round < 2; round += 1) {
    for (const [index, projectId] of projects.entries()) {
      const id = `${secret(index)}${round}`;
      await node.live.workspaces.upsert(id, { projectId, name: secret(index), branchName: secret(index) });
      if (round === 0) await node.live.workspaces.upsert(id, { status: "ARCHIVED" });
    }
    for (const watcher of watchers) watcher.take(round === 0 ? 1 : undefined);
  }
  for (const [index, watcher] of watchers.entries()) {
    const bytes = JSON.stringify(watcher.frames);
    expect(bytes).toContain(secret(index));
    for (const other of projects.keys()) if (other !== index) expect(bytes).not.toContain(secret(other));
  }
});

describe("memory", () => {
  test("P4 a stalled subscriber costs nothing that grows: five thousand changes leave a node per workspace", async () => {
    await using c = await cluster();
    const node = await c.node();
    const stalled = await watching(node, "p");
    stalled.take();
    for (let n = 0; n < 5_000; n += 1)
      await node.live.workspaces.upsert(`w${n % 10}`, { projectId: "p", name: `${n}` });
    const view = node.live.workspaces.collection.view("p");
    expect([view?.entryCount, view?.tombstoneCount]).toEqual([10, 0]);
    expect(node.live.workspaces.collection.waiting).toBe(0);
    expect(stalled.take()).toHaveLength(10);
  });

  test("P8 a service that stops leaves no subscription, no waiter and nobody in the journal", async () => {
    await using c = await cluster();
    const node = await c.node();
    await node.live.workspaces.upsert("w", { projectId: "p" });
    const watchers = await Promise.all(["p", "q"].map((projectId) => watching(node, projectId)));
    node.faults.hold();
    const write = node.live.workspaces.upsert("w", { name: "in flight" });
    await turn();
    const stopping = node.live.stop();
    node.faults.release();
    expect(await write).toMatchObject({ version: 2 });
    await stopping;
    for (const watcher of watchers) expect([watcher.subscription.closed, watcher.take()]).toEqual([true, []]);
    expect(node.live.feed.size).toBe(0);
    expect(node.live.workspaces.collection.waiting).toBe(0);
    expect(node.faults.followers.size).toBe(0);
    await expect(node.live.workspaces.upsert("w", { name: "late" })).rejects.toMatchObject({
      reason: "unavailable",
    });
  });

  test("P8 workspaces that come and go leave nothing once the resume window is over", async () => {
    await using c = await cluster();
    const node = await c.node();
    for (let n = 0; n < 200; n += 1) {
      const id = `w${n}`;
      await node.live.workspaces.upsert(id, { projectId: `p${n % 7}`, name: "n" });
      await node.live.workspaces.upsert(id, { name: "n" });
      if (n % 3 === 0) await node.live.workspaces.upsert(id, { projectId: "q" });
      if (n % 4 === 0) await node.live.workspaces.upsert(id, { status: "ARCHIVED" });
      await node.live.workspaces.remove(id);
    }
    c.now = NOON + 2 * HOUR;
    const { collection } = node.live.workspaces;
    await collection.prune();
    expect([...collection.records()]).toEqual([]);
    expect([...collection.views()]).toEqual([]);
    expect(collection.riding).toBe(0);
    const { records, floors } = await following(c.journal.log("snapshots"));
    expect(records).toEqual([]);
    expect([...floors.keys()], "one floor for all that is forgotten").toEqual([null]);
  });
});
