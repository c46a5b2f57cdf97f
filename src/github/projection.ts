/** From the facts of a repository to the fields of a workspace on one of its branches. Pure. */
import type { CIStatus, PRState, WorkspaceFields } from "../protocol/workspace.ts";
import { type CheckReport, deriveRatchetState, rollUpChecks } from "../workspace/index.ts";
import type { BranchFacts, CommitFacts, PullFacts } from "./facts.ts";
import type { PullObservation } from "./observation.ts";

/** What is known of a branch. */
export interface BranchView {
  /** `owner/name`, lower case. */
  readonly repository: string;
  readonly branch: string;
  /** Those whose head is a branch of this name, forks included. */
  readonly pulls: readonly PullFacts[];
  readonly push: BranchFacts | undefined;
  commit(sha: string): CommitFacts | undefined;
}

export type PullRequestFields = Partial<
  Pick<
    WorkspaceFields,
    "prUrl" | "prNumber" | "prState" | "prCiStatus" | "prUpdatedAt" | "hasMergeConflict" | "ratchetState"
  >
>;

/**
 * @param ratchetEnabled - With the ratchet off its state is not ours to say.
 * @returns undefined when nothing is known of the branch: what others said of it stays.
 */
export function projectBranch(view: BranchView, ratchetEnabled: boolean): PullRequestFields | undefined {
  const facts = pullOf(view);
  const pull = facts?.pull ?? undefined;
  const pushed = view.push?.push;
  if (!pull && !pushed) return undefined;
  const prCiStatus = ciStatusOf(view, headOf(view, pull));
  if (!facts || !pull) {
    return {
      prUrl: null,
      prNumber: null,
      prState: "NONE",
      prCiStatus,
      hasMergeConflict: false,
      ...(ratchetEnabled ? { ratchetState: "IDLE" } : {}),
    };
  }
  const decision = decisionOf(facts);
  const prState = prStateOf(pull, decision);
  const hasMergeConflict = pull.state === "open" && facts.conflict?.value === true;
  const prReviewState = decision === undefined ? null : decision.toUpperCase();
  return {
    prUrl: pull.url,
    prNumber: pull.number,
    prState,
    prCiStatus,
    prUpdatedAt: new Date(pull.at).toISOString(),
    hasMergeConflict,
    ...(ratchetEnabled
      ? {
          ratchetState: deriveRatchetState({
            ratchetEnabled,
            prState,
            prCiStatus,
            hasMergeConflict,
            prReviewState,
          }),
        }
      : {}),
  };
}

/**
 * The pull request that the branch is for: an open one before a finished one, our own before a fork's, then the highest
 * number. A finished one counts until the branch is pushed to again.
 */
function pullOf({ repository, pulls, push }: BranchView): PullFacts | undefined {
  let best: PullFacts | undefined;
  for (const facts of pulls) {
    const { pull } = facts;
    if (!pull) continue;
    const isOver =
      pull.state === "closed" &&
      push !== undefined &&
      push.push.at > pull.at &&
      push.push.sha !== pull.headSha;
    if (isOver && push.push.sha !== null) continue;
    if (!best?.pull || rank(pull, repository) > rank(best.pull, repository)) best = facts;
  }
  return best;
}

function rank(pull: PullObservation, repository: string): number {
  const isOpen = pull.state === "open" ? 2 : 0;
  const isOwn = pull.headRepository === repository ? 1 : 0;
  return (isOpen + isOwn) * 1e9 + pull.number;
}

/** A push may be known before the pull request says that its head moved, and the other way round. */
function headOf({ push }: BranchView, pull: PullObservation | undefined): string | undefined {
  if (!pull) return push?.push.sha ?? undefined;
  if (pull.state === "open" && push?.push.sha && push.push.at > pull.at) return push.push.sha;
  return pull.headSha;
}

function ciStatusOf({ commit }: BranchView, sha: string | undefined): CIStatus {
  const facts = sha === undefined ? undefined : commit(sha);
  return rollUpChecks(facts ? reportsOf(facts) : null);
}

/** Null: nothing is known. */
function reportsOf({ checks, suites, workflows, listed }: CommitFacts): readonly CheckReport[] | null {
  const newest = new Map<string, { id: number; report: CheckReport }>();
  const reports: CheckReport[] = [];
  const spoken = new Set<string>();
  for (const { series, id, report, suiteId } of Object.values(checks)) {
    if (suiteId !== undefined) spoken.add(String(suiteId));
    if (series !== undefined) {
      if (id > (newest.get(series)?.id ?? -1)) newest.set(series, { id, report });
      continue;
    }
    const workflowName =
      report.workflowName ??
      (suiteId === undefined ? undefined : (workflows[suiteId]?.name ?? `#${suiteId}`));
    reports.push(workflowName === undefined ? report : { ...report, workflowName });
  }
  for (const { report } of newest.values()) reports.push(report);
  for (const [id, { conclusion }] of Object.entries(suites)) {
    if (conclusion !== null && !spoken.has(id)) reports.push({ status: "completed", conclusion });
  }
  return reports.length === 0 && !listed ? null : reports;
}

function decisionOf({ reviews }: PullFacts): "changes_requested" | "approved" | undefined {
  const decisions = new Set(Object.values(reviews).map(({ decision }) => decision));
  if (decisions.has("changes_requested")) return "changes_requested";
  return decisions.has("approved") ? "approved" : undefined;
}

function prStateOf(pull: PullObservation, decision: ReturnType<typeof decisionOf>): PRState {
  if (pull.isMerged) return "MERGED";
  if (pull.state === "closed") return "CLOSED";
  if (pull.isDraft) return "DRAFT";
  if (decision === "changes_requested") return "CHANGES_REQUESTED";
  return decision === "approved" ? "APPROVED" : "OPEN";
}
