import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { SnapwireError } from "../src/protocol/errors.ts";
import type { GitStats, SessionSummary, WorkspaceEntry, WorkspaceField } from "../src/protocol/workspace.ts";
import { workspaceModel } from "../src/workspace/model.ts";
import type { WorkspacePatch } from "../src/workspace/patch.ts";
import { workspaceEntrySchema, type workspacePatchSchema } from "../src/workspace/schema.ts";
import { session } from "./helpers/workspace-states.ts";

/** Each fits where the other is asked for, and they have the same keys (an optional key would fit without). */
type Same<A, B> = [A, keyof A] extends [B, keyof B]
  ? [B, keyof B] extends [A, keyof A]
    ? true
    : false
  : false;
type Defined<Value> = Exclude<Value, null | undefined>;
type EntryOut = z.output<typeof workspaceEntrySchema>;
type PatchOut = z.output<typeof workspacePatchSchema>;

test("the schemas and the types of the wire are the same, down to the nested ones", () => {
  // Checked by the compiler: a difference turns `true` into an error.
  const same: true[] = [
    true satisfies Same<EntryOut, WorkspaceEntry>,
    true satisfies Same<PatchOut, WorkspacePatch>,
    true satisfies Same<EntryOut["sessionSummaries"][number], SessionSummary>,
    true satisfies Same<Defined<PatchOut["sessionSummaries"]>[number], SessionSummary>,
    true satisfies Same<Defined<EntryOut["gitStats"]>, GitStats>,
    true satisfies Same<EntryOut["statusReason"], WorkspaceEntry["statusReason"]>,
    true satisfies Same<EntryOut["fieldTimestamps"], WorkspaceEntry["fieldTimestamps"]>,
  ];
  expect(same.every(Boolean)).toBe(true);
});

function refusal(patch: unknown): SnapwireError {
  try {
    workspaceModel.parsePatch(patch);
  } catch (error) {
    if (error instanceof SnapwireError) return error;
    throw error;
  }
  throw new Error(`was taken: ${JSON.stringify(patch)}`);
}

const stats = { total: 3, additions: 10, deletions: 2, hasUncommitted: true };
const { lastExit: _, name: __, workflow: ___, model: ____, ...bareSession } = session();

