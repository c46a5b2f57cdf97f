import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ACTIVITY_STATES,
  type CIStatus,
  type RatchetState,
  SESSION_PROCESS_STATES,
  SESSION_RUNTIME_PHASES,
  type SessionSummary,
  WORKSPACE_STATUSES,
  type WorkspaceStatus,
} from "../src/protocol/workspace.ts";
import { actionsRunId, type CheckReport, rollUpChecks } from "../src/workspace/check-rollup.ts";
import { deriveRatchetState, type RatchetInputs } from "../src/workspace/ratchet-state.ts";
import {
  deriveIsWorking,
  derivePendingRequestType,
  hasSessionRuntimeError,
  isSessionStarting,
  type PendingRequest,
  pendingRequestTypeOf,
  type SessionUiKind,
  sessionRuntimeErrorMessage,
  sessionUiKind,
} from "../src/workspace/session-signals.ts";
import { isLegalStatusMove } from "../src/workspace/status-moves.ts";
import { OTHER_AXES, PULL_REQUEST_AXES, session } from "./helpers/workspace-states.ts";
import { firstRow, RATCHET_ROWS, SESSION_KIND_ROWS } from "./helpers/workspace-tables.ts";

describe("ratchet state", () => {
  test("equals the table for every combination of inputs", () => {
    let compared = 0;
    for (const ratchetEnabled of PULL_REQUEST_AXES.ratchetEnabled)
      for (const prState of PULL_REQUEST_AXES.prState)
        for (const prCiStatus of PULL_REQUEST_AXES.prCiStatus)
          for (const hasMergeConflict of OTHER_AXES.hasMergeConflict)
            for (const prReviewState of [null, "APPROVED", "REVIEW_REQUIRED", "CHANGES_REQUESTED"]) {
              const inputs = { ratchetEnabled, prState, prCiStatus, hasMergeConflict, prReviewState };
              expect([inputs, deriveRatchetState(inputs)]).toEqual([inputs, firstRow(RATCHET_ROWS, inputs)]);
              compared += 1;
            }
    expect(compared).toBe(2 * 7 * 4 * 2 * 4);
  });

  test.each<[Partial<RatchetInputs>, RatchetState]>([
    [{ prState: "DRAFT", prReviewState: "CHANGES_REQUESTED" }, "REVIEW_PENDING"], // a draft does not mask it
    [{ prState: "CHANGES_REQUESTED", prReviewState: null }, "READY"], // the raw decision counts, not the state
    [{ prCiStatus: "FAILURE", hasMergeConflict: true }, "CI_FAILED"],
    [{ prCiStatus: "PENDING", hasMergeConflict: true }, "MERGE_CONFLICT"],
    [{ ratchetEnabled: false, prState: "MERGED" }, "IDLE"],
    [{ prState: "CLOSED", prCiStatus: "FAILURE" }, "IDLE"],
  ])("%j is %s", (said, state) => {
    const quiet: RatchetInputs = {
      ratchetEnabled: true,
      prState: "OPEN",
      prCiStatus: "SUCCESS",
      hasMergeConflict: false,
      prReviewState: null,
    };
    expect(deriveRatchetState({ ...quiet, ...said })).toBe(state);
  });
});

describe("status moves", () => {
  test("exactly the moves of the life of a workspace are legal, and ARCHIVED is the end", () => {
    const legal =
      "NEW>PROVISIONING PROVISIONING>READY PROVISIONING>FAILED READY>ARCHIVING READY>PROVISIONING \
FAILED>PROVISIONING FAILED>NEW FAILED>ARCHIVING ARCHIVING>READY ARCHIVING>FAILED ARCHIVING>ARCHIVED".split(
        " ",
      );
    const move = (from: WorkspaceStatus, to: WorkspaceStatus) => `${from}>${to}`;
    const allowed = WORKSPACE_STATUSES.flatMap((from) =>
      WORKSPACE_STATUSES.filter((to) => isLegalStatusMove(from, to)).map((to) => move(from, to)),
    );
    expect(allowed.sort()).toEqual(legal.sort());
  });
});

const exit = (unexpected: boolean, code: number | null = 1) => ({
  code,
  timestamp: "2026-08-01T12:00:00Z",
  unexpected,
});

