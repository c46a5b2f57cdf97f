/** Rules 15 to 17 of the design, as the store shows them: what writes come to. The lane itself has tests of its own. */
import { describe, expect, test, vi } from "vitest";
import { JournalUnavailable } from "../src/journal/journal.ts";
import { silentLogger } from "../src/log.ts";
import { carryOver } from "../src/snapshots/operations.ts";
import { cluster, HOUR, NOON, turn, watching } from "./helpers/cluster.ts";
import { following } from "./helpers/journal-sinks.ts";

describe("R15 results", () => {
  test("R15 two writers of one workspace lose no field of each other, and each hears of its own patch", async () => {
    await using c = await cluster();
    const { live, faults } = await c.node();
    await live.workspaces.upsert("w", { projectId: "p", name: "n" });
    await turn();
    faults.answers.held = true;
    const first = live.workspaces.upsert("w", { name: "first" });
    const later = [
      live.workspaces.upsert("w", { prNumber: 7 }),
      live.workspaces.upsert("w", { name: "first" }),
      live.workspaces.upsert("w", { name: "stale" }, { observedAt: NOON - 1 }),
      live.workspaces.upsert("w", { branchName: "b" }),
    ];
    faults.answers.open();
    expect(await first).toMatchObject({ accepted: true, changed: true, version: 2 });
    expect(
      (await Promise.all(later)).map(({ accepted, changed, version }) => [accepted, changed, version]),
    ).toEqual([
      [true, true, 3],
      [true, false, 3],
      [false, false, 3],
      [true, true, 3],
    ]);
    expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({
      name: "first",
      prNumber: 7,
      branchName: "b",
      version: 3,
    });
  });

  test("R15 on two nodes at once: both fields stand, both writers are told their own commit", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p" });
    two.faults.requests.held = true;
    const slow = two.live.workspaces.upsert("w", { prNumber: 7 });
    await turn();
    expect(await one.live.workspaces.upsert("w", { branchName: "b" })).toMatchObject({ version: 2 });
    two.faults.requests.open();
    expect(await slow).toMatchObject({ accepted: true, changed: true, version: 3 });
    for (const { live } of [one, two])
      expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({
        prNumber: 7,
        branchName: "b",
        version: 3,
      });
  });

  test("R15 a patch that another node made stale meanwhile is refused at its commit, not before", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p" });
    two.faults.requests.held = true;
    const stale = two.live.workspaces.upsert("w", { name: "seen early" }, { observedAt: NOON + 10 });
    await turn();
    await one.live.workspaces.upsert("w", { name: "seen later" }, { observedAt: NOON + 20 });
    two.faults.requests.open();
    expect(await stale).toMatchObject({ accepted: false, changed: false, version: 2 });
    expect(two.live.workspaces.getByWorkspaceId("w")?.name).toBe("seen later");
  });

  test("R15 after a removal the base is the seed: nothing of the old life shows", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    await live.workspaces.upsert("w", { projectId: "p", name: "old", prNumber: 1, status: "FAILED" });
    await live.workspaces.remove("w");
    await expect(live.workspaces.upsert("w", { name: "n" })).rejects.toMatchObject({
      reason: "project-required",
    });
    await live.workspaces.upsert("w", { projectId: "q" });
    expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({
      projectId: "q",
      name: "",
      prNumber: null,
      status: "NEW",
    });
  });

  test("R15 what was observed before a removal began does not bring the workspace back", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p" }, { observedAt: NOON - 100 });
    await one.live.workspaces.remove("w", { observedAt: NOON });
    for (const { live } of [one, two]) {
      expect(await live.workspaces.upsert("w", { projectId: "p" }, { observedAt: NOON })).toMatchObject({
        accepted: false,
        changed: false,
      });
      expect(live.workspaces.getByWorkspaceId("w")).toBeUndefined();
    }
    await two.live.workspaces.remove("never seen", { observedAt: NOON });
    expect(
      await two.live.workspaces.upsert("never seen", { projectId: "p" }, { observedAt: NOON - 1 }),
    ).toMatchObject({
      accepted: false,
    });
    expect(one.live.workspaces.getByProjectId("p")).toEqual([]);
  });

  test("R15 a removal that is older than what was seen since is refused", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    await live.workspaces.upsert("w", { projectId: "p" }, { observedAt: NOON });
    expect(await live.workspaces.remove("w", { observedAt: NOON - 1 })).toMatchObject({
      accepted: false,
      version: 1,
    });
    expect(await live.workspaces.remove("w", { observedAt: NOON })).toMatchObject({
      accepted: true,
      changed: true,
    });
    expect(await live.workspaces.remove("w")).toMatchObject({ accepted: false, changed: false, version: 2 });
  });

  test("R15 the position in an answer is where a reader stands that has seen the write", async () => {
    await using c = await cluster();
    const node = await c.node();
    const written = await node.live.workspaces.upsert("w", { projectId: "p" });
    expect((await watching(node, "p", written.position)).told()).toEqual(["1.r resumed until 1 missed 0"]);
    const moved = await node.live.workspaces.upsert("w", { projectId: "q" });
    expect((await watching(node, "q", moved.position)).told()).toEqual(["2.r resumed until 2 missed 0"]);
    const removed = await node.live.workspaces.remove("w");
    expect((await watching(node, "q", removed.position)).told()).toEqual(["3.r resumed until 3 missed 0"]);
    expect(await node.live.workspaces.remove("unknown")).toEqual({
      accepted: false,
      changed: false,
      version: 0,
      position: null,
    });
  });
});

