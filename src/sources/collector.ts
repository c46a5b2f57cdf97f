/**
 * The collector: the one place where the events of sources become patches.
 *
 * What a person waits for (status, a pull request, a pending request) goes at once; chatter (session activity, a run
 * script, file changes) is coalesced per workspace into one commit. A removal cancels what waits for the workspace.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { Coalescer } from "./coalescer.ts";

/** What the collector writes to: a store that folds several operations on one workspace into one commit. */
export interface CollectorStore {
  apply(
    workspaceId: string,
    operations: ReadonlyArray<
      | {
          readonly kind: "patch";
          readonly patch: unknown;
          readonly observedAt: number;
          readonly source: string;
          readonly owner: string;
        }
      | { readonly kind: "remove"; readonly observedAt: number; readonly source: string }
    >,
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

interface Waiting {
  readonly kind: "patch";
  readonly patch: Readonly<Record<string, unknown>>;
  readonly observedAt: number;
  readonly source: string;
  readonly owner: string;
}

/** More than this in one window is flushed early: what waits is bounded. */
const MAX_WAITING_PER_WORKSPACE = 256;

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

  /** The workspace is gone: what waits for it is dropped, not flushed after it. */
  remove({ workspaceId, source, observedAt }: Omit<Report, "patch" | "urgency">): void {
    if (this.#stopped) return;
    this.#coalescer.cancel(workspaceId);
    this.#waiting.delete(workspaceId);
    const removal = {
      kind: "remove",
      observedAt: observedAt ?? this.#clock.stamp(),
      source: `event:${source}`,
    } as const;
    this.#run(workspaceId, this.#store.apply(workspaceId, [removal]));
  }

  /** Takes nothing more, writes what waits, and resolves when that is done. */
  async stop(): Promise<void> {
    this.#coalescer.flushAll();
    this.#stopped = true;
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #write(workspaceId: string): void {
    const operations = this.#waiting.get(workspaceId);
    this.#waiting.delete(workspaceId);
    if (operations && operations.length > 0)
      this.#run(workspaceId, this.#store.apply(workspaceId, operations));
  }

  #run(workspaceId: string, write: Promise<unknown>): void {
    const run = write
      .then(
        () => undefined,
        (error: unknown) => this.#logger.warn({ workspaceId, error }, "a reported change was refused"),
      )
      .finally(() => this.#inFlight.delete(run));
    this.#inFlight.add(run);
  }
}
