/**
 * Facts of one repository, by key. Folding is commutative and idempotent: of two observations of one object the one that
 * is newer by its own time stands, a tie is broken by their content, so that order and repetition change nothing.
 */
import type {
  CheckObservation,
  ListedObservation,
  Observation,
  PullObservation,
  PushObservation,
  ReviewObservation,
  SuiteObservation,
  WorkflowObservation,
} from "./observation.ts";

export interface PullFacts {
  readonly kind: "pull";
  readonly pull: PullObservation | null;
  readonly conflict: { readonly at: number; readonly value: boolean } | null;
  /** By reviewer. */
  readonly reviews: Readonly<Record<string, ReviewObservation>>;
}

export interface CommitFacts {
  readonly kind: "commit";
  /** By the key of the check. */
  readonly checks: Readonly<Record<string, CheckObservation>>;
  /** By suite id. */
  readonly suites: Readonly<Record<string, SuiteObservation>>;
  readonly workflows: Readonly<Record<string, WorkflowObservation>>;
  readonly listed: ListedObservation | null;
}

export interface BranchFacts {
  readonly kind: "branch";
  readonly push: PushObservation;
}

export type Facts = PullFacts | CommitFacts | BranchFacts;

/** Of one commit; the oldest go first. */
const MAX_CHECKS = 500;
const MAX_REVIEWERS = 200;

/** Which record an observation belongs to, inside its repository. */
export function keyOf(observation: Observation): string {
  switch (observation.kind) {
    case "pull":
    case "review":
      return `pull/${observation.number}`;
    case "push":
      return `branch/${observation.branch}`;
    case "check":
    case "suite":
    case "workflow":
    case "listed":
      return `commit/${observation.sha}`;
  }
}

/** @returns the same object when nothing changed. */
export function foldFacts(facts: Facts | undefined, observation: Observation): Facts {
  switch (observation.kind) {
    case "pull":
      return foldPull(pullFacts(facts), observation);
    case "review":
      return foldReview(pullFacts(facts), observation);
    case "push": {
      const known = facts?.kind === "branch" ? facts.push : undefined;
      return facts?.kind === "branch" && newer(known, observation) === known
        ? facts
        : { kind: "branch", push: observation };
    }
    case "check":
      return patched(commitFacts(facts), "checks", observation.key, observation, MAX_CHECKS);
    case "suite":
      return patched(commitFacts(facts), "suites", String(observation.id), observation, MAX_CHECKS);
    case "workflow":
      return patched(commitFacts(facts), "workflows", String(observation.suiteId), observation, MAX_CHECKS);
    case "listed": {
      const commit = commitFacts(facts);
      const listed = newer(commit.listed ?? undefined, observation);
      return listed === commit.listed ? commit : { ...commit, listed };
    }
  }
}

const NO_PULL: PullFacts = { kind: "pull", pull: null, conflict: null, reviews: {} };
const NO_COMMIT: CommitFacts = { kind: "commit", checks: {}, suites: {}, workflows: {}, listed: null };

const pullFacts = (facts: Facts | undefined): PullFacts => (facts?.kind === "pull" ? facts : NO_PULL);
const commitFacts = (facts: Facts | undefined): CommitFacts => (facts?.kind === "commit" ? facts : NO_COMMIT);

function foldPull(facts: PullFacts, observation: PullObservation): PullFacts {
  const { hasConflict, seenAt: at = observation.at } = observation;
  const pull = newer(facts.pull ?? undefined, observation);
  // What is computed late is said of a pull request that has not changed since: its own newest word stands.
  const said = hasConflict === undefined ? undefined : { at, value: hasConflict };
  const conflict = said === undefined ? facts.conflict : newer(facts.conflict ?? undefined, said);
  return pull === facts.pull && conflict === facts.conflict ? facts : { ...facts, pull, conflict };
}

function foldReview(facts: PullFacts, observation: ReviewObservation): PullFacts {
  const known = facts.reviews[observation.reviewer];
  if (newer(known, observation) === known) return facts;
  return {
    ...facts,
    reviews: bounded({ ...facts.reviews, [observation.reviewer]: observation }, MAX_REVIEWERS),
  };
}

function patched<Said extends { readonly at: number }>(
  commit: CommitFacts,
  name: "checks" | "suites" | "workflows",
  key: string,
  observation: Said,
  most: number,
): CommitFacts {
  const all = commit[name] as unknown as Readonly<Record<string, Said>>;
  const known = all[key];
  if (known && newer(known, observation) === known) return commit;
  return { ...commit, [name]: bounded({ ...all, [key]: observation }, most) };
}

/** Later steps of a check come later even within the second that its times are cut to. */
const STEP: Readonly<Record<string, number>> = { queued: 0, in_progress: 1, completed: 2 };

function newer<T extends { readonly at: number }>(known: T | undefined, said: T): T {
  if (!known) return said;
  if (known.at !== said.at) return known.at > said.at ? known : said;
  const [a, b] = [stepOf(known), stepOf(said)];
  if (a !== b) return a > b ? known : said;
  const [left, right] = [JSON.stringify(known), JSON.stringify(said)];
  return left >= right ? known : said;
}

function stepOf(observation: object): number {
  if ("isMerged" in observation) {
    const { isMerged, state } = observation as PullObservation;
    return isMerged ? 2 : state === "closed" ? 1 : 0;
  }
  if ("decision" in observation) {
    const { id, decision } = observation as ReviewObservation;
    return id * 2 + (decision === "dismissed" ? 1 : 0); // a dismissed review keeps the time at which it was submitted
  }
  if ("report" in observation)
    return STEP[(observation as CheckObservation).report.status?.toLowerCase() ?? ""] ?? 0;
  return 0;
}

function bounded<T extends { readonly at: number }>(
  record: Record<string, T>,
  most: number,
): Record<string, T> {
  const entries = Object.entries(record);
  if (entries.length <= most) return record;
  entries.sort(([keyA, a], [keyB, b]) => b.at - a.at || (keyA < keyB ? -1 : 1));
  return Object.fromEntries(entries.slice(0, most));
}
