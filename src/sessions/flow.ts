/**
 * From sessions into the entries of their workspaces, as soon as a session's commit is applied here.
 *
 * What a workspace shows follows from all its sessions together, so it is derived anew each time and reported whole,
 * stamped with the newest observation behind it. What a person waits for goes at once, everything else as chatter. A
 * session whose workspace is not known yet is not reported: it waits in its own collection until the workspace appears.
 */
import type { SessionEntry } from "../protocol/sessions.ts";
import type { Report } from "../sources/collector.ts";
import type { SessionsByWorkspace, WorkspaceSessions } from "./by-workspace.ts";
import { sessionSignals } from "./signals.ts";

export interface FlowOptions {
  readonly index: SessionsByWorkspace;
  readonly entryOf: (sessionId: string) => SessionEntry | undefined;
  readonly projectOf: (workspaceId: string) => string | undefined;
  /** Absent: entries have no place for what sessions say (a host's own model). */
  readonly report: ((report: Report) => void) | undefined;
  /** The workspace of these sessions appeared, or is in another project now. */
  readonly onPlaced: (sessionIds: readonly string[], projectId: string) => void;
  readonly onWorkspaceGone: (sessionIds: readonly string[]) => void;
}

const SESSIONS_SOURCE = "sessions";

export class SessionFlow {
  readonly #options: FlowOptions;

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  /** @param observedAt - When the observation behind it began, in milliseconds since 1970. */
  tell(workspaceId: string, observedAt: number, urgency: "now" | "chatter"): void {
    const { index, projectOf } = this.#options;
    const known = index.get(workspaceId);
    if (!known) return;
    const projectId = projectOf(workspaceId);
    known.reportedAt = Math.max(known.reportedAt, observedAt);
    if (projectId !== undefined) {
      this.#place(known, projectId);
      this.#report(workspaceId, known, urgency);
    }
    index.dropIfEmpty(workspaceId);
  }

  /** The workspace was committed: its sessions may have waited for it, or it has moved. */
  workspaceChanged(workspaceId: string, projectId: string): void {
    const known = this.#options.index.get(workspaceId);
    if (!known || known.projectId === projectId) return;
    const waited = known.projectId === undefined;
    this.#place(known, projectId);
    if (!waited) return;
    known.saidHadSessions = false;
    this.#report(workspaceId, known, "now");
  }

  /** It left a project's view: hidden, moved, or gone. Only in the last case are its sessions of no use. */
  workspaceLeft(workspaceId: string): void {
    const { index, projectOf, onWorkspaceGone } = this.#options;
    const known = index.get(workspaceId);
    if (!known || projectOf(workspaceId) !== undefined) return;
    known.projectId = undefined;
    known.saidHadSessions = false;
    onWorkspaceGone([...known.sessionIds]);
  }

  /** A workspace that was hidden when it was removed left no view, and nobody heard of it. */
  lookForGone(): void {
    for (const [workspaceId, { projectId }] of [...this.#options.index.workspaces()])
      if (projectId !== undefined) this.workspaceLeft(workspaceId);
  }

  /** Everything anew: after a start, or when the order was replaced. */
  tellAll(observedAt: number): void {
    for (const [workspaceId] of [...this.#options.index.workspaces()])
      this.tell(workspaceId, observedAt, "now");
  }

  /** How many sessions wait for their workspace. */
  get waiting(): number {
    return this.waitingIds().length;
  }

  /** Those who wait for their workspace, the workspace that was named first in front. */
  waitingIds(): string[] {
    const waiting: string[] = [];
    for (const [, { projectId, sessionIds }] of this.#options.index.workspaces())
      if (projectId === undefined) waiting.push(...sessionIds);
    return waiting;
  }

  #place(known: WorkspaceSessions, projectId: string): void {
    if (known.projectId === projectId) return;
    known.projectId = projectId;
    const { entryOf, onPlaced } = this.#options;
    const elsewhere = [...known.sessionIds].filter((id) => entryOf(id)?.projectId !== projectId);
    if (elsewhere.length > 0) onPlaced(elsewhere, projectId);
  }

  #report(workspaceId: string, known: WorkspaceSessions, urgency: "now" | "chatter"): void {
    const sessions = [...known.sessionIds].flatMap((id) => this.#options.entryOf(id) ?? []);
    const hasHadSessions = sessions.length > 0 && !known.saidHadSessions;
    known.saidHadSessions ||= hasHadSessions;
    this.#options.report?.({
      workspaceId,
      patch: { ...sessionSignals(sessions), ...(hasHadSessions && { hasHadSessions: true }) },
      source: SESSIONS_SOURCE,
      observedAt: known.reportedAt,
      urgency,
    });
  }
}
