/** Whose word counts: each field shows its newest observation, in whatever order the observations arrive. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createClock } from "../src/clock.ts";
import type { WorkspaceFields } from "../src/protocol/workspace.ts";
import { handClock, NOON, prepared, reasonFrom, running } from "./helpers/store-parts.ts";

const P = "project";

test("L-D4 news about one field leaves older news about its siblings in the same group alone", async () => {
  await using service = await running();
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, status: "NEW" }, { observedAt: NOON });
  await upsert("w", { hasHadSessions: true }, { observedAt: NOON + 20 });
  const late = await upsert("w", { status: "READY" }, { observedAt: NOON + 10 });
  expect(late).toMatchObject({ accepted: true, changed: true });
  expect(getByWorkspaceId("w")).toMatchObject({ status: "READY", hasHadSessions: true });
  expect(getByWorkspaceId("w")?.fieldTimestamps.workspace, "a group shows its newest stamp").toBe(NOON + 20);
});

test("of a late patch only the fields that are not older than what is known are taken", async () => {
  await using service = await running();
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, name: "newest" }, { observedAt: NOON + 20 });
  const late = await upsert("w", { name: "older", branchName: "feature" }, { observedAt: NOON + 10 });
  expect(late).toMatchObject({ accepted: true, changed: true });
  expect(getByWorkspaceId("w")).toMatchObject({ name: "newest", branchName: "feature" });
});

test("a patch that is older in every field is refused: no commit, no version, nobody is told", async () => {
  await using service = await running();
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, name: "newest" }, { observedAt: NOON + 20 });
  const before = getByWorkspaceId("w");
  const late = await upsert("w", { name: "older", projectId: "elsewhere" }, { observedAt: NOON + 10 });
  expect(late).toMatchObject({ accepted: false, changed: false, version: before?.version });
  expect(getByWorkspaceId("w")).toBe(before);
  expect(service.heard).toHaveLength(1);
  expect(service.appended).toHaveLength(1);
});

test("an equal write is accepted and tells nobody, and what was observed before it is refused from then on", async () => {
  await using service = await running();
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, name: "same" }, { observedAt: NOON });
  const equal = await upsert("w", { name: "same" }, { observedAt: NOON + 20 });
  expect(equal).toMatchObject({ accepted: true, changed: false });
  expect(service.appended, "nothing to store").toHaveLength(1);
  expect(service.heard, "nobody to tell").toHaveLength(1);
  expect(getByWorkspaceId("w")?.fieldTimestamps.workspace, "the wire shows committed stamps").toBe(NOON);

  const late = await upsert("w", { name: "older" }, { observedAt: NOON + 10 });
  expect(late).toMatchObject({ accepted: false, changed: false });
  await upsert("w", { branchName: "feature" }, { observedAt: NOON + 30 });
  expect(getByWorkspaceId("w")?.name).toBe("same");
});

test("the stamp of an equal write rides with the next commit", async () => {
  await using service = await running();
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, prState: "OPEN" }, { observedAt: NOON });
  await upsert("w", { prState: "OPEN" }, { observedAt: NOON + 20 });
  await upsert("w", { name: "another group" }, { observedAt: NOON + 30 });
  expect(getByWorkspaceId("w")?.fieldTimestamps).toMatchObject({ pr: NOON + 20, workspace: NOON + 30 });
});

test("the same sessions in another order are no news", async () => {
  await using service = await running();
  const { upsert } = bound(service.live);
  const session = (sessionId: string) =>
    ({
      sessionId,
      persistedStatus: "RUNNING",
      runtimePhase: "running",
      processState: "alive",
      activity: "WORKING",
      updatedAt: "2026-08-01T12:00:00Z",
    }) as const;
  await upsert("w", { projectId: P, sessionSummaries: [session("a"), session("b")] });
  const reordered = await upsert("w", { sessionSummaries: [session("b"), session("a")] });
  expect(reordered).toMatchObject({ accepted: true, changed: false });
  expect(service.heard).toHaveLength(1);
});

test("L-D5 a system clock that goes back stops nothing: what is seen later still counts", async () => {
  const clock = handClock();
  await using service = await running({ now: clock.now });
  const { upsert, remove, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, name: "before" });
  clock.advance(-3_600_000);
  expect(await upsert("w", { name: "after" })).toMatchObject({ accepted: true, changed: true });
  expect(getByWorkspaceId("w")?.name).toBe("after");
  expect(await remove("w")).toMatchObject({ accepted: true, changed: true });
  expect(await upsert("w", { projectId: P, name: "again" })).toMatchObject({ accepted: true });
});

test("L-D5 a service that starts over what an earlier one stored goes on, though the clock stands earlier now", async () => {
  const clock = handClock();
  await using first = prepared({ now: clock.now });
  await first.live.start();
  await first.live.workspaces.upsert("w", { projectId: P, name: "before" });
  await first.live.workspaces.upsert("gone", { projectId: P });
  await first.live.workspaces.remove("gone");
  await first.live.stop();
  clock.advance(-3_600_000);
  await using second = await running({ now: clock.now, journal: first.journal });
  expect(await second.live.workspaces.upsert("w", { name: "after" })).toMatchObject({ changed: true });
  expect(await second.live.workspaces.upsert("gone", { projectId: P })).toMatchObject({ changed: true });
});

test("two observations in the same millisecond are both taken, in their order", async () => {
  const clock = handClock();
  await using service = await running({ now: clock.now });
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P, name: "first" });
  expect(await upsert("w", { name: "second" })).toMatchObject({ accepted: true, changed: true });
  expect(getByWorkspaceId("w")?.name).toBe("second");
});

test("stamps of a clock only grow, whatever the system clock does", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 42 }), { minLength: 2 }), (readings) => {
      let at = 0;
      const clock = createClock(() => readings[at++ % readings.length] ?? 0);
      const stamps = readings.map(() => clock.stamp());
      for (const [index, stamp] of stamps.entries())
        if (index > 0) expect(stamp).toBeGreaterThan(stamps[index - 1] ?? 0);
    }),
  );
});

describe("a stamp from outside", () => {
  test("counts as seen at most 5 s ahead of the own clock", async () => {
    const clock = handClock();
    await using service = await running({ now: clock.now });
    const { upsert, getByWorkspaceId } = bound(service.live);
    await upsert("w", { projectId: P, name: "of a clock that runs wild" }, { observedAt: NOON + 86_400_000 });
    expect(getByWorkspaceId("w")?.fieldTimestamps.workspace).toBe(NOON + 5_000);
    const earlier = await upsert("w", { name: "of another" }, { observedAt: NOON + 4_999 });
    expect(earlier).toMatchObject({ accepted: false });
    clock.advance(1);
    const later = await upsert("w", { name: "of another" }, { observedAt: NOON + 6_000 });
    expect(later).toMatchObject({ accepted: true, changed: true });
  });

  test("that runs ahead does not block what is seen here after it", async () => {
    const clock = handClock();
    await using service = await running({ now: clock.now });
    const { upsert, remove } = bound(service.live);
    await upsert("w", { projectId: P, name: "ahead" }, { observedAt: NOON + 86_400_000 });
    expect(await upsert("w", { name: "seen after it" })).toMatchObject({ accepted: true, changed: true });
    clock.advance(10);
    await upsert("w", { status: "ARCHIVED" }, { observedAt: NOON + 86_400_000 });
    expect(await upsert("w", { status: "READY" }), "of a hidden one too").toMatchObject({ changed: true });
    clock.advance(10);
    await upsert("w", { name: "ahead" }, { observedAt: NOON + 86_400_000 });
    expect(await remove("w")).toMatchObject({ accepted: true, changed: true });
  });

  test("that says nothing new, or of nothing that is known, blocks it as little", async () => {
    const clock = handClock();
    await using service = await running({ now: clock.now });
    const { upsert, remove } = bound(service.live);
    await upsert("w", { projectId: P, name: "same" });
    await upsert("w", { name: "same" }, { observedAt: NOON + 86_400_000 });
    expect(await remove("w")).toMatchObject({ accepted: true, changed: true });
    clock.advance(10);
    await remove("unknown", { observedAt: NOON + 86_400_000 });
    expect(await upsert("unknown", { projectId: P })).toMatchObject({ accepted: true, changed: true });
  });

  test("of a removal is held to the same bound, and does not block a return that is seen here after it", async () => {
    const clock = handClock();
    await using service = await running({ now: clock.now });
    const { upsert, remove } = bound(service.live);
    await upsert("w", { projectId: P });
    await remove("w", { observedAt: NOON + 86_400_000 });
    const early = await upsert("w", { projectId: P }, { observedAt: NOON + 4_999 });
    expect(early).toMatchObject({ accepted: false });
    expect(await upsert("w", { projectId: P })).toMatchObject({ accepted: true, changed: true });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -1])("of %s is refused", async (observedAt) => {
    await using service = await running();
    const { upsert, remove } = bound(service.live);
    expect(await reasonFrom(upsert("w", { projectId: P }, { observedAt }))).toBe("invalid-input");
    expect(await reasonFrom(remove("w", { observedAt }))).toBe("invalid-input");
  });
});

test("L-D7 a read that began early and ended late changes nothing that was seen in between", async () => {
  await using service = await running();
  const { upsert, getByWorkspaceId } = bound(service.live);
  await upsert("w", { projectId: P });
  const began = Date.now();
  await upsert("w", { status: "READY" }, { observedAt: began + 1 });
  expect(await upsert("w", { status: "FAILED" }, { observedAt: began })).toMatchObject({ accepted: false });
  expect(getByWorkspaceId("w")?.status).toBe("READY");
});

test("every order of arrival of the same observations ends in the same values", async () => {
  const observation = fc.record({
    at: fc.integer({ min: 0, max: 1_000 }).map((ms) => NOON - 10_000 + ms),
    patch: fc.record(
      {
        name: fc.constantFrom("a", "b", "c"),
        status: fc.constantFrom("NEW", "READY", "FAILED"),
        prState: fc.constantFrom("NONE", "OPEN", "MERGED"),
        isWorking: fc.boolean(),
      },
      { requiredKeys: [] },
    ),
  });
  const script = fc
    .uniqueArray(observation, { minLength: 1, maxLength: 8, selector: ({ at }) => at })
    .chain((inOrder) =>
      fc.tuple(fc.constant(inOrder), fc.shuffledSubarray(inOrder, { minLength: inOrder.length })),
    );
  await fc.assert(
    fc.asyncProperty(script, async ([inOrder, shuffled]) => {
      await using service = await running();
      const { upsert, getByWorkspaceId } = bound(service.live);
      for (const id of ["sorted", "shuffled"]) await upsert(id, { projectId: P }, { observedAt: 1 });
      for (const { at, patch } of inOrder.toSorted((a, b) => a.at - b.at))
        await upsert("sorted", patch, { observedAt: at });
      for (const { at, patch } of shuffled) await upsert("shuffled", patch, { observedAt: at });
      expect(fieldsOf(getByWorkspaceId("shuffled"))).toEqual(fieldsOf(getByWorkspaceId("sorted")));
    }),
    { numRuns: 60 },
  );
});

function bound({ workspaces }: Awaited<ReturnType<typeof running>>["live"]) {
  return {
    upsert: workspaces.upsert.bind(workspaces),
    remove: workspaces.remove.bind(workspaces),
    getByWorkspaceId: workspaces.getByWorkspaceId.bind(workspaces),
  };
}

function fieldsOf(entry: Partial<WorkspaceFields> | undefined) {
  const { name, status, prState, isWorking } = entry ?? {};
  return { name, status, prState, isWorking };
}
