import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SnapwireError } from "../src/protocol/errors.ts";
import { FIELD_GROUPS, GROUP_OF_FIELD, type WorkspaceField } from "../src/protocol/workspace.ts";
import type { Folded } from "../src/workspace/entry-model.ts";
import { workspaceModel as model, type WorkspaceState } from "../src/workspace/model.ts";
import type { WorkspacePatch } from "../src/workspace/patch.ts";
import { sameFieldValue, sameValue } from "../src/workspace/same-value.ts";
import { workspaceEntrySchema } from "../src/workspace/schema.ts";
import { patchArbitrary } from "./helpers/workspace-patches.ts";
import { session } from "./helpers/workspace-states.ts";

const META = { version: 7, computedAt: "2026-08-01T12:00:00.000Z", source: "event:git" };
const STATS = { total: 3, additions: 10, deletions: 2, hasUncommitted: true };

function fold(
  base: WorkspaceState | undefined,
  patch: WorkspacePatch,
  observedAt: number,
): Folded<WorkspaceState> {
  return model.fold(base, patch, { observedAt });
}

/** A workspace of project `p`, observed at 100. */
function seeded(patch: WorkspacePatch = {}, observedAt = 100): WorkspaceState {
  return fold(undefined, { projectId: "p", ...patch }, observedAt).state;
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof SnapwireError) return error.reason;
  }
  throw new Error("was not refused by a SnapwireError");
}

describe("a seed", () => {
  test("begins with the defaults, and only what was said has a stamp", () => {
    const { state, accepted, changedFields } = fold(
      undefined,
      { projectId: "p", name: "", status: "READY" },
      100,
    );
    expect(accepted).toBe(true);
    expect(changedFields).toEqual(["projectId", "status"]);
    expect(state.stamps).toEqual({ projectId: 100, name: 100, status: 100 });
    expect(state.values).toEqual({
      projectId: "p",
      name: "",
      status: "READY",
      createdAt: "",
      branchName: null,
      hasHadSessions: false,
      mode: "STANDARD",
      autoIterationStatus: null,
      prUrl: null,
      prNumber: null,
      prState: "NONE",
      prCiStatus: "UNKNOWN",
      prUpdatedAt: null,
      hasMergeConflict: false,
      isWorking: false,
      pendingRequestType: null,
      sessionSummaries: [],
      ratchetEnabled: false,
      ratchetState: "IDLE",
      ratchetDispatchOutcome: null,
      ratchetDispatchRetryCount: 0,
      ratchetDispatchStalled: false,
      runScriptStatus: "IDLE",
      gitStats: null,
      lastActivityAt: null,
    });
  });

  test("without a project is refused", () => {
    expect(refusal(() => fold(undefined, { name: "x" }, 1))).toBe("project-required");
    expect(refusal(() => fold(undefined, {}, 1))).toBe("project-required");
  });
});

