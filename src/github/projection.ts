/** From the facts of a repository to the fields of a workspace on one of its branches. Pure. */
import type { CIStatus, PRState, WorkspaceFields } from "../protocol/workspace.ts";
import { type CheckReport, deriveRatchetState, rollUpChecks } from "../workspace/index.ts";
import type { BranchFacts, CommitFacts, PullFacts } from "./facts.ts";
import type { PullObservation, PushObservation } from "./observation.ts";

/** What is known of a branch in one repository. */
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
 * @param views - The branch in each repository of the project: a fork and its parent may be one.
 * @param ratchetEnabled - With the ratchet off its state is not ours to say.
 * @returns undefined when nothing is known of the branch: what others said of it stays.
 */
export function projectBranch(
  views: readonly BranchView[],
  ratchetEnabled: boolean,
): PullRequestFields | undefined {
  const best = pullOf(views);
  if (!best) {
    const pushed = newestPush(views);
    return pushed && withoutPull(ciStatusOf(pushed, pushed.push?.push.sha ?? undefined), ratchetEnabled);
  }
  const { view, facts, pull } = best;
  const prCiStatus = ciStatusOf(view, headOf(views, pull));
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

/** What a workspace shows whose branch has no pull request. */
export function withoutPull(prCiStatus: CIStatus, ratchetEnabled: boolean): PullRequestFields {
  return {
    prUrl: null,
    prNumber: null,
    prState: "NONE",
    prCiStatus,
    hasMergeConflict: false,
    ...(ratchetEnabled ? { ratchetState: "IDLE" } : {}),
  };
}

interface Candidate {
  readonly view: BranchView;
  readonly facts: PullFacts;
  readonly pull: PullObservation;
}

/**
 * The pull request that the branch is for: an open one before a finished one, our own before a fork's, then the highest
 * number. A finished one counts until the branch is pushed to again. A stranger's fork may have a branch of any name: it
 * is this one only as long as there is none of that name here.
 */
function pullOf(views: readonly BranchView[]): Candidate | undefined {
  const isHere = views.some(({ push }) => push?.push.sha);
  let best: (Candidate & { readonly rank: number }) | undefined;
  for (const view of views) {
    for (const facts of view.pulls) {
      const { pull } = facts;
      if (!pull || isOver(pull, pushTo(views, pull))) continue;
      const isOwn = views.some(({ repository }) => repository === pull.headRepository);
      if (!isOwn && (isHere || pull.isOfDefault)) continue;
      const rank = ((pull.state === "open" ? 2 : 0) + (isOwn ? 1 : 0)) * 1e9 + pull.number;
      if (rank > (best?.rank ?? 0)) best = { view, facts, pull, rank };
    }
  }
  return best;
}

/** By when it was closed: what is said of it later changes its own time. */
function isOver(
  { state, at, closedAt, headSha }: PullObservation,
  push: PushObservation | undefined,
): boolean {
  if (state === "open" || !push?.sha) return false;
  return push.at > (closedAt ?? at) && push.sha !== headSha;
}

function pushTo(
  views: readonly BranchView[],
  { headRepository }: PullObservation,
): PushObservation | undefined {
  return views.find(({ repository }) => repository === headRepository)?.push?.push;
}

function newestPush(views: readonly BranchView[]): BranchView | undefined {
  const pushed = views.filter(({ push }) => push !== undefined);
  return pushed.sort((a, b) => (b.push?.push.at ?? 0) - (a.push?.push.at ?? 0))[0];
}

/** A push may be known before the pull request says that its head moved, and the other way round. */
function headOf(views: readonly BranchView[], pull: PullObservation): string {
  const push = pushTo(views, pull);
  return pull.state === "open" && push?.sha && push.at > pull.at ? push.sha : pull.headSha;
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
