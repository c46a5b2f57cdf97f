import { describe, expect, test } from "vitest";
import {
  applyFrame,
  caughtUp,
  createReplicaState,
  type Outcome,
  type ReplicaState,
  resumePoint,
} from "../client/replica-state.ts";
import {
  changed,
  ended,
  entry,
  full,
  OTHER_TAG,
  progress,
  removed,
  resumed,
  status,
  TAG,
  type TestEntry,
  type TestFrame,
} from "./helpers/client-frames.ts";

function stateAfter(...frames: readonly TestFrame[]): ReplicaState<TestEntry> {
  const state = createReplicaState<TestEntry>();
  for (const frame of frames) applyFrame(state, frame);
  return state;
}

function view(state: ReplicaState<TestEntry>): Record<string, string> {
  return Object.fromEntries([...state.entries].map(([id, { name }]) => [id, name]));
}

describe("rule 14: a full", () => {
  test("replaces everything that was shown, in one step", () => {
    const state = stateAfter(full(5, [entry("a", 1), entry("b", 5)]));
    const outcome = applyFrame(state, full(9, [entry("b", 9), entry("c", 7)], { reason: "trimmed" }));
    expect(outcome).toEqual({ kind: "full", reason: "trimmed", times: 1, unreadable: 0 });
    expect(view(state)).toEqual({ b: "b at 9", c: "c at 7" });
    expect(resumePoint(state)).toBe(`${TAG}.9`);
  });

  test("of another order replaces, however low its sequence", () => {
    const state = stateAfter(full(500, [entry("a", 1)]));
    applyFrame(state, full(2, [entry("z", 2)], { tag: OTHER_TAG, reason: "epoch-changed" }));
    expect(view(state)).toEqual({ z: "z at 2" });
    expect(resumePoint(state)).toBe(`${OTHER_TAG}.2`);
  });

  test.each(["first", "trimmed", "invalid", "epoch-changed"] as const)(
    "of the same order below the own position does not count with the reason %s",
    (reason) => {
      const state = stateAfter(full(5, [entry("a", 5)]), changed(8, "b"));
      expect(applyFrame(state, full(6, [], { reason }))).toEqual({ kind: "ignored", because: "older" });
      expect(view(state)).toEqual({ a: "a at 5", b: "b at 8" });
      expect(resumePoint(state)).toBe(`${TAG}.8`);
    },
  );

  test("of the same order below the own position counts with the reason ahead", () => {
    const state = stateAfter(full(5, [entry("a", 5)]), changed(8, "b"));
    applyFrame(state, full(6, [entry("a", 5)], { reason: "ahead" }));
    expect(view(state)).toEqual({ a: "a at 5" });
    applyFrame(state, changed(7, "c"));
    expect(view(state)).toEqual({ a: "a at 5", c: "c at 7" });
  });

  test("at the own position counts", () => {
    const state = stateAfter(full(5, [entry("a", 5)]), changed(8, "b"));
    expect(applyFrame(state, full(8, [entry("b", 8)], { reason: "invalid" })).kind).toBe("full");
    expect(view(state)).toEqual({ b: "b at 8" });
  });

  test("without entries is an empty project, not an unknown one", () => {
    const state = stateAfter(full(3, []));
    expect(resumePoint(state)).toBe(`${TAG}.3`);
    expect(state.revision).toBe(1);
  });

  test("shows its readable entries even when one of them is not an entry", () => {
    const state = createReplicaState<TestEntry>();
    const frame = full(3, [entry("a", 1)]);
    const entries = [
      null,
      { name: "nobody" },
      7,
      ...(frame.data.type === "snapshot_full" ? frame.data.entries : []),
    ];
    const outcome = applyFrame(state, { id: frame.id, data: { ...frame.data, entries } });
    expect(outcome).toMatchObject({ kind: "full", unreadable: 3 });
    expect(view(state)).toEqual({ a: "a at 1" });
  });
});