describe("a fold", () => {
  test("takes a field whose observation is newer, and says which changed", () => {
    const { state, accepted, changedFields } = fold(
      seeded({ name: "a", prNumber: 1 }),
      { name: "b", prNumber: 1 },
      101,
    );
    expect(accepted).toBe(true);
    expect(changedFields).toEqual(["name"]);
    expect(state.values).toMatchObject({ name: "b", prNumber: 1 });
    expect(state.stamps).toEqual({ projectId: 100, name: 101, prNumber: 101 });
  });

  test("leaves a field whose observation is older: the identical state comes back", () => {
    const base = seeded({ name: "a" });
    expect(fold(base, { name: "b" }, 99)).toEqual({ state: base, accepted: false, changedFields: [] });
    expect(fold(base, { name: "b" }, 99).state).toBe(base);
    expect(fold(base, {}, 200)).toEqual({ state: base, accepted: false, changedFields: [] });
    expect(fold(base, { name: undefined }, 200).state).toBe(base);
  });

  test("takes the later arrival of two observations of the same time", () => {
    const { state, changedFields } = fold(seeded({ name: "a" }), { name: "b" }, 100);
    expect(state.values.name).toBe("b");
    expect(changedFields).toEqual(["name"]);
  });

  test("judges each field by its own stamp: news of one does not block older news of its sibling", () => {
    // A session event touches `hasHadSessions`; a pass that began before it still corrects `status`, of the same group.
    const touched = fold(seeded({ status: "PROVISIONING" }), { hasHadSessions: true }, 200).state;
    const { state, changedFields } = fold(touched, { status: "READY", hasHadSessions: false }, 150);
    expect(changedFields).toEqual(["status"]);
    expect(state.values).toMatchObject({ status: "READY", hasHadSessions: true });
  });

  test("accepts an equal value, advances its stamp and changes nothing", () => {
    const base = seeded({ name: "a", gitStats: STATS });
    const { state, accepted, changedFields } = fold(base, { name: "a", gitStats: { ...STATS } }, 150);
    expect(accepted).toBe(true);
    expect(changedFields).toEqual([]);
    expect(state.values).toBe(base.values);
    expect(state.stamps).toEqual({ projectId: 100, name: 150, gitStats: 150 });
    expect(model.sameValues(base, state)).toBe(true);
    // The stamp counts: what was observed in between is old news now.
    expect(fold(state, { name: "b" }, 120).accepted).toBe(false);
  });

  test("accepts an equal value of the same time and returns the identical state", () => {
    const base = seeded({ name: "a" });
    expect(fold(base, { name: "a" }, 100)).toEqual({ state: base, accepted: true, changedFields: [] });
    expect(fold(base, { name: "a" }, 100).state).toBe(base);
  });

  test("null clears, absent leaves", () => {
    const base = seeded({ prUrl: "https://forge.example/pull/1", branchName: "b" });
    const { state } = fold(base, { prUrl: null }, 101);
    expect(state.values).toMatchObject({ prUrl: null, branchName: "b" });
    expect(state.stamps.branchName).toBe(100);
  });

  test("guards identity by its stamp: an old patch cannot move a workspace back, nor a stale one carry it along", () => {
    const moved = fold(seeded(), { projectId: "q" }, 200);
    expect(moved.changedFields).toEqual(["projectId"]);
    const { state, changedFields } = fold(moved.state, { projectId: "p", name: "late" }, 150);
    expect(model.projectOf(state)).toBe("q");
    expect(changedFields).toEqual(["name"]); // never said before, so not older than what is known
  });

  test("ignores what is no field, however it got in", () => {
    const base = seeded();
    const odd = { version: 9, kanbanColumn: "DONE" } as unknown as WorkspacePatch;
    expect(fold(base, odd, 200).state).toBe(base);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("refuses the observation time %d", (observedAt) => {
    expect(refusal(() => fold(seeded(), { name: "b" }, observedAt))).toBe("invalid-input");
  });

  test("reordered sessions are no change, and the stored order stays", () => {
    const [one, two] = [session({ sessionId: "s1" }), session({ sessionId: "s2", activity: "WORKING" })];
    const base = seeded({ sessionSummaries: [one, two] });
    const same = fold(base, { sessionSummaries: [{ ...two }, { ...one }] }, 101);
    expect(same.changedFields).toEqual([]);
    expect(same.state.values.sessionSummaries.map((each) => each.sessionId)).toEqual(["s1", "s2"]);
    expect(fold(base, { sessionSummaries: [two] }, 101).changedFields).toEqual(["sessionSummaries"]);
    expect(fold(base, { sessionSummaries: [one, { ...two, activity: "IDLE" }] }, 101).changedFields).toEqual([
      "sessionSummaries",
    ]);
  });

  test("never changes its base, and keeps nothing that the caller can change", () => {
    const base = seeded({ gitStats: STATS });
    const before = structuredClone(base);
    const mine = { gitStats: { ...STATS, total: 4 }, sessionSummaries: [session()] };
    const { state } = fold(base, mine, 101);
    mine.gitStats.total = 99;
    mine.sessionSummaries.length = 0;
    expect(base).toEqual(before);
    expect(state.values.gitStats?.total).toBe(4);
    expect(state.values.sessionSummaries).toHaveLength(1);
    expect(() => Object.assign(state.values, { name: "x" })).toThrow(TypeError);
    expect(() => Object.assign(base.stamps, { name: 1 })).toThrow(TypeError);
  });

  test("ends in the same values and stamps in whatever order patches of different times arrive", () => {
    const patches = fc.uniqueArray(
      fc.record({ patch: patchArbitrary, observedAt: fc.integer({ min: 1, max: 1_000 }) }),
      {
        selector: ({ observedAt }) => observedAt,
        maxLength: 8,
      },
    );
    const twoOrders = patches.chain((list) =>
      fc.tuple(
        fc.constant(list),
        fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length }),
      ),
    );
    const run = (list: readonly { patch: WorkspacePatch; observedAt: number }[]) =>
      list.reduce((state, { patch, observedAt }) => fold(state, patch, observedAt).state, seeded({}, 0));
    fc.assert(
      fc.property(twoOrders, ([one, other]) => {
        expect(model.sameValues(run(other), run(one))).toBe(true);
        expect(run(other).stamps).toEqual(run(one).stamps);
      }),
    );
  });

  test("says exactly the fields that differ, and accepts exactly what is not older", () => {
    const times = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }));
    fc.assert(
      fc.property(patchArbitrary, patchArbitrary, times, (first, second, [t1, t2]) => {
        const base = fold(seeded({}, 0), first, t1).state;
        const { state, accepted, changedFields } = fold(base, second, t2);
        const fields = Object.keys(GROUP_OF_FIELD) as WorkspaceField[];
        const differing = fields.filter(
          (field) => !sameFieldValue(field, base.values[field], state.values[field]),
        );
        const said = fields.filter((field) => second[field] !== undefined);
        expect(changedFields).toEqual(differing);
        expect(accepted).toBe(said.some((field) => t2 >= (base.stamps[field] ?? 0)));
        expect(model.sameValues(base, state)).toBe(differing.length === 0);
        for (const field of said) expect(state.stamps[field]).toBe(Math.max(t2, base.stamps[field] ?? 0));
      }),
    );
  });
});

