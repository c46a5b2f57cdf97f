/** What a person would notice between two states of an entry. Versions and stamps alone are not a change to anybody. */
import type { SessionSummary, WorkspaceEntry } from "../../../src/protocol/workspace.ts";
import { sessionState } from "./card.ts";

export interface FieldChange {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

type ChangeKind = "appeared" | "changed" | "left";

/** One observed change of one workspace, as this page saw it. */
export interface ObservedChange {
  readonly at: number;
  readonly kind: ChangeKind;
  readonly projectId: string;
  readonly workspaceId: string;
  readonly name: string;
  readonly source: string;
  readonly version: number;
  readonly fields: readonly FieldChange[];
}

type Reader = readonly [field: string, read: (entry: WorkspaceEntry) => string];

/** In the order in which they are told. */
const READERS: readonly Reader[] = [
  ["status", (entry) => entry.statusReason.label],
  ["name", (entry) => entry.name],
  ["branch", (entry) => entry.branchName ?? "none"],
  ["pull request", pullRequest],
  ["CI", (entry) => entry.prCiStatus.toLowerCase()],
  ["merge conflict", (entry) => (entry.hasMergeConflict ? "yes" : "no")],
  ["sessions", (entry) => entry.sessionSummaries.map(session).join(", ") || "none"],
  ["waits for", (entry) => words(entry.pendingRequestType ?? "nothing")],
  ["lines", lines],
  ["uncommitted", (entry) => (entry.gitStats?.hasUncommitted ? "yes" : "no")],
  ["automatic fixing", (entry) => (entry.ratchetEnabled ? words(entry.ratchetState) : "off")],
  ["run script", (entry) => words(entry.runScriptStatus)],
  ["workspace", (entry) => words(entry.status)],
  ["mode", (entry) => words(entry.mode)],
  ["iteration", (entry) => words(entry.autoIterationStatus ?? "none")],
];

/** Fields whose own words say enough, but which count as a change: nobody reads them one by one. */
const SILENT: readonly ((entry: WorkspaceEntry) => unknown)[] = [
  (entry) => entry.lastActivityAt,
  (entry) => entry.kanbanColumn,
  (entry) => entry.isWorking,
  (entry) => entry.ratchetDispatchRetryCount,
  (entry) => entry.ratchetDispatchStalled,
];

export function fieldChanges(before: WorkspaceEntry, after: WorkspaceEntry): readonly FieldChange[] {
  const changes: FieldChange[] = [];
  for (const [field, read] of READERS) {
    const [from, to] = [read(before), read(after)];
    if (from !== to) changes.push({ field, from, to });
  }
  return changes;
}

export function isVisibleChange(before: WorkspaceEntry, after: WorkspaceEntry): boolean {
  return (
    READERS.some(([, read]) => read(before) !== read(after)) ||
    SILENT.some((read) => read(before) !== read(after))
  );
}

/** Upper-case constants and snake case, as words: `MAX_ITERATIONS` is "max iterations". */
export function words(constant: string): string {
  return constant.toLowerCase().replaceAll("_", " ");
}

function pullRequest({ prNumber, prState }: WorkspaceEntry): string {
  if (prState === "NONE" && prNumber === null) return "none";
  return `${prNumber === null ? "" : `#${prNumber} `}${words(prState)}`;
}

function session(summary: SessionSummary): string {
  return `${summary.name ?? summary.sessionId} ${sessionState(summary)}`;
}

function lines({ gitStats }: WorkspaceEntry): string {
  return gitStats ? `+${gitStats.additions} −${gitStats.deletions}` : "not known";
}

export interface Difference {
  readonly changes: readonly ObservedChange[];
  /** Ids of entries that came or changed so that a person would notice. */
  readonly touched: readonly string[];
}

/** From one view of a project to the next. Untouched entries are the same objects, so this costs a look at each. */
export function difference(
  before: ReadonlyMap<string, WorkspaceEntry>,
  after: ReadonlyMap<string, WorkspaceEntry>,
  at: number,
): Difference {
  const changes: ObservedChange[] = [];
  const touched: string[] = [];
  for (const [id, entry] of after) {
    const old = before.get(id);
    if (old === entry) continue;
    if (old && !isVisibleChange(old, entry)) continue;
    touched.push(id);
    changes.push(observed(old ? "changed" : "appeared", entry, old ? fieldChanges(old, entry) : [], at));
  }
  for (const [id, entry] of before) if (!after.has(id)) changes.push(observed("left", entry, [], at));
  return { changes, touched };
}

function observed(
  kind: ChangeKind,
  { projectId, workspaceId, name, source, version }: WorkspaceEntry,
  fields: readonly FieldChange[],
  at: number,
): ObservedChange {
  return { at, kind, projectId, workspaceId, name: name || workspaceId, source, version, fields };
}

/** One line for a list. */
export function changeWords({ kind, fields }: ObservedChange): string {
  if (kind === "appeared") return "appeared";
  if (kind === "left") return "left the board";
  if (fields.length === 0) return "activity";
  return fields.map(({ field, from, to }) => `${field}: ${from} → ${to}`).join("; ");
}
