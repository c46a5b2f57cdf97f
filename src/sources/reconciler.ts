/**
 * Reconciliation of one source: its list and its rows, against what the store says.
 *
 * Events tell early, passes tell surely: a pass corrects what no event announced, says so in the log, and removes what
 * is gone. It removes only workspaces that its own source introduced *and* that it knew before it began: one that came
 * during the pass is not in its list and still not gone. Everything that it read is stamped with the pass's beginning,
 * so that nothing newer is overwritten by it.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { Coalescer } from "./coalescer.ts";
import type { Collector } from "./collector.ts";
import type { FreshnessBoard } from "./freshness.ts";
import { type RowStore, Rows, type RowsRead } from "./rows.ts";
import type { Source, SourceWatch } from "./source.ts";

interface ReconciledStore extends RowStore {
  ownedBy(owner: string): string[];
  ownerOf(workspaceId: string): string | undefined;
}

export interface ReconcilerOptions {
  readonly source: Source;
  readonly store: ReconciledStore;
  readonly collector: Collector;
  readonly freshness: FreshnessBoard;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From the end of one pass to the start of the next, in milliseconds. @defaultValue 60_000 */
  readonly everyMs?: number;
  /** The first pass is done, or the list of projects may have changed. */
  readonly onChange: () => void;
}