describe("session signals", () => {
  const everySession: SessionSummary[] = SESSION_RUNTIME_PHASES.flatMap((runtimePhase) =>
    SESSION_PROCESS_STATES.flatMap((processState) =>
      ACTIVITY_STATES.flatMap((activity) =>
        [null, exit(false), exit(true)].map((lastExit) =>
          session({ runtimePhase, processState, activity, lastExit }),
        ),
      ),
    ),
  );

  test("the kind that a session shows as equals the table for every combination of inputs", () => {
    const kinds = new Set<SessionUiKind>();
    for (const one of everySession) {
      expect([one, sessionUiKind(one)]).toEqual([one, firstRow(SESSION_KIND_ROWS, one)]);
      kinds.add(sessionUiKind(one));
    }
    expect(everySession).toHaveLength(6 * 3 * 2 * 3);
    expect(kinds.size).toBe(8);
  });

  test("a workspace works when any session is active or running, whatever its persisted status", () => {
    for (const one of everySession)
      expect(deriveIsWorking([session({ persistedStatus: "RUNNING" }), one])).toBe(
        one.activity === "WORKING" || one.runtimePhase === "running",
      );
    expect(deriveIsWorking([])).toBe(false);
  });

  test("a session starts while it is loading or starting", () => {
    for (const one of everySession)
      expect(isSessionStarting([session(), one])).toBe(
        one.runtimePhase === "starting" || one.runtimePhase === "loading",
      );
  });

  test("an error is the phase, or an unexpected exit in any phase; an expected exit is none", () => {
    for (const one of everySession) {
      const broken = one.runtimePhase === "error" || one.lastExit?.unexpected === true;
      expect(hasSessionRuntimeError([session(), one])).toBe(broken);
      expect(sessionRuntimeErrorMessage([session(), one]) !== null).toBe(broken);
    }
  });

  test.each<[Partial<SessionSummary>, string | null]>([
    [{ runtimePhase: "error", errorMessage: "  out of credit \n", lastExit: exit(true, 2) }, "out of credit"],
    [
      { runtimePhase: "error", errorMessage: " \t", lastExit: exit(true, 137) },
      "The session ended unexpectedly with exit code 137.",
    ],
    [{ lastExit: exit(true, 0) }, "The session ended unexpectedly with exit code 0."],
    [{ runtimePhase: "error", lastExit: exit(false, 1) }, "The session ended with exit code 1."],
    [{ lastExit: exit(true, null), errorMessage: null }, "The session stopped because of an error."],
    [{ runtimePhase: "error" }, "The session stopped because of an error."],
    [{ errorMessage: "an old complaint" }, null],
  ])("%j is told as %j", (said, message) => {
    expect(sessionRuntimeErrorMessage([session({ errorMessage: "not in error" }), session(said)])).toBe(
      message,
    );
  });

  test.each<[PendingRequest, string]>([
    [{ toolName: "ExitPlanMode" }, "plan_approval"],
    [{ toolName: "Other", input: { type: "ExitPlanMode" } }, "plan_approval"],
    [{ toolName: "AskUserQuestion", input: { type: "ExitPlanMode" } }, "plan_approval"],
    [{ toolName: "AskUserQuestion", input: null }, "user_question"],
    [{ input: { questions: [] } }, "user_question"],
    [{ input: { questions: "one" } }, "permission_request"],
    [{ toolName: "Bash", input: "rm" }, "permission_request"],
    [{}, "permission_request"],
  ])("the request %j is a %s", (request, type) => {
    expect(pendingRequestTypeOf(request)).toBe(type);
  });

  test("one request speaks for all: plan before question before permission, in whatever order they wait", () => {
    const plan: PendingRequest = { toolName: "ExitPlanMode" };
    const question: PendingRequest = { toolName: "AskUserQuestion" };
    const permission: PendingRequest = { toolName: "Bash" };
    fc.assert(
      fc.property(fc.shuffledSubarray([plan, question, permission, { input: 1 }]), (requests) => {
        const first = requests.includes(plan)
          ? "plan_approval"
          : requests.includes(question)
            ? "user_question"
            : requests.length > 0
              ? "permission_request"
              : null;
        expect(derivePendingRequestType(requests)).toBe(first);
      }),
    );
  });
});

