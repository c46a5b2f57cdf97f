/**
 * snapshots: the materialised entry of every workspace.
 *
 * In:       patches and removals, from anyone, each with the time its observation began.
 * Out:      entries (applied state), and SNAPSHOT_CHANGED / SNAPSHOT_REMOVED after each visible commit.
 * Promise:  a field shows its newest observation, whatever the order of arrival; no commit without a change.
 * Not here: who observed it (sources), what the fields mean (workspace), who hears of it (feed).
 */
import type { Clock } from "../clock.ts";
import { Collection, type Told } from "../collection/collection.ts";
import type { Folded } from "../collection/lane.ts";
import { GuardedEmitter } from "../guarded-emitter.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { SNAPSHOT_CHANGED, SNAPSHOT_REMOVED } from "../protocol/events.ts";
import { formatPosition } from "../protocol/position.ts";
import type { EntryModel } from "../workspace/entry-model.ts";
import {
  carryOver,
  type FoldedOperations,
  foldOperations,
  type Operation,
  type OperationOutcome,
  type SnapshotState,
} from "./operations.ts";

export interface SnapshotChangedEvent<Entry> {
  readonly workspaceId: string;
  readonly projectId: string;
  readonly entry: Entry;
  readonly position: string;
}

export interface SnapshotRemovedEvent {
  readonly workspaceId: string;
  readonly projectId: string;
  readonly position: string;
}

export interface SnapshotStoreEvents<Entry> {
  [SNAPSHOT_CHANGED]: [SnapshotChangedEvent<Entry>];
  [SNAPSHOT_REMOVED]: [SnapshotRemovedEvent];
}

export interface UpsertOptions {
  /** Who says so; kebab-case. The entry shows it as `event:<source>`. @defaultValue "api" */
  readonly source?: string;
  /** When the observation began, in milliseconds since 1970; at most 5 s ahead of our clock. @defaultValue now */
  readonly observedAt?: number;
  /** Who introduces the workspace, if this is its first patch: only passes of that source find it gone. @defaultValue `source` */
  readonly owner?: string;
  /**
   * Where the workspace has to be, hidden ones included, unless it is new: one that is in another project at the moment
   * of the write is left as it is, and the write is refused with `other-project`. @defaultValue wherever it is
   */
  readonly expectedProjectId?: string;
}

export interface WriteResult {
  /** It was taken: not older than what was known. An equal value is taken too. */
  readonly accepted: boolean;
  /** It changed something by itself. */
  readonly changed: boolean;
  /** The workspace's version after this write; 0 when it has none. */
  readonly version: number;
  /** Where a reader stands that has seen this write; null when there is nothing to see. */
  readonly position: string | null;
}

/** What sources say; they name the whole origin and own what they introduce. */
export type SourceOperation =
  | {
      readonly kind: "patch";
      readonly patch: unknown;
      /** Milliseconds since 1970, at most 5 s ahead of our clock. @defaultValue now */
      readonly observedAt?: number | undefined;
      readonly source: string;
      readonly owner: string;
      readonly expectedProjectId?: string | undefined;
    }
  | { readonly kind: "remove"; readonly observedAt?: number | undefined; readonly source: string };

export interface SnapshotStoreOptions<State, Patch, Entry> {
  readonly journal: Journal;
  readonly model: EntryModel<State, Patch, Entry>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tombstonesForMs?: number;
  readonly tombstonesPerScope?: number;
  /** The order was replaced and has been loaded again. */
  readonly onReset: () => void;
  readonly onJournalStatus: (fresh: boolean, reason: string | undefined) => void;
}

const COLLECTION = "snapshots";
const MAX_AHEAD_MS = 5_000;
const MAX_ID_LENGTH = 512;
/** Removals that no record holds, so that a late patch does not bring a workspace back that was gone already. */
const MAX_GRAVES = 1024;

type StoreCollection<State, Patch, Entry> = Collection<
  readonly Operation<Patch>[],
  SnapshotState<State>,
  Entry,
  readonly OperationOutcome[]
>;

export class SnapshotStore<State, Patch, Entry> extends GuardedEmitter<SnapshotStoreEvents<Entry>> {
  readonly collection: StoreCollection<State, Patch, Entry>;
  readonly #model: EntryModel<State, Patch, Entry>;
  readonly #clock: Clock;
  readonly #isShared: boolean;
  readonly #graves = new Map<string, number>();
  #open = false;

