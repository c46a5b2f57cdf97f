/** A write may say where its workspace has to be. It is looked at by the fold, never before. */
import { describe, expect, test } from "vitest";
import { cluster, turn } from "./helpers/cluster.ts";
import { reasonFrom, running } from "./helpers/store-parts.ts";

const expected = { expectedProjectId: "shop" };

describe("a write that expects its workspace in a project", () => {
  test("is taken where it is there, and where it is new", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    expect(await workspaces.upsert("w", { projectId: "shop" }, expected)).toMatchObject({ changed: true });
    expect(await workspaces.upsert("w", { name: "n" }, expected)).toMatchObject({ changed: true });
    await workspaces.upsert("w", { projectId: "site" });
    await workspaces.remove("w");
    expect(await workspaces.upsert("w", { projectId: "shop" }, expected)).toMatchObject({ changed: true });
    expect(workspaces.getByWorkspaceId("w")).toMatchObject({ projectId: "shop", name: "" });
  });

  test("may move it from there", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: "shop" });
    await workspaces.upsert("w", { projectId: "site" }, expected);
    expect(workspaces.projectOf("w")).toBe("site");
  });

  test.each(["READY", "ARCHIVING", "ARCHIVED"] as const)(
    "is refused while it is %s in another one, which is named, and nothing is written",
    async (status) => {
      await using service = await running();
      const { workspaces } = service.live;
      await workspaces.upsert("w", { projectId: "site", status });
      const attempt = workspaces.upsert("w", { projectId: "shop", name: "taken" }, expected);
      await expect(attempt).rejects.toMatchObject({
        reason: "other-project",
        message: "This workspace is in the project site, not in shop; nothing was set.",
      });
      expect(await reasonFrom(workspaces.upsert("w", { name: "taken" }, expected))).toBe("other-project");
      expect(service.appended).toHaveLength(1);
      expect(workspaces.projectOf("w")).toBe("site");
    },
  );

  test("is refused alone when a move waits before it: what comes after it is kept", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: "shop" });
    const release = service.holdJournal();
    const writes = [
      workspaces.upsert("w", { name: "first" }),
      workspaces.upsert("w", { projectId: "site" }),
      workspaces.upsert("w", { name: "late" }, expected),
      workspaces.upsert("w", { branchName: "kept" }),
    ];
    const reasons = Promise.all(writes.map(reasonFrom));
    release();
    expect(await reasons).toEqual(["no refusal", "no refusal", "other-project", "no refusal"]);
    expect(service.appended).toHaveLength(3);
    expect(await workspaces.upsert("w", {})).toMatchObject({ changed: false });
    expect(workspaces.getByWorkspaceId("w")).toMatchObject({
      projectId: "site",
      name: "first",
      branchName: "kept",
    });
  });

  test("R15 is refused when another node moved it meanwhile: the comparison is lost, and it folds again", async () => {
    await using c = await cluster();
    const [one, two] = [await c.node(), await c.node()];
    await one.live.workspaces.upsert("w", { projectId: "shop" });
    two.faults.requests.held = true;
    const slow = two.live.workspaces.upsert("w", { projectId: "shop", name: "late" }, expected);
    await turn();
    await one.live.workspaces.upsert("w", { projectId: "site", status: "ARCHIVED" });
    two.faults.requests.open();
    expect(await reasonFrom(slow)).toBe("other-project");
    for (const { live } of [one, two]) expect(live.workspaces.projectOf("w")).toBe("site");
  });
});
