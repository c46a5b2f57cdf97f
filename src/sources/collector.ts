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

type CollectedOperation =
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
  /** Undefined: nobody has introduced it. @defaultValue nobody can say */
  projectOf?(workspaceId: string): string | undefined;
  apply(
    workspaceId: string,
    operations: readonly CollectedOperation[],
  ): Promise<{
    readonly accepted: boolean;
    readonly changed: boolean;
    readonly changedFields: readonly string[];
    readonly version: number;
    readonly position: string | null;
  }>;
}

/** What the commit came to that a report went into; reports that waited together share it. */
export interface Submitted {
  readonly accepted: boolean;
  readonly changed: boolean;
  readonly version: number;
  readonly position: string | null;
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

/** Who waits to hear what became of a report. */
interface Settle {
  readonly resolve: (submitted: Submitted) => void;
  readonly reject: (error: unknown) => void;
}

interface Collected {
  readonly operation: CollectedOperation;
  readonly settle?: Settle | undefined;
}

interface Waiting extends Collected {
  readonly operation: Extract<CollectedOperation, { kind: "patch" }>;
}

const DROPPED: Submitted = { accepted: false, changed: false, version: 0, position: null };
/** More than this in one window is flushed early: what waits is bounded. */
const MAX_WAITING_PER_WORKSPACE = 256;
/** What is kept for workspaces that a source named before they are known. */
const MAX_EARLY_WORKSPACES = 1_000;
const MAX_EARLY_PER_WORKSPACE = 32;
/** Why one report can be refused while those beside it are good. */
const REFUSALS: readonly SnapwireErrorReason[] = ["invalid-input", "derived-field", "project-required"];

export class Collector {
  readonly #store: CollectorStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #coalescer: Coalescer;
  readonly #inFlight = new Set<Promise<void>>();
  /** Of workspaces that nobody has introduced yet, in the order in which they were first named. */
  readonly #early = new Map<string, Waiting[]>();
  #stopped = false;

  constructor(options: { store: CollectorStore; clock: Clock; logger: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#coalescer = new Coalescer({ flush: (workspaceId) => this.#write(workspaceId) });
  }

  report(report: Report): void {
    if (!this.#stopped) this.#take(report);
  }

  /**
   * Reports, and answers when it was written: for chatter, when the window of its workspace closes.
   * @throws SnapwireError why it was refused; `unavailable` when the service has been stopped.
   */
  submit(report: Report): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      if (!this.#stopped) return this.#take(report, { resolve, reject });
      return reject(new SnapwireError("unavailable", "The service has been stopped."));
    });
  }

  /** The workspace is gone: what was seen of it before that is dropped, not flushed after it. */
  remove({ workspaceId, source, observedAt }: Omit<Report, "patch" | "urgency">): void {
    if (this.#stopped) return;
    const removal = {
      kind: "remove",
      observedAt: observedAt ?? this.#clock.stamp(),
      source: `event:${source}`,
    } as const;
    const isLater = ({ operation }: Waiting): boolean => operation.observedAt > removal.observedAt;
    const early = this.#early.get(workspaceId)?.filter(isLater) ?? [];
    this.#early.delete(workspaceId);
    for (const report of early) this.#wait(workspaceId, report);
    const waiting = this.#drain(workspaceId);
    for (const { settle } of waiting.filter((report) => !isLater(report))) settle?.resolve(DROPPED);
    this.#run(this.#apply(workspaceId, [...waiting.filter(isLater), { operation: removal }]));
  }

  /** Workspaces of which something was seen before they were known. */
  get waitingWorkspaces(): number {
    return this.#early.size;
  }

  /** The workspace is known now: what was seen of it before is written, with the time at which it was seen. */
  introduced(workspaceId: string): void {
    const early = this.#early.get(workspaceId);
    if (!early || this.#stopped) return;
    this.#early.delete(workspaceId);
    this.#run(this.#apply(workspaceId, early));
  }

  /** Takes nothing more, writes what waits, and resolves when that is done. */
  async stop(): Promise<void> {
    this.#coalescer.flushAll();
    this.#stopped = true;
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight);
  }

  #take({ workspaceId, patch, source, observedAt, urgency = "now" }: Report, settle?: Settle): void {
    const waiting = this.#waiting.get(workspaceId) ?? [];
    this.#waiting.set(workspaceId, waiting);
    const stamp = observedAt ?? this.#clock.stamp();
    waiting.push({
      operation: { kind: "patch", patch, observedAt: stamp, source: `event:${source}`, owner: source },
      settle,
    });
    this.#coalescer.mark(workspaceId);
    if (urgency === "now" || waiting.length >= MAX_WAITING_PER_WORKSPACE) this.#coalescer.flush(workspaceId);
  }

  #write(workspaceId: string): void {
    const waiting = this.#drain(workspaceId);
    if (waiting.length > 0) this.#run(this.#apply(workspaceId, waiting));
  }

  #drain(workspaceId: string): readonly Waiting[] {
    this.#coalescer.cancel(workspaceId);
    const waiting = this.#waiting.get(workspaceId) ?? [];
    this.#waiting.delete(workspaceId);
    return waiting;
  }

  /** One commit; when one of several reports spoils it, they are written one by one, so that only that one is lost. */
  async #apply(workspaceId: string, waiting: readonly Collected[]): Promise<void> {
    try {
      const written = await this.#store.apply(
        workspaceId,
        waiting.map(({ operation }) => operation),
      );
      const { accepted, changed, version, position } = written;
      for (const { settle } of waiting) settle?.resolve({ accepted, changed, version, position });
      if (waiting.some(({ operation }) => operation.kind === "patch")) this.introduced(workspaceId);
    } catch (error) {
      if (waiting.length > 1 && error instanceof SnapwireError && REFUSALS.includes(error.reason)) {
        for (const one of waiting) await this.#apply(workspaceId, [one]);
        return;
      }
      for (const { settle } of waiting) settle?.reject(error);
      const [only] = waiting;
      if (isEarly(error) && only?.operation.kind === "patch" && !only.settle)
        return this.#waitUntilKnown(workspaceId, only as Waiting);
      if (waiting.every(({ settle }) => settle)) return; // whoever asked for it hears why
      this.#logger.warn({ workspaceId, error }, "a reported change was refused");
    }
  }

  #waitUntilKnown(workspaceId: string, report: Waiting): void {
    this.#wait(workspaceId, report);
    // It may have been introduced while this report was on its way.
    if (this.#store.projectOf?.(workspaceId) !== undefined) this.introduced(workspaceId);
  }

  /** Bounded: of a workspace the newest reports, and of many workspaces those named last. */
  #wait(workspaceId: string, report: Waiting): void {
    const early = this.#early.get(workspaceId) ?? [];
    this.#early.set(workspaceId, early);
    early.push(report);
    if (early.length > MAX_EARLY_PER_WORKSPACE) early.shift();
    const [oldest] = this.#early.keys();
    if (this.#early.size > MAX_EARLY_WORKSPACES && oldest !== undefined) this.#early.delete(oldest);
  }

  #run(write: Promise<void>): void {
    const run = write.finally(() => this.#inFlight.delete(run));
    this.#inFlight.add(run);
  }
}

function isEarly(error: unknown): boolean {
  return error instanceof SnapwireError && error.reason === "project-required";
}
