/**
 * sources: who changes the state.
 *
 * A source can say which workspaces exist (`list`) and what they look like (`read`); when it can notice changes by
 * itself it watches, and says only *that* something changed. Reading, stamping, coalescing, single flight and removal
 * are done once, for every source, by the reconciler. A host that keeps its own truth is such a source, git is another.
 */
import type { WorkspaceFields } from "../protocol/workspace.ts";

/** What a source knows of a workspace. Absent fields are left as they are; null clears where null is allowed. */
export type SourceRow = { readonly workspaceId: string } & Partial<WorkspaceFields>;

/** A workspace that exists but could not be read this time: its last good values stay. */
export interface UnreadableRow {
  readonly workspaceId: string;
  readonly error: unknown;
}

export interface SourceReport {
  readonly workspaceId: string;
  /** Every field that changed; absent fields stay as they are, null clears. */
  readonly patch: Partial<WorkspaceFields>;
  /** When the observation began, in milliseconds since 1970. @defaultValue now */
  readonly observedAt?: number;
  /** @defaultValue "now" */
  readonly urgency?: "now" | "chatter";
}

export interface SourceContext {
  /**
   * Says that a workspace changed: it is read again through `read`, one read in flight per workspace.
   * `chatter` waits 150 ms for more (at most 1 s), `now` does not wait.
   */
  invalidate(workspaceId: string, urgency?: "now" | "chatter"): void;
  /** Says that the list itself may have changed (a workspace came or went): `list` is asked again. */
  invalidateList(): void;
  /** Says what was seen, for a source that hears more than "something changed". Coalesced when it is chatter. */
  report(report: SourceReport): void;
  /** Says that a project can (true) or cannot be observed at the moment; shown to its subscribers as its freshness. */
  setFresh(projectId: string, fresh: boolean, reason?: string): void;
}

export interface SourceWatch {
  stop(): void | Promise<void>;
}

export interface Source {
  /** Kebab-case; part of an entry's `source` and the owner of the entries that it introduces. */
  readonly name: string;
  /** Which workspaces exist now. Throws when it cannot say: then nothing is removed. */
  list(signal: AbortSignal): Promise<readonly string[]> | readonly string[];
  /**
   * Reads some of them. An id without a row is gone; one that exists but cannot be read is an {@link UnreadableRow}.
   * When it throws, it is asked for them one by one; when it throws for all, the source is away and nothing is removed.
   */
  read(
    workspaceIds: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly (SourceRow | UnreadableRow)[]> | readonly (SourceRow | UnreadableRow)[];
  /** Projects that exist even while they have no workspace. Asked after each `list`. */
  projects?(): readonly string[];
  /** Begins to notice changes. Called once, before the first pass. One that throws leaves it to the passes. */
  watch?(context: SourceContext): SourceWatch | Promise<SourceWatch>;
}
