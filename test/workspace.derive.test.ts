import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import * as words from "../src/protocol/workspace.ts";
import { deriveWorkspaceState, type RawWorkspaceState } from "../src/workspace/derive.ts";
import { workspaceModel } from "../src/workspace/model.ts";
import { COLUMN_OF_REASON, STATUS_REASONS } from "../src/workspace/status-reason.ts";
import {
  type Axes,
  BROKEN,
  everyState,
  OTHER_AXES,
  PULL_REQUEST_AXES,
  QUIET,
  rawState,
  STARTING,
  STARTING_AND_BROKEN,
  sweep,
} from "./helpers/workspace-states.ts";
import { CI_ROWS, FLOW_ROWS, firstRow, REASON_ROWS, SIDEBAR_CI_ROWS } from "./helpers/workspace-tables.ts";

test("P11 what is derived equals the tables for every combination of inputs", () => {
  const raw = rawState();
  let compared = 0;
  const differs = (got: unknown) => {
    throw new Error(`${JSON.stringify(raw)} derives ${JSON.stringify(got)}`);
  };
  sweep(raw, PULL_REQUEST_AXES, () => {
    const ci = firstRow(CI_ROWS, raw);
    const { phase: flow, animated } = firstRow(FLOW_ROWS, { raw, ci });
    const ratchetButtonAnimated = animated === "as ratchetEnabled" ? raw.ratchetEnabled : animated;
    const sidebarCi = firstRow(SIDEBAR_CI_ROWS, raw);
    const facts = { raw, flow, ci, isSessionStarting: false, hasSessionRuntimeError: false };
    sweep(raw, OTHER_AXES, () => {
      const sessions = raw.sessionSummaries;
      facts.isSessionStarting = sessions === STARTING || sessions === STARTING_AND_BROKEN;
      facts.hasSessionRuntimeError = sessions === BROKEN || sessions === STARTING_AND_BROKEN;
      const reason = firstRow(REASON_ROWS, facts);
      const got = deriveWorkspaceState(raw);
      compared += 1;
      if (
        got.ciObservation !== ci ||
        got.flowPhase !== flow ||
        got.ratchetButtonAnimated !== ratchetButtonAnimated ||
        got.sidebarStatus.ciState !== sidebarCi ||
        got.sidebarStatus.activityState !== (raw.isWorking ? "WORKING" : "IDLE") ||
        got.kanbanColumn !== reason.column ||
        got.statusReason.code !== reason.code ||
        got.statusReason.tone !== reason.tone ||
        got.statusReason.needsUser !== reason.needsUser
      )
        differs(got);
    });
  });
  expect(compared).toBe(3 * 7 * 4 * 2 * 7 * (6 * 2 * 8 * 2 * 2 * 2 * 2 * 4 * 4));
});

test("P11 the combinations cover every word of the enumerations", () => {
  const nullable = (list: readonly string[]) => [null, ...list];
  expect(PULL_REQUEST_AXES.prState).toEqual(words.PR_STATES);
  expect(PULL_REQUEST_AXES.prCiStatus).toEqual(words.CI_STATUSES);
  expect(PULL_REQUEST_AXES.ratchetState).toEqual(words.RATCHET_STATES);
  expect(OTHER_AXES.status).toEqual(words.WORKSPACE_STATUSES);
  expect(OTHER_AXES.mode).toEqual(words.WORKSPACE_MODES);
  expect(OTHER_AXES.autoIterationStatus).toEqual(nullable(words.AUTO_ITERATION_STATUSES));
  expect(OTHER_AXES.pendingRequestType).toEqual(nullable(words.PENDING_REQUEST_TYPES));
  expect(REASON_ROWS.map(([, { code }]) => code)).toEqual(words.STATUS_REASON_CODES);
});

type Derived = words.DerivedWorkspaceState;
type Promised = (raw: RawWorkspaceState, derived: Derived) => boolean;

const isBroken = ({ sessionSummaries: sessions }: RawWorkspaceState) =>
  sessions === BROKEN || sessions === STARTING_AND_BROKEN;