describe("signs of life after a restart", () => {
  const correct = (patch: WorkspacePatch) => model.correct?.(seeded(patch));

  test("a stored working signal, running session or run script is taken back", () => {
    const running = session({ runtimePhase: "running", activity: "WORKING", processState: "alive" });
    expect(correct({ isWorking: true, sessionSummaries: [running], runScriptStatus: "STARTING" })).toEqual({
      isWorking: false,
      sessionSummaries: [{ ...running, runtimePhase: "idle", activity: "IDLE", processState: "unknown" }],
      runScriptStatus: "IDLE",
    });
  });

  test("what has ended, or waits for a person, stays as it is", () => {
    const crashed = session({ runtimePhase: "error", processState: "stopped", activity: "IDLE" });
    const patch: WorkspacePatch = {
      sessionSummaries: [crashed],
      runScriptStatus: "FAILED",
      pendingRequestType: "plan_approval",
    };
    expect(correct(patch)).toBeUndefined();
  });

  test.each(["STARTING", "RUNNING", "STOPPING"] as const)(
    "a run script that was %s is idle",
    (runScriptStatus) => {
      expect(correct({ runScriptStatus })).toEqual({ runScriptStatus: "IDLE" });
    },
  );
});

describe("equality", () => {
  test.each<[unknown, unknown, boolean]>([
    [1, 1, true],
    [1, "1", false],
    [0, false, false],
    [null, undefined, true],
    [null, "", false],
    [null, {}, false],
    [[], {}, false],
    [{}, [], false],
    [[1, 2], [2, 1], false],
    [[1], [1, 2], false],
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, true],
    [{ a: 1 }, { a: 1, b: null }, true],
    [{ a: 1 }, { a: 1, b: 0 }, false],
    [{ a: 1, b: 0 }, { a: 1 }, false],
    [{ a: { b: [{ c: null }] } }, { a: { b: [{}] } }, true],
  ])("of %j and %j is %s", (a, b, same) => {
    expect(sameValue(a, b)).toBe(same);
    expect(sameValue(b, a)).toBe(same);
  });

  test("of sessions is that of a set by id, and a list that names one twice is not one that names two", () => {
    const [one, two] = [session({ sessionId: "s1" }), session({ sessionId: "s2" })];
    const same = (a: (typeof one)[], b: (typeof one)[]) => sameFieldValue("sessionSummaries", a, b);
    expect(same([one, two], [{ ...two, errorMessage: null }, one])).toBe(true);
    expect(same([one, two], [one, one])).toBe(false);
    expect(same([one, one], [one, two])).toBe(false);
    expect(same([one, one], [{ ...one }, one])).toBe(true);
    expect(same([one, two], [two])).toBe(false);
    expect(same([one, two], [two, { ...one, activity: "WORKING" }])).toBe(false);
  });
});