  constructor(options: SnapshotStoreOptions<State, Patch, Entry>) {
    const { model, clock, logger } = options;
    super((event, error) => logger.error({ event, error }, "a listener threw; the others were told"));
    this.#model = model;
    this.#clock = clock;
    this.#isShared = options.journal.shared === true;
    this.collection = new Collection<
      readonly Operation<Patch>[],
      SnapshotState<State>,
      Entry,
      readonly OperationOutcome[]
    >({
      name: COLLECTION,
      journal: options.journal,
      revision: model.revision,
      now: clock.wall,
      logger,
      model: {
        fold: (key, base, batches, committed) => this.#fold(key, base, batches, committed),
        carry: (committed, riding) => carryOver(model, committed, riding),
        entryOf: (workspaceId, state, version, at) => {
          if (state.model === null) throw new Error("a visible record has a state");
          clock.atLeast(state.seenAt); // another node's clock may be ahead: what is seen after this is newer than it
          return model.entryOf(workspaceId, state.model, {
            version,
            computedAt: new Date(at).toISOString(),
            source: state.source,
          });
        },
      },
      tell: (told) => this.#tell(told),
      tellReset: options.onReset,
      tellStatus: options.onJournalStatus,
      ...(options.tombstonesForMs === undefined ? {} : { tombstonesForMs: options.tombstonesForMs }),
      ...(options.tombstonesPerScope === undefined ? {} : { tombstonesPerScope: options.tombstonesPerScope }),
    });
  }

  async open(): Promise<void> {
    await this.collection.open();
    for (const [, { state }] of this.collection.records())
      this.#clock.atLeast(Math.max(state.seenAt, state.removedAt));
    this.#open = true;
    if (!this.#isShared) await this.#correct();
  }

  /**
   * What the state says of a life that ended with the process before this one is put right by ordinary commits, before
   * anybody is served. Where other nodes share the state, the life of what it speaks of did not end with ours.
   */
  async #correct(): Promise<void> {
    const corrections: Promise<unknown>[] = [];
    for (const [workspaceId, { scope, state }] of this.collection.records()) {
      const patch = scope === null || state.model === null ? undefined : this.#model.correct?.(state.model);
      if (patch === undefined) continue;
      corrections.push(
        this.apply(workspaceId, [{ kind: "patch", patch, source: "initial", owner: state.owner }]),
      );
    }
    await Promise.all(corrections);
  }

  /** Rejects what comes later, and waits for the writes in flight. */
  async close(): Promise<void> {
    this.#open = false;
    await this.collection.close();
  }

