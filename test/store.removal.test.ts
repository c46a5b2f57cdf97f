/** Gone is gone: what was observed before a removal does not bring a workspace back. */
import { describe, expect, test } from "vitest";
import { NOON, reasonFrom, running } from "./helpers/store-parts.ts";

const P = "project";

test("M6 a removed workspace is gone from every view, and told once", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", { projectId: P });
  expect(await workspaces.remove("w")).toMatchObject({ accepted: true, changed: true });
  expect(await workspaces.remove("w")).toMatchObject({ changed: false });
  expect([workspaces.getByWorkspaceId("w"), workspaces.getByProjectId(P), workspaces.projectOf("w")]).toEqual(
    [undefined, [], undefined],
  );
  expect(service.heard.map(({ type }) => type)).toEqual(["changed", "removed"]);
});

test("L-D8 a workspace that is created again goes on counting its version, and starts from the defaults", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", { projectId: P, name: "first life" });
  const last = await workspaces.upsert("w", { branchName: "feature" });
  await workspaces.remove("w");
  const again = await workspaces.upsert("w", { projectId: P });
  expect(again.version).toBeGreaterThan(last.version);
  expect(workspaces.getByWorkspaceId("w")).toMatchObject({
    version: again.version,
    name: "",
    branchName: null,
  });
});

describe("a late patch", () => {
  test("does not bring a removed workspace back", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P }, { observedAt: NOON });
    await workspaces.remove("w", { observedAt: NOON + 20 });
    for (const observedAt of [NOON + 10, NOON + 20]) {
      expect(await workspaces.upsert("w", { projectId: P }, { observedAt })).toMatchObject({
        accepted: false,
      });
    }
    expect(service.heard).toHaveLength(2);
    expect(await workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 21 })).toMatchObject({
      changed: true,
    });
  });

  test("does not bring a workspace back that had no record when it was removed", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    expect(await workspaces.remove("w", { observedAt: NOON + 20 })).toMatchObject({
      changed: false,
      version: 0,
      position: null,
    });
    expect(await workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 10 })).toMatchObject({
      accepted: false,
      version: 0,
    });
    expect(service.appended).toHaveLength(0);
    expect(await workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 30 })).toMatchObject({
      changed: true,
    });
  });

  test("is measured by the newest removal, not by the first", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P }, { observedAt: NOON });
    await workspaces.remove("w", { observedAt: NOON + 10 });
    await workspaces.remove("w", { observedAt: NOON + 30 });
    expect(await workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 20 })).toMatchObject({
      accepted: false,
    });
    expect(service.heard).toHaveLength(2);
  });

  test("in the same commit as the removal does not bring it back either", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P }, { observedAt: NOON });
    const release = service.holdJournal();
    const blocking = workspaces.upsert("w", { name: "keeps the lane busy" }, { observedAt: NOON + 1 });
    const removal = workspaces.remove("w", { observedAt: NOON + 20 });
    const late = workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 10 });
    release();
    expect(await Promise.all([blocking, removal, late])).toMatchObject([
      { changed: true },
      { changed: true },
      { accepted: false },
    ]);
    expect(workspaces.getByWorkspaceId("w")).toBeUndefined();
  });
});

test("a removal that is older than what was seen of the workspace is refused", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 20 });
  expect(await workspaces.remove("w", { observedAt: NOON + 10 })).toMatchObject({ accepted: false });
  await workspaces.upsert("w", { projectId: P }, { observedAt: NOON + 40 });
  expect(
    await workspaces.remove("w", { observedAt: NOON + 30 }),
    "an equal write is a sign of life too",
  ).toMatchObject({ accepted: false });
  expect(workspaces.getByWorkspaceId("w")).toBeDefined();
});

test("removed and created again in one commit is a change, not a removal", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  await workspaces.upsert("w", { projectId: P, name: "first life" });
  const release = service.holdJournal();
  const writes = [
    workspaces.upsert("w", { branchName: "keeps the lane busy" }),
    workspaces.remove("w"),
    workspaces.upsert("w", { projectId: P, name: "second life" }),
  ];
  release();
  await Promise.all(writes);
  expect(service.heard.map(({ type }) => type)).toEqual(["changed", "changed", "changed"]);
  expect(workspaces.getByWorkspaceId("w")).toMatchObject({ name: "second life", branchName: null });
});

test("what is remembered of removals without a record is bounded", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  for (let i = 0; i <= 1_024; i += 1) await workspaces.remove(`w${i}`, { observedAt: NOON + 20 });
  const late = (id: string) => workspaces.upsert(id, { projectId: P }, { observedAt: NOON + 10 });
  expect(await late("w1024"), "the newest is remembered").toMatchObject({ accepted: false });
  expect(await late("w0"), "the oldest is not").toMatchObject({ accepted: true });
});

test("the first patch of a workspace says its project; without one it is refused, and nothing is stored", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  expect(await reasonFrom(workspaces.upsert("w", { name: "whose?" }))).toBe("project-required");
  expect(await reasonFrom(workspaces.upsert("w", { projectId: "" }))).toBe("invalid-input");
  expect([service.appended, service.heard]).toEqual([[], []]);
  await workspaces.upsert("w", { projectId: P });
  await workspaces.remove("w");
  expect(await reasonFrom(workspaces.upsert("w", { name: "whose now?" }))).toBe("project-required");
});