const isOver = (raw: RawWorkspaceState) =>
  raw.status === "ARCHIVING" ||
  raw.status === "ARCHIVED" ||
  raw.prState === "MERGED" ||
  raw.prState === "CLOSED" ||
  raw.ratchetState === "MERGED";
const isInterrupted = (raw: RawWorkspaceState) => raw.pendingRequestType !== null || isBroken(raw);
const isSetUp = (raw: RawWorkspaceState) => raw.status === "READY";
const isActive = (raw: RawWorkspaceState) =>
  raw.isWorking ||
  raw.sessionSummaries === STARTING ||
  (raw.mode === "AUTO_ITERATION" && raw.autoIterationStatus === "RUNNING");

const PROMISES: Readonly<Record<string, Promised>> = {
  "archiving beats merged and everything else": ({ status }, { statusReason: { code } }) =>
    (status !== "ARCHIVING" && status !== "ARCHIVED") || code === status,
  "merged and closed beat a pending request, an error and a failed setup": (
    raw,
    { statusReason: { code } },
  ) => !isOver(raw) || ["ARCHIVING", "ARCHIVED", "MERGED", "PR_CLOSED"].includes(code),
  "a pending request beats an error": (raw, { statusReason: { code } }) =>
    isOver(raw) || raw.pendingRequestType === null || code.startsWith("NEEDS_"),
  "an error beats setting up": (raw, { statusReason: { code } }) =>
    isOver(raw) || raw.pendingRequestType !== null || !isBroken(raw) || code === "SESSION_ERROR",
  "setting up beats activity": (raw, { statusReason: { code } }) =>
    isOver(raw) ||
    isInterrupted(raw) ||
    isSetUp(raw) ||
    code === (raw.status === "FAILED" ? "SETUP_FAILED" : "SETTING_UP"),
  "activity beats a stalled ratchet and a conflict": (raw, { kanbanColumn, statusReason: { code } }) =>
    isOver(raw) ||
    isInterrupted(raw) ||
    !isSetUp(raw) ||
    !isActive(raw) ||
    (["AGENT_WORKING", "STARTING_SESSION", "AUTO_ITERATING"].includes(code) && kanbanColumn === "WORKING"),
  "a conflict beats waiting for CI and failing CI": (raw, { flowPhase, statusReason: { code } }) =>
    !raw.hasMergeConflict ||
    flowPhase === "NO_PR" ||
    isOver(raw) ||
    isInterrupted(raw) ||
    !isSetUp(raw) ||
    isActive(raw) ||
    ["MERGE_CONFLICT", "FIXING_MERGE_CONFLICT", "RATCHET_STALLED"].includes(code),
  "WAITING is for exactly what needs a person": (_, { kanbanColumn, statusReason }) =>
    (kanbanColumn === "WAITING") === statusReason.needsUser,
  "DONE is for exactly merged and closed": (_, { kanbanColumn, statusReason: { code } }) =>
    (kanbanColumn === "DONE") === (code === "MERGED" || code === "PR_CLOSED"),
  "off the board is exactly what is being archived or was": ({ status }, { kanbanColumn }) =>
    (kanbanColumn === null) === (status === "ARCHIVING" || status === "ARCHIVED"),
  "the ratchet button moves only while CI is waited for with the ratchet on": (raw, derived) =>
    !derived.ratchetButtonAnimated || (derived.flowPhase === "CI_WAIT" && raw.ratchetEnabled),
  "the activity shown is the session signal and nothing of the flow": (raw, { sidebarStatus }) =>
    (sidebarStatus.activityState === "WORKING") === raw.isWorking,
  "a conflict does not change the sidebar unless the ratchet saw it": (raw, { sidebarStatus }) =>
    (sidebarStatus.ciState === "CONFLICT") ===
    (raw.prUrl !== null &&
      raw.prState !== "MERGED" &&
      raw.prState !== "CLOSED" &&
      raw.ratchetState === "MERGE_CONFLICT"),
};

const counterexamples = new Map<string, string>();
const codesSeen = new Set<string>();
let digest = 0;

function look(raw: RawWorkspaceState): void {
  const derived = deriveWorkspaceState(raw);
  codesSeen.add(derived.statusReason.code);
  digest = mix(digest, derived);
  for (const [promise, holds] of promises)
    if (!holds(raw, derived) && !counterexamples.has(promise))
      counterexamples.set(promise, JSON.stringify({ raw, derived }));
}

