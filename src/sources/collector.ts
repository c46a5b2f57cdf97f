/**
 * The collector: the one place where the events of sources become patches.
 *
 * What a person waits for (status, a pull request, a pending request) goes at once; chatter (session activity, a run
 * script, file changes) is coalesced per workspace into one commit. A removal cancels what waits for the workspace.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { SnapwireError, type SnapwireErrorReason } from "../protocol/errors.ts";
import { Coalescer } from "./coalescer.ts";

export type CollectedOperation =
  | {
      readonly kind: "patch";
      readonly patch: unknown;
      readonly observedAt: number;
      readonly source: string;
      readonly owner: string;
    }
  | { readonly kind: "remove"; readonly observedAt: number; readonly source: string };

/** What the collector writes to: a store that folds several operations on one workspace into one commit. */
export interface CollectorStore {
  apply(
    workspaceId: string,
    operations: readonly CollectedOperation[],
  ): Promise<{
    readonly accepted: boolean;
    readonly changed: boolean;
    readonly changedFields: readonly string[];
    readonly version: number;
  }>;
}

export interface Report {
  readonly workspaceId: string;
  /** Absent fields stay as they are, null clears. It carries every field that changed: nothing is re-read to fill it. */
  readonly patch: Readonly<Record<string, unknown>>;
  /** Kebab-case name of who reports. */
  readonly source: string;
  /** When the observation began, in milliseconds since 1970. @defaultValue now */
  readonly observedAt?: number;
  /** @defaultValue "now" */
  readonly urgency?: "now" | "chatter";
}

type Waiting = Extract<CollectedOperation, { kind: "patch" }>;

/** More than this in one window is flushed early: what waits is bounded. */
const MAX_WAITING_PER_WORKSPACE = 256;
/** Why one report can be refused while those beside it are good. */
const REFUSALS: readonly SnapwireErrorReason[] = ["invalid-input", "derived-field", "project-required"];

export class Collector {
  readonly #store: CollectorStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #coalescer: Coalescer;
  readonly #inFlight = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: { store: CollectorStore; clock: Clock; logger: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#coalescer = new Coalescer({ flush: (workspaceId) => this.#write(workspaceId) });
  }

  report({ workspaceId, patch, source, observedAt, urgency = "now" }: Report): void {
    if (this.#stopped) return;
    const waiting = this.#waiting.get(workspaceId) ?? [];
    this.#waiting.set(workspaceId, waiting);
    const stamp = observedAt ?? this.#clock.stamp();
    waiting.push({ kind: "patch", patch, observedAt: stamp, source: `event:${source}`, owner: source });
    this.#coalescer.mark(workspaceId);
    if (urgency === "now" || waiting.length >= MAX_WAITING_PER_WORKSPACE) this.#coalescer.flush(workspaceId);
  }

  /** The workspace is gone: what was seen of it before that is dropped, not flushed after it. */
  remove({ workspaceId, source, observedAt }: Omit<Report, "patch" | "urgency">): void {
    if (this.#stopped) return;
    const removal = {
      kind: "remove",
      observedAt: observedAt ?? this.#clock.stamp(),
      source: `event:${source}`,
    } as const;
    const seenLater = this.#take(workspaceId).filter((report) => report.observedAt > removal.observedAt);
    this.#run(this.#apply(workspaceId, [...seenLater, removal]));
  }

  /** Takes nothing more, writes what waits, and resolves when that is done. */
  async stop(): Promise<void> {
    this.#coalescer.flushAll();
    this.#stopped = true;
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #write(workspaceId: string): void {
    const operations = this.#take(workspaceId);
    if (operations.length > 0) this.#run(this.#apply(workspaceId, operations));
  }

  #take(workspaceId: string): readonly Waiting[] {
    this.#coalescer.cancel(workspaceId);
    const waiting = this.#waiting.get(workspaceId) ?? [];
    this.#waiting.delete(workspaceId);
    return waiting;
  }

  /** One commit; when one of several reports spoils it, they are written one by one, so that only that one is lost. */
  async #apply(workspaceId: string, operations: readonly CollectedOperation[]): Promise<void> {
    try {
      await this.#store.apply(workspaceId, operations);
    } catch (error) {
      if (operations.length > 1 && error instanceof SnapwireError && REFUSALS.includes(error.reason)) {
        for (const operation of operations) await this.#apply(workspaceId, [operation]);
        return;
      }
      this.#logger.warn({ workspaceId, error }, "a reported change was refused");
    }
  }

  #run(write: Promise<void>): void {
    const run = write.finally(() => this.#inFlight.delete(run));
    this.#inFlight.add(run);
  }
}
