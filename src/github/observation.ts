/** What one object of the forge said. Times are the object's own, in milliseconds since 1970. */
import type { CheckReport } from "../workspace/check-rollup.ts";

export interface PullObservation {
  readonly kind: "pull";
  readonly number: number;
  readonly at: number;
  readonly url: string;
  readonly state: "open" | "closed";
  readonly isDraft: boolean;
  readonly isMerged: boolean;
  readonly headRef: string;
  readonly headSha: string;
  /** `owner/name` of the head; null when that repository is gone. Another one than the base's: a fork. */
  readonly headRepository: string | null;
  /** Its head has the name of the base's default branch: of a fork's that says nothing. */
  readonly isOfDefault: boolean;
  /** Null: it is open. */
  readonly closedAt: number | null;
  /** Undefined: the forge has not computed it yet. */
  readonly hasConflict: boolean | undefined;
  /** When that was asked for: it changes with the base, and the object's own time does not. Absent: `at`. */
  readonly seenAt?: number;
}

export interface ReviewObservation {
  readonly kind: "review";
  readonly number: number;
  readonly at: number;
  readonly id: number;
  readonly reviewer: string;
  /** A comment decides nothing and is no observation. */
  readonly decision: "approved" | "changes_requested" | "dismissed";
}

export interface CheckObservation {
  readonly kind: "check";
  readonly sha: string;
  readonly at: number;
  /** Names the object: of two with one key the newer stands. */
  readonly key: string;
  readonly report: CheckReport;
  /** Check runs of a system other than Actions: of those with one `series` only the one with the highest id counts. */
  readonly series?: string;
  readonly id: number;
  readonly suiteId?: number;
}

/** A suite's own word counts only while none of its runs is known. */
export interface SuiteObservation {
  readonly kind: "suite";
  readonly sha: string;
  readonly at: number;
  readonly id: number;
  /** Null: not completed. */
  readonly conclusion: string | null;
}

/** Says which workflow the runs of a suite belong to: two workflows may have jobs of one name. */
export interface WorkflowObservation {
  readonly kind: "workflow";
  readonly sha: string;
  readonly at: number;
  readonly suiteId: number;
  readonly name: string;
}

/** All checks of a commit were listed at `at`: there may be none. */
export interface ListedObservation {
  readonly kind: "listed";
  readonly sha: string;
  readonly at: number;
}

export interface PushObservation {
  readonly kind: "push";
  readonly branch: string;
  readonly at: number;
  /** Null: the branch was deleted. */
  readonly sha: string | null;
}

export type Observation =
  | PullObservation
  | ReviewObservation
  | CheckObservation
  | SuiteObservation
  | WorkflowObservation
  | ListedObservation
  | PushObservation;