test("R16 the version is the commit's sequence, and grows through hiding, removal, pruning and a second life", async () => {
  let n = 0;
  await using c = await cluster({ step: () => 1 + (n++ % 2) });
  let node = await c.node();
  const versions: number[] = [];
  const step = async (write: Promise<{ version: number }>) => void versions.push((await write).version);
  await step(node.live.workspaces.upsert("w", { projectId: "p" }));
  await step(node.live.workspaces.upsert("w", { status: "ARCHIVED" }));
  await step(node.live.workspaces.upsert("w", { status: "READY" }));
  await step(node.live.workspaces.remove("w"));
  await step(node.live.workspaces.upsert("w", { projectId: "p" }));
  await step(node.live.workspaces.remove("w"));
  c.now += HOUR + 1;
  await node.live.workspaces.collection.prune();
  expect(node.live.workspaces.collection.record("w"), "nobody remembers it").toBeUndefined();
  node = await node.restart();
  await step(node.live.workspaces.upsert("w", { projectId: "p" }));
  expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b));
  expect(node.live.workspaces.getByWorkspaceId("w")?.version).toBe(versions.at(-1));
});

const seenAt = (ms: number) => ({ observedAt: NOON + ms });

describe("R17 an equal write", () => {
  test("R17 is accepted, commits nothing, and its stamp rides with the next commit of the workspace", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    const at = (ms: number) => ({ observedAt: NOON + ms });
    await live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, at(0));
    expect(await live.workspaces.upsert("w", { prNumber: 1 }, at(10))).toMatchObject({
      accepted: true,
      changed: false,
      version: 1,
    });
    expect((await following(c.journal.log("snapshots"))).records).toHaveLength(1);
    expect(
      live.workspaces.getByWorkspaceId("w")?.fieldTimestamps.pr,
      "wire stamps are the committed ones",
    ).toBe(NOON);
    expect(await live.workspaces.upsert("w", { prNumber: 2 }, at(5)), "it counts all the same").toMatchObject(
      { accepted: false },
    );
    expect(live.workspaces.collection.riding).toBe(1);
    await live.workspaces.upsert("w", { name: "n" }, at(20));
    expect(live.workspaces.collection.riding).toBe(0);
    expect(live.workspaces.getByWorkspaceId("w")?.fieldTimestamps).toMatchObject({
      pr: NOON + 10,
      workspace: NOON + 20,
    });
  });

  test("R17 its stamp rides on over a commit of another node", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    const at = (ms: number) => ({ observedAt: NOON + ms });
    await one.live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, at(0));
    await one.live.workspaces.upsert("w", { prNumber: 1 }, at(100)); // rides on `one`
    await two.live.workspaces.upsert("w", { name: "another field" }, at(50));
    expect(await one.live.workspaces.upsert("w", { prNumber: 2 }, at(90))).toMatchObject({ accepted: false });
    expect(await one.live.workspaces.remove("w", at(95)), "it is there still").toMatchObject({
      accepted: false,
    });
    expect(await one.live.workspaces.upsert("w", { name: "n" }, at(110))).toMatchObject({ changed: true });
    for (const { live } of [one, two])
      expect(live.workspaces.getByWorkspaceId("w")?.fieldTimestamps.pr).toBe(NOON + 100);
    expect(one.live.workspaces.collection.riding).toBe(0);
  });

  test("R17 what it saw stands against an older observation that another node commits meanwhile", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    const at = (ms: number) => ({ observedAt: NOON + ms });
    await one.live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, at(0));
    await turn();
    await one.live.workspaces.upsert("w", { prNumber: 1 }, at(100));
    await two.live.workspaces.upsert("w", { prNumber: 2, name: "n" }, at(50)); // does not know of it
    await vi.waitFor(() => {
      for (const { live } of [one, two])
        expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({ prNumber: 1, name: "n" });
    });
    expect(one.live.workspaces.collection.riding).toBe(0);
    expect(one.live.workspaces.getByWorkspaceId("w")?.source, "never empty").not.toBe("");
  });

  test("R17 what it saw moves a workspace that another node moved by an older observation, and hides what it hid", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p", status: "READY" }, seenAt(0));
    await turn();
    await one.live.workspaces.upsert("w", { projectId: "p" }, seenAt(100));
    await two.live.workspaces.upsert("w", { projectId: "q" }, seenAt(50));
    await vi.waitFor(() => {
      for (const { live } of [one, two])
        expect([
          live.workspaces.getByProjectId("p").length,
          live.workspaces.getByProjectId("q").length,
        ]).toEqual([1, 0]);
    });
    await one.live.workspaces.upsert("w", { status: "ARCHIVED" }, seenAt(200));
    await one.live.workspaces.upsert("w", { status: "ARCHIVED" }, seenAt(300));
    await two.live.workspaces.upsert("w", { status: "READY" }, seenAt(250));
    await vi.waitFor(() => expect(one.live.workspaces.collection.riding).toBe(0));
    for (const { live } of [one, two]) expect(live.workspaces.getByWorkspaceId("w")).toBeUndefined();
  });

  test("R17 it stands after a node has followed again, and while its lane was busy", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, seenAt(0));
    await turn();
    await one.live.workspaces.upsert("w", { prNumber: 1 }, seenAt(100));
    one.faults.hold();
    await two.live.workspaces.upsert("w", { prNumber: 2 }, seenAt(50));
    const again = one.faults.followAgain();
    one.faults.release();
    await again;
    await vi.waitFor(() => expect(two.live.workspaces.getByWorkspaceId("w")?.prNumber).toBe(1));

    await one.live.workspaces.upsert("w", { prNumber: 1 }, seenAt(200));
    one.faults.requests.held = true;
    const busy = one.live.workspaces.upsert("w", { name: "busy" }, seenAt(200));
    await turn();
    await two.live.workspaces.upsert("w", { prNumber: 3 }, seenAt(150));
    one.faults.before = async () => {
      one.faults.before = undefined;
      throw new JournalUnavailable("too busy", { inDoubt: false });
    };
    one.faults.requests.open();
    await expect(busy).rejects.toMatchObject({ reason: "unavailable" });
    await vi.waitFor(() => expect(two.live.workspaces.getByWorkspaceId("w")?.prNumber).toBe(1));
  });

  test("R17 a model of a host's own is not asked to merge two lives", () => {
    const state = (removedAt: number) => ({
      model: { n: removedAt },
      owner: "",
      source: "x",
      seenAt: 1,
      removedAt,
    });
    const model = {
      merge: (_: object, b: { n: number }) => b,
      projectOf: () => "p",
      hidden: () => false,
      sameValues: () => false,
    };
    const record = (removedAt: number) => ({ scope: "p", hidden: false, state: state(removedAt) });
    expect(carryOver(model, record(0), record(0))).toMatchObject({ changed: true });
    expect(carryOver(model, record(5), record(0))).toBeUndefined();
  });

  test("R17 what the journal does not take now is said, and committed once it does", async () => {
    await using c = await cluster();
    const said: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void said.push(message) };
    const [one, two] = [await c.node({ logger }), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, seenAt(0));
    await turn();
    await one.live.workspaces.upsert("w", { prNumber: 1 }, seenAt(100));
    let attempts = 0;
    one.faults.fate = () => (attempts++ < 2 ? "refused" : "answered");
    await two.live.workspaces.upsert("w", { prNumber: 2 }, seenAt(50));
    await vi.waitFor(() => expect(two.live.workspaces.getByWorkspaceId("w")?.prNumber).toBe(1), 10_000);
    expect(said).toEqual(["a newer observation is not committed yet; it is tried again"]);
    expect(attempts).toBe(3);
  });

  test.each([
    "at once",
    "by another node, in one commit",
    "while this node follows again",
    "and the removal was pruned",
  ])("R17 a life that has ended does not come back: removed and created anew %s", async (how) => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, seenAt(0));
    await turn();
    const equal = one.live.workspaces.upsert("w", { prNumber: 1 }, seenAt(10));
    const anew = { projectId: "p", name: "new life" };
    if (how === "at once") {
      const gone = one.live.workspaces.remove("w", seenAt(20));
      await Promise.all([equal, gone, one.live.workspaces.upsert("w", anew, seenAt(30))]);
    } else if (how === "by another node, in one commit") {
      await equal;
      two.faults.answers.held = true;
      const before = two.live.workspaces.upsert("w", { branchName: "b" }, seenAt(15));
      const gone = two.live.workspaces.remove("w", seenAt(20));
      const back = two.live.workspaces.upsert("w", anew, seenAt(30));
      two.faults.answers.open();
      await Promise.all([before, gone, back]);
    } else {
      await equal;
      one.faults.hold();
      await two.live.workspaces.remove("w", seenAt(20));
      if (how === "and the removal was pruned") {
        c.now += HOUR + 1;
        await two.live.workspaces.collection.prune();
      }
      await two.live.workspaces.upsert("w", anew, { observedAt: c.now + 30 });
      const again = one.faults.followAgain();
      one.faults.release();
      await again;
    }
    await turn();
    await turn();
    for (const { live } of [one, two])
      expect(live.workspaces.getByWorkspaceId("w")).toMatchObject({ name: "new life", prNumber: null });
  });

  test("R17 it ends with a removal by another node", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "p", prNumber: 1 }, { observedAt: NOON });
    await turn();
    await one.live.workspaces.upsert("w", { prNumber: 1 }, { observedAt: NOON + 10 });
    await two.live.workspaces.remove("w", { observedAt: NOON + 5 });
    await turn();
    expect(one.live.workspaces.getByWorkspaceId("w")).toBeUndefined();
    expect(one.live.workspaces.collection.riding).toBe(0);
  });

  test("R17 a stamp from outside counts at most 5 s ahead of the own clock", async () => {
    await using c = await cluster();
    const { live } = await c.node();
    await live.workspaces.upsert("w", { projectId: "p" }, { observedAt: NOON + HOUR });
    expect(live.workspaces.getByWorkspaceId("w")?.fieldTimestamps.workspace).toBe(NOON + 5_000);
  });
});