const promises = Object.entries(PROMISES);

function mix(hash: number, derived: Derived): number {
  let outcome = words.STATUS_REASON_CODES.indexOf(derived.statusReason.code);
  outcome = outcome * 8 + words.SIDEBAR_CI_STATES.indexOf(derived.sidebarStatus.ciState);
  outcome = outcome * 6 + words.FLOW_PHASES.indexOf(derived.flowPhase);
  outcome = outcome * 6 + words.CI_OBSERVATIONS.indexOf(derived.ciObservation);
  outcome = outcome * 2 + Number(derived.ratchetButtonAnimated);
  return Math.imul(hash ^ outcome, 16_777_619);
}

beforeAll(() => everyState(look));

test.each(Object.keys(PROMISES))("P11 in every state: %s", (promise) => {
  expect(counterexamples.get(promise)).toBeUndefined();
});

test("P11 every reason is reached, has a label, and nothing else is", () => {
  expect([...codesSeen].sort()).toEqual([...words.STATUS_REASON_CODES].sort());
  for (const code of words.STATUS_REASON_CODES) {
    expect(STATUS_REASONS[code].code).toBe(code);
    expect(STATUS_REASONS[code].label).toMatch(/^[A-Z][A-Za-z ]{3,30}$/);
  }
});

test("a changed derivation, label or key of the entry asks for a new revision of the model", () => {
  const { state } = workspaceModel.fold(undefined, { projectId: "p" }, { observedAt: 1 });
  const entry = workspaceModel.entryOf("w", state, { version: 1, computedAt: "", source: "initial" });
  const says = JSON.stringify([digest, STATUS_REASONS, COLUMN_OF_REASON, Object.keys(entry)]);
  // When this fails on purpose: raise the revision, then write both down again.
  expect([
    workspaceModel.revision,
    createHash("sha256").update(says).digest("base64url").slice(0, 12),
  ]).toEqual(["workspace-1", "NM86ZG7DkYcs"]);
});

test("nothing but the inputs of the tables is read: run script, retries and times cannot change the result", () => {
  const { state } = workspaceModel.fold(undefined, { projectId: "p" }, { observedAt: 1 });
  const read = new Set<string>();
  const raw = rawState();
  const watched = new Proxy<words.WorkspaceFields>(
    { ...state.values },
    {
      get(fields, key: string) {
        read.add(key);
        return Object.hasOwn(raw, key) ? raw[key as keyof RawWorkspaceState] : Reflect.get(fields, key);
      },
    },
  );
  const axes = {
    ...PULL_REQUEST_AXES,
    ...OTHER_AXES,
    prUrl: ["https://forge.example/pull/1"],
    autoIterationStatus: [null, "RUNNING"],
    sessionSummaries: [QUIET],
  } as const satisfies Axes;
  sweep(raw, axes, () => {
    deriveWorkspaceState(watched);
  });
  expect([...read].sort()).toEqual(Object.keys(raw).sort());
});

test("what is derived is the same for the same input, and changes neither the input nor what was handed out", () => {
  const raw = Object.freeze(rawState({ prUrl: "https://forge.example/pull/1", prState: "OPEN" }));
  const first = deriveWorkspaceState(raw);
  expect(deriveWorkspaceState(raw)).toEqual(first);
  expect(Object.isFrozen(first.statusReason)).toBe(true);
  expect(Object.isFrozen(first.sidebarStatus)).toBe(true);
});

test("a CI status of no known word is CHECKS_UNKNOWN, and the sidebar then believes the ratchet", () => {
  const raw = rawState({ prUrl: "https://forge.example/pull/1", prState: "OPEN", ratchetState: "CI_FAILED" });
  const untyped = { ...raw, prCiStatus: null } as unknown as RawWorkspaceState;
  expect(deriveWorkspaceState(untyped)).toMatchObject({
    ciObservation: "CHECKS_UNKNOWN",
    flowPhase: "READY",
    sidebarStatus: { ciState: "FAILING" },
  });
});