describe("a patch", () => {
  test("has what was said and nothing else: null is a value, undefined is absent", () => {
    const patch = workspaceModel.parsePatch({
      projectId: "p",
      prUrl: null,
      name: undefined,
      unknown: undefined,
    });
    expect(Object.entries(patch)).toEqual([
      ["projectId", "p"],
      ["prUrl", null],
    ]);
    expect(workspaceModel.parsePatch({})).toEqual({});
  });

  test("says null for what it does not know of a session", () => {
    const { sessionSummaries } = workspaceModel.parsePatch({ sessionSummaries: [bareSession] });
    expect(sessionSummaries).toEqual([
      { ...bareSession, name: null, workflow: null, model: null, lastExit: null },
    ]);
    expect(sessionSummaries?.[0]).not.toHaveProperty("provider");
  });

  test("shares nothing with what the caller holds, and is frozen throughout", () => {
    const mine = { gitStats: { ...stats }, sessionSummaries: [{ ...session(), provider: undefined }] };
    const patch = workspaceModel.parsePatch(mine);
    mine.gitStats.total = 99;
    mine.sessionSummaries.length = 0;
    expect(patch.gitStats).toEqual(stats);
    expect(patch.sessionSummaries).toHaveLength(1);
    expect(patch.sessionSummaries?.[0]).not.toHaveProperty("provider");
    for (const part of [patch, patch.gitStats, patch.sessionSummaries, patch.sessionSummaries?.[0]])
      expect(Object.isFrozen(part)).toBe(true);
  });

  test.each<[WorkspaceField, unknown]>([
    ["projectId", "a b/ü"],
    ["createdAt", ""],
    ["createdAt", "2026-08-01T12:00:00+02:00"],
    ["lastActivityAt", "2026-08-01T12:00:00.123Z"],
    ["name", ""],
    ["name", "x".repeat(1024)],
    ["prNumber", 0],
    ["gitStats", null],
    ["autoIterationStatus", "MAX_ITERATIONS"],
    ["sessionSummaries", Array.from({ length: 256 }, (_, n) => session({ sessionId: `s${n}` }))],
    ["sessionSummaries", [session({ errorMessage: "x".repeat(16_384) })]],
  ])("may say %s", (field, value) => {
    expect(workspaceModel.parsePatch({ [field]: value })).toEqual({ [field]: value });
  });

  test.each<[RegExp, unknown]>([
    [/expected an object of workspace fields, received null/, null],
    [/received undefined/, undefined],
    [/received string/, "READY"],
    [/received Array/, []],
    [/received Map/, new Map([["name", "x"]])],
    [/received Date/, new Date(0)],
    [/projectId: .*>=1/, { projectId: "" }],
    [/projectId: .*<=512/, { projectId: "x".repeat(513) }],
    [/projectId: .*expected string, received null/, { projectId: null }],
    [/name: .*expected string, received null/, { name: null }],
    [/name: .*<=1024/, { name: "x".repeat(1025) }],
    [/branchName: .*<=1024/, { branchName: "x".repeat(1025) }],
    [/prUrl: .*<=4096/, { prUrl: `https://forge.example/${"x".repeat(4096)}` }],
    [/status: .*"NEW"\|"PROVISIONING".*received "DONE"/, { status: "DONE" }],
    [/status: .*"NEW"/, { status: null }],
    [/prState: .*"OPEN".*received "open"/, { prState: "open" }],
    [/prCiStatus: .*"UNKNOWN"/, { prCiStatus: null }],
    [/ratchetState: /, { ratchetState: "" }],
    [/isWorking: .*expected boolean, received string/, { isWorking: "yes" }],
    [/ratchetDispatchRetryCount: .*expected int/, { ratchetDispatchRetryCount: 1.5 }],
    [/ratchetDispatchRetryCount: .*>=0/, { ratchetDispatchRetryCount: -1 }],
    [/prNumber: .*NaN/, { prNumber: Number.NaN }],
    [/prNumber: /, { prNumber: Number.POSITIVE_INFINITY }],
    [/createdAt: .*RFC 3339.*received "yesterday"/, { createdAt: "yesterday" }],
    [/createdAt: .*RFC 3339/, { createdAt: new Date(0) }],
    [/prUpdatedAt: .*RFC 3339/, { prUpdatedAt: "2026-02-30T00:00:00Z" }],
    [/lastActivityAt: .*RFC 3339/, { lastActivityAt: "2026-08-01" }],
    [/lastActivityAt: .*3339/, { lastActivityAt: `2026-08-01T12:00:00.${"1".repeat(99)}Z` }],
    [/gitStats\.total: .*expected number, received string/, { gitStats: { ...stats, total: "3" } }],
    [/gitStats: .*"files"/, { gitStats: { ...stats, files: 3 } }],
    [/gitStats\.additions: .*gitStats\.hasUncommitted: /, { gitStats: { total: 1 } }],
    [/sessionSummaries: .*expected array/, { sessionSummaries: {} }],
    [/sessionSummaries\[1\]\.sessionId: /, { sessionSummaries: [session(), {}] }],
    [/sessionSummaries\[0\]\.sessionId: /, { sessionSummaries: [session({ sessionId: "" })] }],
    [/sessionSummaries: expected each sessionId once/, { sessionSummaries: [session(), session()] }],
    [/sessionSummaries\[0\]: .*"mood"/, { sessionSummaries: [{ ...session(), mood: "fine" }] }],
    [
      /sessionSummaries\[0\]\.errorMessage: .*<=16384/,
      { sessionSummaries: [session({ errorMessage: "x".repeat(16_385) })] },
    ],
    [
      /sessionSummaries: .*<=256/,
      { sessionSummaries: Array.from({ length: 257 }, (_, n) => session({ sessionId: `s${n}` })) },
    ],
    [/"nmae"/, { nmae: "typing error" }],
    [/"prReviewState"/, { prReviewState: "APPROVED" }],
    [/"__proto__"/, JSON.parse('{"__proto__":{"name":"x"}}')],
    [/"constructor"/, { constructor: 1 }],
    [/"workspace"/, { workspace: 1 }],
  ])("what is wrong is refused with what was expected: %s", (message, patch) => {
    const error = refusal(patch);
    expect(error.reason).toBe("invalid-input");
    expect(error.message).toMatch(/^Not a workspace patch: /);
    expect(error.message).toMatch(message);
  });

  const fields = workspaceModel.fold(undefined, { projectId: "p" }, { observedAt: 1 }).state.values;
  const notFields = Object.keys(workspaceEntrySchema.shape).filter((key) => !Object.hasOwn(fields, key));

  test.each(notFields)("cannot set %s: the server derives it", (key) => {
    const error = refusal({ nmae: 1, [key]: null });
    expect(error.reason).toBe("derived-field");
    expect(error.message).toContain(`${key} cannot be set: the server`);
    expect(workspaceModel.parsePatch({ [key]: undefined })).toEqual({});
  });

  test("the derived fields are all that an entry has beyond the fields", () => {
    expect(notFields).toHaveLength(11);
    expect(refusal({ kanbanColumn: "DONE" }).message).toBe(
      "Not a workspace patch: kanbanColumn cannot be set: the server derives it from the fields; send those.",
    );
    expect(refusal({ version: 3 }).message).toContain("the server derives it from the commit");
  });

  test("a refusal stays short, however much was wrong", () => {
    const wrong = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`${"k".repeat(200)}${n}`, n]));
    expect(refusal(wrong).message.length).toBeLessThan(2_000);
    const sessions = Array.from({ length: 200 }, () => ({ sessionId: "x".repeat(9_999) }));
    const { message } = refusal({ sessionSummaries: sessions });
    expect(message.length).toBeLessThan(2_000);
    expect(message).toMatch(/and \d+ more/);
  });
});