describe("hidden", () => {
  test("is what is being archived or was, and nothing else", () => {
    const hidden = (["NEW", "PROVISIONING", "READY", "FAILED", "ARCHIVING", "ARCHIVED"] as const).filter(
      (status) => model.hidden(seeded({ status })),
    );
    expect(hidden).toEqual(["ARCHIVING", "ARCHIVED"]);
  });
});

describe("the entry", () => {
  const isDeeplyFrozen = (value: unknown): boolean =>
    typeof value !== "object" ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen));

  test("is whole, valid, frozen throughout, and the same after a way through JSON", () => {
    fc.assert(
      fc.property(patchArbitrary, patchArbitrary, (first, second) => {
        const state = fold(fold(seeded(), first, 101).state, second, 102).state;
        const entry = model.entryOf("w", state, META);
        expect(isDeeplyFrozen(entry)).toBe(true);
        expect(workspaceEntrySchema.parse(entry)).toEqual(entry);
        expect(JSON.parse(JSON.stringify(entry))).toStrictEqual(entry);
        // What an engine stores and reads back makes the same bytes, and the stored one is left as it is.
        const stored = JSON.parse(JSON.stringify(state)) as WorkspaceState;
        const again = model.entryOf("w", stored, META);
        expect(JSON.stringify(again)).toBe(JSON.stringify(entry));
        expect(isDeeplyFrozen(again)).toBe(true);
        expect(Object.isFrozen(stored.values.sessionSummaries)).toBe(false);
      }),
    );
  });

  test("has its keys in one order, whatever was said first", () => {
    const keys = (state: WorkspaceState) => Object.keys(model.entryOf("w", state, META));
    const one = fold(seeded({ gitStats: STATS }), { name: "n" }, 200).state;
    const other = { values: Object.fromEntries(Object.entries(one.values).reverse()), stamps: {} };
    expect(keys(one)).toEqual(keys(seeded()));
    expect(keys(other as unknown as WorkspaceState)).toEqual(keys(seeded()));
    expect(keys(seeded()).slice(0, 5)).toEqual([
      "workspaceId",
      "version",
      "computedAt",
      "source",
      "projectId",
    ]);
  });

  test("carries what the commit knows, and the newest stamp of each group", () => {
    const state = fold(
      fold(seeded({ status: "READY" }, 100), { name: "a" }, 300).state,
      { prNumber: 4 },
      200,
    ).state;
    const entry = model.entryOf("w", state, META);
    expect(entry).toMatchObject({ workspaceId: "w", projectId: "p", ...META });
    expect(Object.keys(entry.fieldTimestamps)).toEqual(FIELD_GROUPS);
    expect(entry.fieldTimestamps).toEqual({
      workspace: 300,
      pr: 200,
      session: 0,
      ratchet: 0,
      runScript: 0,
      reconciliation: 0,
    });
  });

  test("derives from the raw values: isWorking never latches and the explicit signal beats the summaries", () => {
    const working = fold(seeded({ status: "READY" }), { isWorking: true }, 101).state;
    expect(model.entryOf("w", working, META)).toMatchObject({ isWorking: true, kanbanColumn: "WORKING" });
    const quiet = fold(
      working,
      { isWorking: false, sessionSummaries: [session({ runtimePhase: "running", activity: "WORKING" })] },
      102,
    ).state;
    expect(model.entryOf("w", quiet, META)).toMatchObject({
      isWorking: false,
      kanbanColumn: "WAITING",
      sidebarStatus: { activityState: "IDLE" },
    });
  });

  test("has a field that a state of an older release lacks, with its default", () => {
    const { runScriptStatus: _, ...older } = seeded().values;
    const state = { values: older, stamps: {} } as unknown as WorkspaceState;
    expect(workspaceEntrySchema.parse(model.entryOf("w", state, META)).runScriptStatus).toBe("IDLE");
  });

  test("handed out does not change when the state goes on", () => {
    const state = seeded({ gitStats: STATS, sessionSummaries: [session()] });
    const entry = model.entryOf("w", state, META);
    const text = JSON.stringify(entry);
    fold(state, { gitStats: null, sessionSummaries: [], name: "later" }, 200);
    expect(JSON.stringify(entry)).toBe(text);
    expect(() => Object.assign(entry.sessionSummaries[0] ?? {}, { name: "x" })).toThrow(TypeError);
  });
});
