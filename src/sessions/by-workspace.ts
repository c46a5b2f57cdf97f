/** Which sessions run in which workspace, and what was said of each workspace because of them. */
export interface WorkspaceSessions {
  readonly sessionIds: Set<string>;
  /** The time of the newest observation that was reported, in milliseconds since 1970. */
  reportedAt: number;
  /** It was said that the workspace has had sessions. */
  saidHadSessions: boolean;
  /** The project under which its sessions were last placed; `undefined` while nothing is known of the workspace. */
  projectId: string | undefined;
}

export class SessionsByWorkspace {
  readonly #workspaces = new Map<string, WorkspaceSessions>();
  readonly #workspaceOf = new Map<string, string>();

  /** All sessions. */
  get size(): number {
    return this.#workspaceOf.size;
  }

  workspaces(): IterableIterator<[string, WorkspaceSessions]> {
    return this.#workspaces.entries();
  }

  get(workspaceId: string): WorkspaceSessions | undefined {
    return this.#workspaces.get(workspaceId);
  }

  idsOf(workspaceId: string): readonly string[] {
    return [...(this.#workspaces.get(workspaceId)?.sessionIds ?? [])];
  }

  /** @returns the workspace that the session was in until now, if that is another one */
  put(sessionId: string, workspaceId: string): string | undefined {
    const before = this.#workspaceOf.get(sessionId);
    if (before === workspaceId) return undefined;
    if (before !== undefined) this.#take(sessionId, before);
    this.#workspaceOf.set(sessionId, workspaceId);
    const known = this.#workspaces.get(workspaceId);
    if (known) known.sessionIds.add(sessionId);
    else {
      this.#workspaces.set(workspaceId, {
        sessionIds: new Set([sessionId]),
        reportedAt: 0,
        saidHadSessions: false,
        projectId: undefined,
      });
    }
    return before;
  }

  /** @returns the workspace that it was in */
  delete(sessionId: string): string | undefined {
    const workspaceId = this.#workspaceOf.get(sessionId);
    if (workspaceId !== undefined) this.#take(sessionId, workspaceId);
    return workspaceId;
  }

  /** Forgets what is kept of a workspace once it has no session any more. */
  dropIfEmpty(workspaceId: string): void {
    if (this.#workspaces.get(workspaceId)?.sessionIds.size === 0) this.#workspaces.delete(workspaceId);
  }

  clear(): void {
    this.#workspaces.clear();
    this.#workspaceOf.clear();
  }

  #take(sessionId: string, workspaceId: string): void {
    this.#workspaceOf.delete(sessionId);
    this.#workspaces.get(workspaceId)?.sessionIds.delete(sessionId);
  }
}