describe("the entry's schema", () => {
  const { state } = workspaceModel.fold(
    undefined,
    { projectId: "p", gitStats: stats, sessionSummaries: [session({ provider: "CODEX" })] },
    { observedAt: 1 },
  );
  const meta = { version: 7, computedAt: "2026-08-01T12:00:00.000Z", source: "event:git+reconciliation" };
  const entry = workspaceModel.entryOf("w", state, meta);

  test("takes what the model makes, and ignores keys that a newer server adds", () => {
    expect(workspaceEntrySchema.parse(entry)).toEqual(entry);
    const newer = { ...entry, mood: "fine", gitStats: { ...stats, renamed: 1 } };
    expect(workspaceEntrySchema.parse(newer)).toEqual(entry);
  });

  test("every key must be present", () => {
    const spared = Object.keys(entry).filter((key) => {
      const { [key as keyof WorkspaceEntry]: _, ...rest } = entry;
      return workspaceEntrySchema.safeParse(rest).success;
    });
    expect(spared).toEqual([]);
  });

  test("exactly the nullable keys may be null: a state is NONE, UNKNOWN or IDLE instead", () => {
    const nullable = Object.keys(entry).filter(
      (key) => workspaceEntrySchema.safeParse({ ...entry, [key]: null }).success,
    );
    expect(nullable.sort()).toEqual(
      [
        "autoIterationStatus",
        "branchName",
        "gitStats",
        "kanbanColumn",
        "lastActivityAt",
        "pendingRequestType",
        "prNumber",
        "prUpdatedAt",
        "prUrl",
        "ratchetDispatchOutcome",
      ].sort(),
    );
  });

  test("a word outside of an enumeration is refused", () => {
    for (const key of [
      "status",
      "prState",
      "prCiStatus",
      "ratchetState",
      "flowPhase",
      "ciObservation",
      "kanbanColumn",
    ])
      expect(workspaceEntrySchema.safeParse({ ...entry, [key]: "ELSE" }).success).toBe(false);
    expect(workspaceEntrySchema.safeParse({ ...entry, source: "" }).success).toBe(false);
  });
});