describe("CI status from a list of checks", () => {
  const run = (conclusion: string): CheckReport => ({ status: "COMPLETED", conclusion });
  const action = (id: number, said: CheckReport): CheckReport => ({
    workflowName: "build",
    name: "test",
    detailsUrl: `https://github.com/acme/app/actions/runs/${id}/job/9${id}`,
    status: "COMPLETED",
    ...said,
  });
  const at = (minute: number) => `2026-08-01T12:0${minute}:00Z`;

  test.each<[string, readonly CheckReport[] | null, CIStatus]>([
    ["a list that could not be fetched", null, "UNKNOWN"],
    ["an empty list", [], "SUCCESS"],
    ["all passed", [run("SUCCESS"), run("SKIPPED"), run("NEUTRAL")], "SUCCESS"],
    ["lower case", [run("success"), { status: "completed", conclusion: "neutral" }], "SUCCESS"],
    ["a conclusion that nobody knows", [run("SUCCESS"), run("STALE")], "UNKNOWN"],
    [
      "a failure beside something unknown and pending",
      [run("STALE"), { status: "QUEUED" }, run("failure")],
      "FAILURE",
    ],
    ["a pending one beside something unknown", [run("STALE"), { status: "IN_PROGRESS" }], "PENDING"],
    ["a commit status that waits", [{ context: "deploy", state: "EXPECTED" }], "PENDING"],
    ["a commit status in error", [{ context: "deploy", state: "error" }], "FAILURE"],
    ["a check that says nothing at all", [{ name: "quiet" }], "PENDING"],
    [
      "a check under way with an older conclusion",
      [{ status: "IN_PROGRESS", conclusion: "FAILURE" }],
      "PENDING",
    ],
    [
      "a completed check without conclusion, with a state",
      [{ status: "COMPLETED", conclusion: "", state: "SUCCESS" }],
      "SUCCESS",
    ],
    ["a completed check without conclusion", [{ status: "COMPLETED", conclusion: null }], "UNKNOWN"],
    [
      "a new run after a failed one",
      [action(7, { conclusion: "FAILURE" }), action(8, { conclusion: "SUCCESS" })],
      "SUCCESS",
    ],
    [
      "a new run, listed first",
      [action(8, { conclusion: "SUCCESS" }), action(7, { conclusion: "FAILURE" })],
      "SUCCESS",
    ],
    [
      "run ids of another length",
      [action(9, { conclusion: "FAILURE" }), action(10, { conclusion: "SUCCESS" })],
      "SUCCESS",
    ],
    [
      "a run of another workflow",
      [action(7, { conclusion: "FAILURE", workflowName: "lint" }), action(8, { conclusion: "SUCCESS" })],
      "FAILURE",
    ],
    [
      "a run of another name",
      [action(7, { conclusion: "FAILURE", name: "e2e" }), action(8, { conclusion: "SUCCESS" })],
      "FAILURE",
    ],
    [
      "a second attempt of one run: the later start",
      [
        action(7, { conclusion: "SUCCESS", startedAt: at(5), completedAt: at(6) }),
        action(7, { conclusion: "CANCELLED", startedAt: at(1), completedAt: at(8) }),
      ],
      "SUCCESS",
    ],
    [
      "a second attempt at the same time: the later place",
      [
        action(7, { conclusion: "FAILURE", startedAt: at(1) }),
        action(7, { conclusion: "SUCCESS", startedAt: at(1) }),
      ],
      "SUCCESS",
    ],
    [
      "a time that cannot be read is the oldest",
      [
        action(7, { conclusion: "SUCCESS", completedAt: at(1) }),
        action(7, { conclusion: "FAILURE", startedAt: "yesterday" }),
      ],
      "SUCCESS",
    ],
    [
      "checks of the same name without a run id all count",
      [
        { name: "test", ...run("FAILURE") },
        { name: "test", ...run("SUCCESS") },
      ],
      "FAILURE",
    ],
  ])("%s", (_, checks, status) => {
    expect(rollUpChecks(checks)).toBe(status);
  });

  test.each(["FAILURE", "ERROR", "ACTION_REQUIRED", "TIMED_OUT", "CANCELLED", "STARTUP_FAILURE"])(
    "%s fails",
    (conclusion) => {
      expect(rollUpChecks([run("SUCCESS"), run(conclusion)])).toBe("FAILURE");
    },
  );

  test.each(["PENDING", "EXPECTED", "QUEUED", "IN_PROGRESS"])("%s is pending", (status) => {
    expect(rollUpChecks([run("SUCCESS"), { status }])).toBe("PENDING");
    expect(rollUpChecks([run("SUCCESS"), { state: status }])).toBe("PENDING");
  });

  test("the order of the list does not matter when run ids differ", () => {
    const check = fc.record({
      id: fc.nat(20),
      name: fc.constantFrom("a", "b"),
      conclusion: fc.constantFrom("SUCCESS", "FAILURE", "STALE"),
    });
    const list = fc.uniqueArray(check, { selector: ({ id }) => id, maxLength: 6 });
    const shuffled = list.chain((checks) =>
      fc.tuple(
        fc.constant(checks),
        fc.shuffledSubarray(checks, { minLength: checks.length, maxLength: checks.length }),
      ),
    );
    const reports = (checks: readonly { id: number; name: string; conclusion: string }[]) =>
      checks.map(({ id, name, conclusion }) => action(id, { name, conclusion }));
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        expect(rollUpChecks(reports(other))).toBe(rollUpChecks(reports(one)));
      }),
    );
  });

  test("a run id is read from the address of an Actions run and from no other", () => {
    expect(actionsRunId("https://github.com/acme/app/actions/runs/123/job/4")).toBe(123);
    expect(actionsRunId("https://github.com/acme/app/actions/runs/123")).toBe(123);
    expect(actionsRunId("https://ci.example/builds/123")).toBeNull();
    expect(actionsRunId(`https://github.com/acme/app/actions/runs/${"9".repeat(40)}`)).toBeNull();
    expect(actionsRunId(null)).toBeNull();
  });
});
