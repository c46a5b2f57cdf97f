/**
 * Upstream of the entry: one CI status from the checks of a commit.
 *
 * A check that ran again is listed twice, and the old failure must not outlive the new success: per workflow and name
 * only the newest Actions run counts. Checks of other systems have no run id and all count.
 */
import type { CIStatus } from "../protocol/workspace.ts";

type Text = string | null | undefined;

/** One check, in the words of `gh pr view --json statusCheckRollup`: a check run, or a commit status with its `state`. */
export interface CheckReport {
  readonly name?: Text;
  /** What a commit status has for a name. */
  readonly context?: Text;
  readonly workflowName?: Text;
  /** Holds the Actions run id: `https://github.com/<owner>/<repo>/actions/runs/<id>/job/<id>`. */
  readonly detailsUrl?: Text;
  readonly status?: Text;
  readonly conclusion?: Text;
  readonly state?: Text;
  /** RFC 3339. */
  readonly startedAt?: Text;
  /** RFC 3339; stands in for a missing `startedAt`. */
  readonly completedAt?: Text;
}

const FAILED: ReadonlySet<string> = new Set([
  "FAILURE",
  "ERROR",
  "ACTION_REQUIRED",
  "TIMED_OUT",
  "CANCELLED",
  "STARTUP_FAILURE",
]);
const PENDING: ReadonlySet<string> = new Set(["PENDING", "EXPECTED", "QUEUED", "IN_PROGRESS"]);
const PASSED: ReadonlySet<string> = new Set(["SUCCESS", "SKIPPED", "NEUTRAL"]);

/** @param checks null when they could not be fetched; an empty list is a commit without checks, which passes. */
export function rollUpChecks(checks: readonly CheckReport[] | null): CIStatus {
  if (checks === null) return "UNKNOWN";
  const outcomes = newestRuns(checks).map(outcomeOf);
  if (outcomes.some((outcome) => FAILED.has(outcome))) return "FAILURE";
  if (outcomes.some((outcome) => PENDING.has(outcome))) return "PENDING";
  return outcomes.every((outcome) => PASSED.has(outcome)) ? "SUCCESS" : "UNKNOWN";
}

function outcomeOf(check: CheckReport): string {
  const status = upper(check.status);
  const conclusion = status === "COMPLETED" ? upper(check.conclusion) : "";
  return conclusion || upper(check.state) || status || "PENDING";
}

function upper(text: Text): string {
  return (text ?? "").trim().toUpperCase();
}

interface Run {
  readonly check: CheckReport;
  readonly runId: number;
  readonly time: number;
}

function newestRuns(checks: readonly CheckReport[]): readonly CheckReport[] {
  const kept: CheckReport[] = [];
  const newest = new Map<string, Run>();
  for (const check of checks) {
    const runId = actionsRunId(check.detailsUrl);
    if (runId === null) {
      kept.push(check);
      continue;
    }
    const key = JSON.stringify([check.workflowName ?? "", check.name ?? check.context ?? ""]);
    const run = { check, runId, time: timeOf(check) };
    const other = newest.get(key);
    if (other === undefined || !isOlder(run, other)) newest.set(key, run);
  }
  for (const { check } of newest.values()) kept.push(check);
  return kept;
}

/** Attempts of one run share its id: then the later start counts, then the later place in the list. */
function isOlder(run: Run, other: Run): boolean {
  return run.runId < other.runId || (run.runId === other.runId && run.time < other.time);
}

/** A check without a readable time is the oldest; `gh` writes the year 1 for "not yet", which sorts the same way. */
function timeOf(check: CheckReport): number {
  const time = Date.parse(check.startedAt || check.completedAt || "");
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
}

/** The run id in the address of an Actions job or run; null for any other address. */
export function actionsRunId(detailsUrl: Text): number | null {
  const digits = /\/actions\/runs\/(\d{1,15})(?:[/?#]|$)/.exec(detailsUrl ?? "")?.[1];
  return digits === undefined ? null : Number(digits);
}
