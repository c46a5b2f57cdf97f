/** What one card says, from one entry. Pure: entries are frozen, so a card is made once per entry and kept with it. */
import type {
  CIStatus,
  PRState,
  SessionSummary,
  SidebarCIState,
  StatusTone,
  WorkspaceEntry,
} from "../../../src/protocol/workspace.ts";
import { counted, momentOf } from "./age.ts";

/** How loudly a card speaks. Only `loud` is amber: somebody is waited for, or something broke. */
export type Voice = "loud" | "your-turn" | "working" | "quiet" | "done";

export interface Mark {
  readonly kind: "good" | "bad" | "running" | "plain";
  readonly glyph: string;
  readonly words: string;
}

export interface CardModel {
  readonly entry: WorkspaceEntry;
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly branch: string;
  readonly reason: string;
  readonly voice: Voice;
  /** The reason is trouble, not a question. */
  readonly danger: boolean;
  readonly additions: number;
  readonly deletions: number;
  readonly files: number;
  readonly uncommitted: boolean;
  readonly pullRequest: Mark | undefined;
  readonly ci: Mark | undefined;
  readonly session: Mark | undefined;
  readonly activeAt: number | undefined;
  /** Lower case; what a search looks through. */
  readonly haystack: string;
}

const LOUD: ReadonlySet<StatusTone> = new Set(["attention", "danger"]);
const cards = new WeakMap<WorkspaceEntry, CardModel>();

export function cardOf(entry: WorkspaceEntry): CardModel {
  let card = cards.get(entry);
  if (!card) {
    card = makeCard(entry);
    cards.set(entry, card);
  }
  return card;
}

function makeCard(entry: WorkspaceEntry): CardModel {
  const { gitStats, statusReason } = entry;
  const pullRequest = pullRequestMark(entry);
  const session = sessionMark(entry.sessionSummaries);
  const name = entry.name || entry.workspaceId;
  return {
    entry,
    id: entry.workspaceId,
    projectId: entry.projectId,
    name,
    branch: entry.branchName ?? "no branch",
    reason: statusReason.label,
    voice: voiceOf(entry),
    danger: statusReason.tone === "danger",
    additions: gitStats?.additions ?? 0,
    deletions: gitStats?.deletions ?? 0,
    files: gitStats?.total ?? 0,
    uncommitted: gitStats?.hasUncommitted ?? false,
    pullRequest,
    ci: ciMark(entry.sidebarStatus.ciState),
    session,
    activeAt: activityOf(entry),
    haystack: [
      name,
      entry.workspaceId,
      entry.branchName ?? "",
      entry.projectId,
      statusReason.label,
      pullRequest?.words ?? "",
      session?.words ?? "",
      ...entry.sessionSummaries.map((one) => `${one.name ?? ""} ${one.workflow ?? ""} ${one.model ?? ""}`),
    ]
      .join("\n")
      .toLowerCase(),
  };
}

function voiceOf({ statusReason, kanbanColumn }: WorkspaceEntry): Voice {
  if (LOUD.has(statusReason.tone)) return "loud";
  if (kanbanColumn === "DONE") return "done";
  if (statusReason.needsUser) return "your-turn";
  return kanbanColumn === "WORKING" ? "working" : "quiet";
}

/** The newest thing that is known to have happened there; else when it came into being. */
function activityOf(entry: WorkspaceEntry): number | undefined {
  const sessions = entry.sessionSummaries.map(({ updatedAt }) => momentOf(updatedAt) ?? 0);
  const newest = Math.max(momentOf(entry.lastActivityAt) ?? 0, ...sessions);
  return newest || momentOf(entry.createdAt);
}

const PR_WORDS: Readonly<Record<PRState, string>> = {
  NONE: "",
  DRAFT: "draft",
  OPEN: "open",
  CHANGES_REQUESTED: "changes requested",
  APPROVED: "approved",
  MERGED: "merged",
  CLOSED: "closed",
};

const PR_KINDS: Readonly<Record<PRState, Mark["kind"]>> = {
  NONE: "plain",
  DRAFT: "plain",
  OPEN: "plain",
  CHANGES_REQUESTED: "bad",
  APPROVED: "good",
  MERGED: "good",
  CLOSED: "plain",
};

function pullRequestMark({ prNumber, prState, prUrl }: WorkspaceEntry): Mark | undefined {
  if (prState === "NONE" && prNumber === null && !prUrl) return undefined;
  const glyph = prNumber === null ? "PR" : `#${prNumber}`;
  const state = PR_WORDS[prState];
  return { kind: PR_KINDS[prState], glyph, words: `Pull request ${glyph}${state ? `, ${state}` : ""}` };
}

const CI_MARKS: Readonly<Record<SidebarCIState, Mark | undefined>> = {
  NONE: undefined,
  UNKNOWN: undefined,
  RUNNING: { kind: "running", glyph: "running", words: "CI is running" },
  FAILING: { kind: "bad", glyph: "failing", words: "CI failed" },
  PASSING: { kind: "good", glyph: "passing", words: "CI passed" },
  CONFLICT: { kind: "bad", glyph: "conflict", words: "Merge conflict" },
  CLOSED: { kind: "plain", glyph: "closed", words: "Pull request closed" },
  MERGED: { kind: "good", glyph: "merged", words: "Merged" },
};

export function ciMark(state: SidebarCIState): Mark | undefined {
  return CI_MARKS[state];
}

export const CI_WORDS: Readonly<Record<CIStatus, string>> = {
  UNKNOWN: "not known",
  PENDING: "running",
  SUCCESS: "passed",
  FAILURE: "failed",
};

export function prStateWords(state: PRState): string {
  return PR_WORDS[state] || "none";
}

export type SessionState = "error" | "starting" | "working" | "stopping" | "stopped" | "idle";

export function sessionState(session: SessionSummary): SessionState {
  const { runtimePhase } = session;
  if (runtimePhase === "loading" || runtimePhase === "starting") return "starting";
  if (runtimePhase === "stopping") return "stopping";
  if (runtimePhase === "error" || session.lastExit?.unexpected) return "error";
  if (session.processState === "stopped") return "stopped";
  return session.activity === "WORKING" || runtimePhase === "running" ? "working" : "idle";
}

/** In the order in which they matter to whoever looks. */
const SESSION_ORDER: readonly SessionState[] = [
  "error",
  "working",
  "starting",
  "stopping",
  "idle",
  "stopped",
];
const SESSION_KINDS: Readonly<Record<SessionState, Mark["kind"]>> = {
  error: "bad",
  working: "running",
  starting: "running",
  stopping: "plain",
  idle: "plain",
  stopped: "plain",
};

export function sessionMark(sessions: readonly SessionSummary[]): Mark | undefined {
  const states = new Map<SessionState, number>();
  for (const session of sessions) {
    const state = sessionState(session);
    states.set(state, (states.get(state) ?? 0) + 1);
  }
  const state = SESSION_ORDER.find((one) => states.has(one));
  if (state === undefined) return undefined;
  const glyph = sessions.length === 1 ? state : `${sessions.length} · ${state}`;
  const each = SESSION_ORDER.filter((one) => states.has(one)).map((one) => `${states.get(one)} ${one}`);
  return {
    kind: SESSION_KINDS[state],
    glyph,
    words: `${counted(sessions.length, "session")}: ${each.join(", ")}`,
  };
}
