/** What is refused is refused whole, by a stable reason, and harms nothing else. */
import { describe, expect, test } from "vitest";
import { createSnapwire, SnapwireError, type WorkspaceEntry } from "../src/index.ts";
import { prepared, reasonFrom, running } from "./helpers/store-parts.ts";

const P = "project";

describe("P10 a patch that does not fit", () => {
  const bad: [string, unknown, string][] = [
    ["a value outside the enumeration", { status: "SLEEPING" }, "invalid-input"],
    ["null where null is not allowed", { status: null }, "invalid-input"],
    ["a key that nobody knows", { nmae: "a typing error" }, "invalid-input"],
    ["a number that is not one", { prNumber: Number.NaN }, "invalid-input"],
    ["a derived field", { kanbanColumn: "DONE" }, "derived-field"],
    ["a version", { version: 7 }, "derived-field"],
    ["no object", "text", "invalid-input"],
    ["nothing", undefined, "invalid-input"],
    ["a list", [], "invalid-input"],
    ["a key from the prototype", JSON.parse('{"__proto__": {"status": "READY"}}'), "invalid-input"],
  ];
  test.each(bad)("by %s is refused whole, and nothing of it is taken", async (_what, part, reason) => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P, name: "before" });
    const before = workspaces.getByWorkspaceId("w");
    const patch =
      typeof part === "object" && part !== null && !Array.isArray(part) ? { name: "after", ...part } : part;
    const sent = Object.hasOwn((part ?? {}) as object, "__proto__") ? part : patch;
    expect(await reasonFrom(workspaces.upsert("w", sent))).toBe(reason);
    expect(workspaces.getByWorkspaceId("w")).toBe(before);
    expect(service.heard).toHaveLength(1);
  });

  test("in a queue of writes fails alone: the ones before and after it are kept", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    await workspaces.upsert("w", { projectId: P });
    const release = service.holdJournal();
    const writes = [
      workspaces.upsert("w", { name: "good" }),
      workspaces.upsert("w", { name: 7 }),
      workspaces.upsert("w", { branchName: "good too" }),
    ];
    const settled = Promise.allSettled(writes);
    release();
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(workspaces.getByWorkspaceId("w")).toMatchObject({ name: "good", branchName: "good too" });
  });

  test("of a workspace without a project fails alone, and the one that names it is kept", async () => {
    await using service = await running();
    const { workspaces } = service.live;
    const release = service.holdJournal();
    const settled = Promise.allSettled([
      workspaces.upsert("w", { projectId: P }),
      workspaces.upsert("other", { name: "whose?" }),
      workspaces.upsert("w", { name: "mine" }),
    ]);
    release();
    expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(workspaces.getByWorkspaceId("w")?.name).toBe("mine");
  });
});

test.each([
  ["empty", ""],
  ["too long", "w".repeat(513)],
  ["no text", 7 as unknown as string],
])("P10 a workspace id that is %s is refused", async (_what, workspaceId) => {
  await using service = await running();
  expect(await reasonFrom(service.live.workspaces.upsert(workspaceId, { projectId: P }))).toBe(
    "invalid-input",
  );
  expect(await reasonFrom(service.live.workspaces.remove(workspaceId))).toBe("invalid-input");
});

test("ids that are names of Object's own are ids like any other", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  for (const id of ["__proto__", "constructor", "toString"]) await workspaces.upsert(id, { projectId: id });
  expect(workspaces.getByProjectId("__proto__")).toMatchObject([{ workspaceId: "__proto__" }]);
  expect(workspaces.getByWorkspaceId("hasOwnProperty")).toBeUndefined();
  expect(service.live.projects.all).toEqual(["__proto__", "constructor", "toString"]);
});

test("a write before start or after stop is refused as unavailable", async () => {
  await using service = prepared();
  const { workspaces } = service.live;
  expect(await reasonFrom(workspaces.upsert("w", { projectId: P }))).toBe("unavailable");
  await service.live.start();
  await workspaces.upsert("w", { projectId: P });
  await service.live.stop();
  expect(await reasonFrom(workspaces.upsert("w", { name: "late" }))).toBe("unavailable");
  expect(await reasonFrom(workspaces.remove("w"))).toBe("unavailable");
  expect(service.heard).toHaveLength(1);
});

test("a write that waits for the journal when the service stops is still answered, and stop waits for it", async () => {
  await using service = await running();
  const release = service.holdJournal();
  const order: string[] = [];
  const write = service.live.workspaces
    .upsert("w", { projectId: P })
    .then(({ changed }) => order.push(`written ${changed}`));
  const stop = service.live.stop().then(() => order.push("stopped"));
  release();
  await Promise.all([write, stop]);
  expect(order).toEqual(["written true", "stopped"]);
});

test("a journal that is away refuses a write as unavailable; the same write is taken when it is back", async () => {
  await using service = await running();
  const { workspaces } = service.live;
  service.setJournalAway(true);
  expect(await reasonFrom(workspaces.upsert("w", { projectId: P }))).toBe("unavailable");
  expect(workspaces.getByWorkspaceId("w")).toBeUndefined();
  service.setJournalAway(false);
  expect(await workspaces.upsert("w", { projectId: P })).toMatchObject({ changed: true });
});

test("start and stop may be called again, and a stopped service says that it cannot start", async () => {
  const live = createSnapwire();
  await Promise.all([live.start(), live.start()]);
  await Promise.all([live.stop(), live.stop()]);
  const other = createSnapwire();
  await other.stop();
  expect(await reasonFrom(other.start())).toBe("unavailable");
});

test("a host's own model decides what an entry is, and its refusals reach the writer", async () => {
  interface Task {
    readonly workspaceId: string;
    readonly title: string;
    readonly version: number;
  }
  interface State {
    readonly board: string;
    readonly title: string;
    readonly at: number;
  }
  await using live = createSnapwire<State, Partial<State>, Task>({
    model: {
      revision: "task-1",
      parsePatch: (input) => {
        const { board, title } = input as Record<string, unknown>;
        if (title !== undefined && typeof title !== "string")
          throw new SnapwireError("invalid-input", "A title is a text.");
        return {
          ...(typeof board === "string" ? { board } : {}),
          ...(title === undefined ? {} : { title }),
        };
      },
      fold: (base, patch, { observedAt }) => {
        if (base && observedAt < base.at) return { state: base, accepted: false, changedFields: [] };
        const state = { board: "", title: "", ...base, ...patch, at: observedAt };
        const changedFields = base?.title === state.title ? [] : ["title"];
        return { state, accepted: true, changedFields };
      },
      projectOf: ({ board }) => board,
      hidden: ({ title }) => title === "",
      sameValues: (a, b) => a.board === b.board && a.title === b.title,
      entryOf: (workspaceId, { title }, { version }) => Object.freeze({ workspaceId, title, version }),
    },
  });
  await live.start();
  await live.workspaces.upsert("t", { board: "b", title: "write tests" });
  const [task] = live.workspaces.getByProjectId("b");
  const typed: Task | undefined = task;
  expect(typed).toEqual({ workspaceId: "t", title: "write tests", version: expect.any(Number) });
  expect(await reasonFrom(live.workspaces.upsert("t", { title: 7 }))).toBe("invalid-input");
  // @ts-expect-error the entry is the model's, not the built-in one
  const status: WorkspaceEntry["status"] | undefined = task?.status;
  expect(status).toBeUndefined();
});