const EVERY_MS = 60_000;
const FIRST_RETRY_MS = 1_000;
const LIST = "list";

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #abort = new AbortController();
  readonly #rows: Rows;
  readonly #chatter: Coalescer;
  readonly #listChatter: Coalescer;
  /** Invalidated and not yet read; `reading` have a read in flight. */
  readonly #invalid = new Set<string>();
  readonly #reading = new Set<string>();
  #readScheduled = false;
  readonly #work = new Set<Promise<unknown>>();
  #started = false;
  #watch: SourceWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<void> | undefined;
  /** Asked for while a pass runs; a whole one covers a look at the list. */
  #passAgain: "whole" | "list" | undefined;
  #firstPassDone = false;
  #failures = 0;
  #projects: readonly string[] = [];
  /** Projects that were told that the source is away. */
  readonly #staleProjects = new Set<string>();
  #stopping: Promise<void> | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { source, store, logger } = options;
    this.#rows = new Rows({ source, store, logger, signal: this.#abort.signal });
    this.#chatter = new Coalescer({ flush: (workspaceId) => this.#readSoon(workspaceId) });
    this.#listChatter = new Coalescer({ flush: () => this.#startPass(false) });
  }

  get name(): string {
    return this.#options.source.name;
  }

  get firstPassDone(): boolean {
    return this.#firstPassDone;
  }

  /** The projects that the source said exist, at its last list. */
  get projects(): readonly string[] {
    return this.#projects;
  }

  /** Begins to watch, then the first pass; resolves when watching, not when the pass is done. */
  async start(): Promise<void> {
    const watch = await this.#startWatching();
    this.#watch = watch;
    this.#started = true;
    if (this.#stopped) await this.#stopWatching();
    else this.#schedule(0);
  }

  /** Says that a workspace changed: it is read again. One read in flight per workspace, and one more after it. */
  invalidate(workspaceId: string, urgency: "now" | "chatter" = "now"): void {
    if (!this.#running) return;
    if (urgency === "chatter") this.#chatter.mark(workspaceId);
    else {
      this.#chatter.cancel(workspaceId);
      this.#readSoon(workspaceId);
    }
  }

  /** Says that a workspace may have come or gone. */
  invalidateList(): void {
    if (this.#running) this.#listChatter.mark(LIST);
  }

  /** Ends timers, watches and reads, and waits for work in flight. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Before, the first pass will see it anyway; after, nobody is to hear of it. */
  get #running(): boolean {
    return this.#started && !this.#stopped;
  }

  /** Passes are the backstop: a source that cannot watch is still reconciled. */
  async #startWatching(): Promise<SourceWatch | undefined> {
    const { source, freshness, collector, logger } = this.#options;
    try {
      return await source.watch?.({
        invalidate: (workspaceId, urgency) => this.invalidate(workspaceId, urgency),
        invalidateList: () => this.invalidateList(),
        setFresh: (projectId, fresh, reason) => freshness.set(projectId, source.name, fresh, reason),
        report: (report) => collector.report({ ...report, source: source.name }),
      });
    } catch (error) {
      logger.error(
        { source: source.name, error },
        "the source cannot watch: its changes are seen by passes only",
      );
      return undefined;
    }
  }

  async #stopWatching(): Promise<void> {
    const watch = this.#watch;
    this.#watch = undefined;
    try {
      await watch?.stop();
    } catch (error) {
      this.#options.logger.error({ source: this.name, error }, "the watch of the source did not stop");
    }
  }

  async #stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#chatter.clear();
    this.#listChatter.clear();
    this.#invalid.clear();
    await this.#stopWatching();
    await this.#passing;
    while (this.#work.size > 0) await Promise.all(this.#work);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#startPass(true), delayMs);
    this.#timer.unref();
  }

  /** @param whole - Reads every listed workspace; else only those that are not known yet. */
  #startPass(whole: boolean): void {
    if (this.#stopped) return;
    if (this.#passing) {
      this.#passAgain = whole ? "whole" : (this.#passAgain ?? "list");
      return;
    }
    this.#passing = this.#pass(whole || !this.#firstPassDone).finally(() => {
      this.#passing = undefined;
      const again = this.#passAgain;
      this.#passAgain = undefined;
      if (again) this.#startPass(again === "whole");
    });
  }

  async #pass(whole: boolean): Promise<void> {
    const { source, store, clock, logger, onChange, everyMs = EVERY_MS } = this.#options;
    const began = clock.stamp();
    const known = store.ownedBy(source.name);
    try {
      const listed = new Set(listOf(await source.list(this.#abort.signal)));
      if (this.#stopped) return;
      this.#projects = source.projects?.() ?? [];
      const wanted = [...listed].filter((workspaceId) => whole || store.projectOf(workspaceId) === undefined);
      const origin = this.#firstPassDone ? "reconciliation" : "initial";
      const { gone, ...counts } = await this.#rows.read(wanted, began, origin, whole);
      for (const workspaceId of gone) listed.delete(workspaceId);
      if (this.#stopped) return;
      const removed = await this.#rows.remove(
        known.filter((workspaceId) => !listed.has(workspaceId)),
        began,
      );
      if (this.#stopped) return;
      this.#setFresh();
      logger.debug(
        { source: source.name, whole, listed: listed.size, removed, ...counts },
        "reconciliation pass",
      );
      this.#passDone(counts, whole ? everyMs : undefined);
    } catch (error) {
      if (!this.#stopped) this.#sourceFailed(error, known);
    }
    onChange();
  }

  /** A pass whose rows the store could not take is not done: "not seeded yet" is not "empty". */
  #passDone({ unsaved }: Omit<RowsRead, "gone">, nextMs: number | undefined): void {
    if (unsaved > 0) {
      this.#retrySoon();
      return;
    }
    this.#failures = 0;
    this.#firstPassDone = true;
    if (nextMs !== undefined) this.#schedule(nextMs);
  }

  #sourceFailed(error: unknown, known: readonly string[]): void {
    const { source, store, freshness, logger } = this.#options;
    logger.warn(
      { source: source.name, error, failures: this.#failures + 1 },
      "the source cannot say what there is; what is known stays",
    );
    const projects = new Set(this.#projects);
    for (const workspaceId of known) projects.add(store.projectOf(workspaceId) ?? "");
    projects.delete("");
    for (const projectId of projects) {
      this.#staleProjects.add(projectId);
      freshness.set(projectId, `${source.name}:list`, false, "source-unavailable");
    }
    this.#retrySoon();
  }

  #setFresh(): void {
    const { source, freshness } = this.#options;
    for (const projectId of this.#staleProjects) freshness.set(projectId, `${source.name}:list`, true);
    this.#staleProjects.clear();
  }

  #retrySoon(): void {
    const { everyMs = EVERY_MS } = this.#options;
    this.#schedule(Math.min(everyMs, FIRST_RETRY_MS * 2 ** this.#failures));
    this.#failures += 1;
  }

  #readSoon(workspaceId: string): void {
    this.#invalid.add(workspaceId);
    if (this.#readScheduled) return;
    this.#readScheduled = true;
    queueMicrotask(() => {
      this.#readScheduled = false;
      this.#readInvalid();
    });
  }

  /** What was marked while its read was in flight is read once more after it; nothing waits for another's read. */
  #readInvalid(): void {
    const batch = [...this.#invalid].filter((workspaceId) => !this.#reading.has(workspaceId));
    if (batch.length === 0 || this.#stopped) return;
    for (const workspaceId of batch) {
      this.#invalid.delete(workspaceId);
      this.#reading.add(workspaceId);
    }
    const run = this.#readNow(batch).finally(() => {
      this.#work.delete(run);
      for (const workspaceId of batch) this.#reading.delete(workspaceId);
      this.#readInvalid();
    });
    this.#work.add(run);
  }

  async #readNow(batch: readonly string[]): Promise<void> {
    const { source, store, clock } = this.#options;
    const began = clock.stamp();
    const owned = new Set(batch.filter((workspaceId) => store.ownerOf(workspaceId) === source.name));
    const { gone } = await this.#rows.read(batch, began, `event:${source.name}`);
    const removable = gone.filter((workspaceId) => owned.has(workspaceId));
    if (!this.#stopped) await this.#rows.remove(removable, began);
  }
}

/** What is no list does not say that nothing exists. */
function listOf(listed: readonly string[]): readonly string[] {
  if (Array.isArray(listed)) return listed;
  throw new TypeError("list() must answer an array of workspace ids");
}