describe("rule 14: a delta", () => {
  test("above the own position is applied and moves it", () => {
    const state = stateAfter(full(5, []), changed(7, "a"), removed(9, "a"), changed(12, "b"));
    expect(view(state)).toEqual({ b: "b at 12" });
    expect(resumePoint(state)).toBe(`${TAG}.12`);
  });

  test.each([7, 6, 1])("at or below the own position is dropped (%i, own 7)", (sequence) => {
    const state = stateAfter(full(5, []), changed(7, "a"));
    expect(applyFrame(state, changed(sequence, "a", { name: "older" }))).toEqual({
      kind: "ignored",
      because: "known",
    });
    expect(applyFrame(state, removed(sequence, "a"))).toEqual({ kind: "ignored", because: "known" });
    expect(view(state)).toEqual({ a: "a at 7" });
  });

  test("that removes an unknown key is silent, and still moves the position", () => {
    const state = stateAfter(full(5, [entry("a", 5)]));
    const { revision } = state;
    expect(applyFrame(state, removed(8, "never-seen"))).toEqual({ kind: "applied" });
    expect(state.revision).toBe(revision);
    expect(resumePoint(state)).toBe(`${TAG}.8`);
  });

  test("of another order, without a full before it, is not applied and asks for a new subscription", () => {
    const state = stateAfter(full(5, [entry("a", 5)]));
    expect(applyFrame(state, changed(9, "b", { tag: OTHER_TAG }))).toEqual({ kind: "foreign" });
    expect(applyFrame(state, removed(9, "a", { tag: OTHER_TAG }))).toEqual({ kind: "foreign" });
    expect(view(state)).toEqual({ a: "a at 5" });
    expect(resumePoint(state)).toBe(`${TAG}.5`);
  });

  test("before anything was loaded is not applied either", () => {
    const state = createReplicaState<TestEntry>();
    expect(applyFrame(state, changed(9, "b"))).toEqual({ kind: "foreign" });
    expect(state.position).toBeUndefined();
  });

  test("of a key that was removed brings it back with the newer version", () => {
    const state = stateAfter(full(5, [entry("a", 5)]), removed(6, "a"), changed(9, "a"));
    expect(view(state)).toEqual({ a: "a at 9" });
  });
});

describe("rule 14: the same full reason without a delta between", () => {
  const times = (outcome: Outcome): number => (outcome.kind === "full" ? outcome.times : 0);

  test("is counted", () => {
    const state = createReplicaState<TestEntry>();
    expect(times(applyFrame(state, full(5, [], { reason: "trimmed" })))).toBe(1);
    expect(times(applyFrame(state, full(6, [], { reason: "trimmed" })))).toBe(2);
    applyFrame(state, progress(7, true));
    expect(times(applyFrame(state, full(7, [], { reason: "trimmed" })))).toBe(3);
  });

  test("starts again after a delta, and after another reason, but not after a delta that was dropped", () => {
    const state = stateAfter(full(5, []), full(6, [], { reason: "trimmed" }));
    applyFrame(state, changed(6, "a"));
    expect(times(applyFrame(state, full(6, [], { reason: "trimmed" })))).toBe(2);
    applyFrame(state, changed(7, "a"));
    expect(times(applyFrame(state, full(8, [], { reason: "trimmed" })))).toBe(1);
    expect(times(applyFrame(state, full(8, [], { reason: "invalid" })))).toBe(1);
  });
});

describe("identity", () => {
  test("an entry of the same version is the same object after a full of the same order", () => {
    const state = stateAfter(full(5, [entry("a", 1), entry("b", 5)]));
    const [a, b] = [state.entries.get("a"), state.entries.get("b")];
    applyFrame(state, full(9, [entry("b", 9), entry("a", 1)], { reason: "trimmed" }));
    expect(state.entries.get("a")).toBe(a);
    expect(state.entries.get("b")).not.toBe(b);
  });

  test("an equal entry is the same object after a full of another order, whatever its version means there", () => {
    const state = stateAfter(full(5, [entry("a", 1, "same"), entry("b", 2, "before")]));
    const a = state.entries.get("a");
    applyFrame(state, full(9, [entry("a", 1, "same"), entry("b", 2, "after")], { tag: OTHER_TAG }));
    expect(state.entries.get("a")).toBe(a);
    expect(view(state)).toEqual({ a: "same", b: "after" });
  });

  test("entries without versions are compared by content", () => {
    const bare = (name: string): TestFrame => {
      const frame = full(5, []);
      return {
        ...frame,
        data: { ...frame.data, entries: [{ workspaceId: "a", at: new Date(5), tags: [name] }] },
      } as never;
    };
    const state = stateAfter(bare("x"));
    const before = state.entries.get("a");
    applyFrame(state, bare("x"));
    expect(state.entries.get("a")).toBe(before);
    applyFrame(state, bare("y"));
    expect(state.entries.get("a")).toMatchObject({ tags: ["y"] });
  });

  test("a full that changes nothing changes no revision, and no order", () => {
    const state = stateAfter(full(5, [entry("a", 1), entry("b", 5)]));
    const { revision } = state;
    applyFrame(state, full(9, [entry("b", 5), entry("a", 1)], { reason: "trimmed" }));
    expect(state.revision).toBe(revision);
    expect([...state.entries.keys()]).toEqual(["a", "b"]);
  });

  test("entries keep their place when they change; new ones come last", () => {
    const state = stateAfter(full(5, [entry("a", 1), entry("b", 5)]), changed(7, "a"));
    applyFrame(state, full(9, [entry("c", 9), entry("b", 5), entry("a", 7)], { reason: "trimmed" }));
    expect([...state.entries.keys()]).toEqual(["a", "b", "c"]);
  });
});