  /**
   * Says what was seen of a workspace. Absent fields stay as they are; the first patch must name its `projectId`.
   * @throws SnapwireError `invalid-input`, `derived-field`, `project-required`, `other-project`, `conflict`, `unavailable`,
   *   `outcome-unknown`.
   */
  async upsert(workspaceId: string, patch: unknown, options: UpsertOptions = {}): Promise<WriteResult> {
    const { source = "api", owner = source, observedAt, expectedProjectId } = options;
    return this.#write(workspaceId, [
      { kind: "patch", patch, observedAt, source: `event:${source}`, owner, expectedProjectId },
    ]);
  }

  /** Says that a workspace is gone. What was observed before this began does not bring it back. */
  async remove(
    workspaceId: string,
    options: Omit<UpsertOptions, "expectedProjectId"> = {},
  ): Promise<WriteResult> {
    const { source = "api" } = options;
    return this.#write(workspaceId, [
      { kind: "remove", observedAt: options.observedAt, source: `event:${source}` },
    ]);
  }

  async #write(workspaceId: string, operations: readonly SourceOperation[]): Promise<WriteResult> {
    const { accepted, changed, version, position } = await this.apply(workspaceId, operations);
    return { accepted, changed, version, position };
  }

  /** Several operations on one workspace as one commit. The answer sums up: accepted or changed if any was. */
  async apply(
    workspaceId: string,
    operations: readonly SourceOperation[],
  ): Promise<WriteResult & OperationOutcome> {
    if (!this.#open) {
      throw new SnapwireError(
        "unavailable",
        "The service is not running: start() it first, and do not write after stop().",
      );
    }
    requireId("workspaceId", workspaceId);
    const known = this.collection.record(workspaceId)?.state;
    if (known) this.#clock.atLeast(Math.max(known.seenAt, known.removedAt));
    const parsed = operations.map((operation): Operation<Patch> => {
      const observedAt = this.#observedAt(operation.observedAt);
      if (operation.kind === "remove") return { ...operation, observedAt };
      return { ...operation, observedAt, patch: this.#model.parsePatch(operation.patch) };
    });
    const { outcome, sequence, position } = await this.collection.write(workspaceId, parsed);
    return {
      accepted: outcome.some(({ accepted }) => accepted),
      changed: outcome.some(({ changed }) => changed),
      changedFields: [...new Set(outcome.flatMap(({ changedFields }) => changedFields))],
      version: sequence,
      position,
    };
  }

  /** The visible entries of a project, in the order of their last change; applied state, frozen. */
  getByProjectId(projectId: string): readonly Entry[] {
    return this.collection.view(projectId)?.entries() ?? [];
  }

  /** The visible entry of a workspace. */
  getByWorkspaceId(workspaceId: string): Entry | undefined {
    const record = this.collection.record(workspaceId);
    if (!record || record.scope === null || record.hidden) return undefined;
    return this.collection.view(record.scope)?.node(workspaceId)?.entry ?? undefined;
  }

  /** The project of a workspace, hidden ones included; `undefined` when it is not there. */
  projectOf(workspaceId: string): string | undefined {
    return this.collection.record(workspaceId)?.scope ?? undefined;
  }

  /** Who introduced a workspace; `undefined` when it is not there. */
  ownerOf(workspaceId: string): string | undefined {
    const record = this.collection.record(workspaceId);
    return record && record.scope !== null ? record.state.owner : undefined;
  }

  /** The workspaces that a source introduced and that are still there. */
  ownedBy(owner: string): string[] {
    const owned: string[] = [];
    for (const [workspaceId, { scope, state }] of this.collection.records()) {
      if (scope !== null && state.owner === owner) owned.push(workspaceId);
    }
    return owned;
  }

  /** Projects with at least one visible workspace. */
  projects(): string[] {
    return [...this.collection.views()].filter((view) => view.entryCount > 0).map((view) => view.scope);
  }

  #fold(
    workspaceId: string,
    base: Parameters<typeof foldOperations<State, Patch>>[1],
    batches: readonly (readonly Operation<Patch>[])[],
    committed: typeof base,
  ): {
    readonly next: FoldedOperations<State>["next"];
    readonly changed: boolean;
    readonly outcomes: Folded<readonly OperationOutcome[]>["outcomes"];
  } {
    const operations = batches.flat();
    const removedAt = this.#graves.get(workspaceId) ?? 0;
    const folded = foldOperations(this.#model, base, operations, removedAt, committed);
    if (folded.next === undefined || folded.next.state.model === null) this.#bury(workspaceId, operations);
    let at = 0;
    const outcomes = batches.map((batch) => {
      const own = folded.outcomes.slice(at, at + batch.length);
      at += batch.length;
      const failed = own.find((outcome) => "error" in outcome);
      return failed ?? { value: own.flatMap((outcome) => ("value" in outcome ? [outcome.value] : [])) };
    });
    return { next: folded.next, changed: folded.changed, outcomes };
  }

  #bury(workspaceId: string, operations: readonly Operation<Patch>[]): void {
    const removals = operations.filter(({ kind }) => kind === "remove").map(({ observedAt }) => observedAt);
    if (removals.length === 0) return;
    const removedAt = Math.max(...removals, this.#graves.get(workspaceId) ?? 0);
    this.#graves.delete(workspaceId);
    this.#graves.set(workspaceId, removedAt);
    const [oldest] = this.#graves.keys();
    if (this.#graves.size > MAX_GRAVES && oldest !== undefined) this.#graves.delete(oldest);
  }

  #tell({ key: workspaceId, sequence, shown, gone }: Told<Entry>): void {
    const positionIn = (projectId: string) => formatPosition(this.collection.tagOf(projectId), sequence);
    for (const projectId of gone) {
      this.tellAll(
        SNAPSHOT_REMOVED,
        Object.freeze({ workspaceId, projectId, position: positionIn(projectId) }),
      );
    }
    if (!shown) return;
    const { scope: projectId, entry } = shown;
    this.tellAll(
      SNAPSHOT_CHANGED,
      Object.freeze({ workspaceId, projectId, entry, position: positionIn(projectId) }),
    );
  }

  #observedAt(observedAt: number | undefined): number {
    if (observedAt === undefined) return this.#clock.stamp();
    if (Number.isFinite(observedAt) && observedAt >= 0) {
      // The system clock may have gone back since: what this process has stamped already is not ahead.
      const seen = Math.min(observedAt, Math.max(this.#clock.wall() + MAX_AHEAD_MS, this.#clock.stamp()));
      this.#clock.atLeast(seen); // a caller's clock may be ahead: what is seen here from now on is newer all the same
      return seen;
    }
    throw new SnapwireError("invalid-input", "observedAt must be a number of milliseconds since 1970.");
  }
}

function requireId(name: string, id: unknown): void {
  if (typeof id === "string" && id.length > 0 && id.length <= MAX_ID_LENGTH) return;
  throw new SnapwireError("invalid-input", `${name} must be a text of 1 to ${MAX_ID_LENGTH} characters.`);
}