describe("control frames", () => {
  test("a resume has caught up at `until`, and never moves the position", () => {
    const state = stateAfter(full(5, []), resumed(5, 9));
    expect(caughtUp(state)).toBe(false);
    applyFrame(state, changed(7, "a"));
    expect(caughtUp(state)).toBe(false);
    applyFrame(state, changed(9, "b"));
    expect(caughtUp(state)).toBe(true);
    applyFrame(state, resumed(3, 3));
    expect(resumePoint(state)).toBe(`${TAG}.9`);
    expect(caughtUp(state)).toBe(true);
  });

  test("a resume in another order is foreign", () => {
    expect(applyFrame(stateAfter(full(5, [])), resumed(5, 9, { tag: OTHER_TAG }))).toEqual({
      kind: "foreign",
    });
  });

  test("progress says whether the first pass is done, and moves the position up only", () => {
    const state = stateAfter(full(5, [], { complete: false }));
    expect(state.complete).toBe(false);
    applyFrame(state, progress(8, true));
    expect(state.complete).toBe(true);
    applyFrame(state, progress(2, true));
    expect(resumePoint(state)).toBe(`${TAG}.8`);
  });

  test("a first frame says complete and fresh by itself: what was missed while away is not shown for ever", () => {
    const state = stateAfter(full(5, [], { complete: false }), status(5, false, "git is away"));
    expect(state).toMatchObject({ fresh: false, staleReason: "git is away", complete: false });
    applyFrame(state, resumed(5));
    expect(state).toMatchObject({ fresh: true, staleReason: undefined, complete: true });
    applyFrame(state, status(5, false, "git is away"));
    applyFrame(state, full(6, [], { reason: "trimmed" }));
    expect(state.fresh).toBe(true);
  });

  test("an end is told with its reason, and the view stays", () => {
    const state = stateAfter(full(5, [entry("a", 5)]));
    expect(applyFrame(state, ended(5, "revoked"))).toEqual({ kind: "ended", reason: "revoked" });
    expect(view(state)).toEqual({ a: "a at 5" });
  });
});

describe("P10 bad input", () => {
  test.each([
    ["an unknown type", { id: `${TAG}.9`, data: { type: "snapshot_sung", projectId: "p" } }],
    ["no type", { id: `${TAG}.9`, data: { workspaceId: "a" } }],
    ["a change without an entry", { id: `${TAG}.9`, data: { type: "snapshot_changed", workspaceId: "a" } }],
    ["an untracked frame", { type: "snapshot_changed", workspaceId: "a", entry: entry("a", 9) }],
    ["an envelope that nobody unwrapped", [`${TAG}.9`, changed(9, "a").data, null]],
    ["null", null],
    ["undefined", undefined],
    ["a string", "snapshot_full"],
    ["a type that every object has", { id: `${TAG}.9`, data: { type: "constructor" } }],
  ])("%s is skipped", (_name, delivered) => {
    const state = stateAfter(full(5, [entry("a", 5)]));
    expect(applyFrame(state, delivered)).toEqual({ kind: "ignored", because: "unknown-frame" });
    expect(view(state)).toEqual({ a: "a at 5" });
    expect(resumePoint(state)).toBe(`${TAG}.5`);
  });

  test.each([undefined, "", "5", `${TAG}.`, `${TAG}.05`, `${TAG}.9007199254740993`, 5, null])(
    "a frame with the position %j is skipped",
    (id) => {
      const state = stateAfter(full(5, [entry("a", 5)]));
      expect(applyFrame(state, { id, data: changed(9, "b").data })).toEqual({
        kind: "ignored",
        because: "no-position",
      });
      expect(view(state)).toEqual({ a: "a at 5" });
    },
  );

  test("unknown keys of a known frame are harmless", () => {
    const frame = changed(9, "a");
    const state = stateAfter(full(5, []));
    applyFrame(state, { ...frame, data: { ...frame.data, colour: "blue" } });
    expect(view(state)).toEqual({ a: "a at 9" });
  });
});
