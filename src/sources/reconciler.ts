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
import type { Collector, CollectorStore } from "./collector.ts";
import type { FreshnessBoard } from "./freshness.ts";
import type { Source, SourceRow, SourceWatch, UnreadableRow } from "./source.ts";

export interface ReconciledStore extends CollectorStore {
  ownedBy(owner: string): string[];
  projectOf(workspaceId: string): string | undefined;
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

/** What a pass did, as logged. */
export interface PassResult {
  readonly listed: number;
  readonly changed: number;
  readonly removed: number;
  readonly unreadable: number;
  readonly failed: number;
}

const EVERY_MS = 60_000;
const FIRST_RETRY_MS = 1_000;
/** Rows asked for at once: a large project fills in as it is read, and a read that throws spoils no more than these. */
const ROWS_PER_READ = 50;
const LIST = "list";

export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #abort = new AbortController();
  readonly #chatter: Coalescer;
  readonly #listChatter: Coalescer;
  /** Invalidated and not yet read; `reading` have a read in flight. */
  readonly #invalid = new Set<string>();
  readonly #reading = new Set<string>();
  readonly #work = new Set<Promise<unknown>>();
  #watch: SourceWatch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<void> | undefined;
  /** Asked for while a pass runs; a whole one covers a look at the list. */
  #passAgain: "whole" | "list" | undefined;
  #firstPassDone = false;
  #failures = 0;
  #projects: readonly string[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
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
    const { source, freshness, collector } = this.#options;
    const watch = await source.watch?.({
      invalidate: (workspaceId, urgency) => this.invalidate(workspaceId, urgency),
      invalidateList: () => this.invalidateList(),
      setFresh: (projectId, fresh, reason) => freshness.set(projectId, source.name, fresh, reason),
      report: (report) => collector.report({ ...report, source: source.name }),
    });
    if (this.#stopped) await watch?.stop();
    else {
      this.#watch = watch;
      this.#schedule(0);
    }
  }

  /** Says that a workspace changed: it is read again. One read in flight per workspace, and one more after it. */
  invalidate(workspaceId: string, urgency: "now" | "chatter" = "now"): void {
    if (this.#stopped) return;
    if (urgency === "chatter") this.#chatter.mark(workspaceId);
    else {
      this.#chatter.cancel(workspaceId);
      this.#readSoon(workspaceId);
    }
  }

  /** Says that a workspace may have come or gone. */
  invalidateList(): void {
    if (!this.#stopped) this.#listChatter.mark(LIST);
  }

  /** Ends timers, watches and reads, and waits for work in flight. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async #stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#chatter.clear();
    this.#listChatter.clear();
    this.#invalid.clear();
    await this.#watch?.stop();
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
    const { source, store, clock, logger, everyMs = EVERY_MS } = this.#options;
    const began = clock.stamp();
    const known = store.ownedBy(source.name);
    let listed: readonly string[];
    try {
      listed = await source.list(this.#abort.signal);
    } catch (error) {
      if (!this.#stopped) this.#listFailed(error, known);
      return;
    }
    if (this.#stopped) return;
    this.#failures = 0;
    this.#projects = source.projects?.() ?? [];
    this.#setFresh(known, true);

    const first = !this.#firstPassDone;
    const wanted = whole
      ? listed
      : listed.filter((workspaceId) => store.projectOf(workspaceId) === undefined);
    const result = await this.#read(wanted, began, first ? "initial" : "reconciliation");
    const present = new Set(listed);
    for (const workspaceId of result.gone) present.delete(workspaceId);
    const gone = known.filter((workspaceId) => !present.has(workspaceId));
    const removed = this.#stopped ? 0 : await this.#remove(gone, began);
    if (this.#stopped) return;
    this.#firstPassDone = true;
    this.#options.onChange();
    const counts: PassResult = { ...result.counts, listed: listed.length, removed };
    logger.debug({ source: source.name, whole, ...counts }, "reconciliation pass");
    if (whole) this.#schedule(everyMs);
  }

  #listFailed(error: unknown, known: readonly string[]): void {
    const { source, logger, everyMs = EVERY_MS } = this.#options;
    this.#failures += 1;
    logger.warn(
      { source: source.name, error, failures: this.#failures },
      "the source cannot list its workspaces",
    );
    this.#setFresh(known, false);
    this.#options.onChange();
    this.#schedule(Math.min(everyMs, FIRST_RETRY_MS * 2 ** (this.#failures - 1)));
  }

  #setFresh(known: readonly string[], fresh: boolean): void {
    const { source, store, freshness } = this.#options;
    const projects = new Set(this.#projects);
    for (const workspaceId of known) projects.add(store.projectOf(workspaceId) ?? "");
    projects.delete("");
    const speaker = `${source.name}:list`;
    for (const projectId of projects) freshness.set(projectId, speaker, fresh, "source-unavailable");
  }

  #readSoon(workspaceId: string): void {
    this.#invalid.add(workspaceId);
    if (this.#invalid.size === 1) queueMicrotask(() => this.#readInvalid());
  }

  #readInvalid(): void {
    const batch = [...this.#invalid].filter((workspaceId) => !this.#reading.has(workspaceId));
    if (batch.length === 0 || this.#stopped) return;
    for (const workspaceId of batch) {
      this.#invalid.delete(workspaceId);
      this.#reading.add(workspaceId);
    }
    const { source, store, clock } = this.#options;
    const began = clock.stamp();
    const owned = new Set(store.ownedBy(source.name));
    this.#track(
      this.#read(batch, began, `event:${source.name}`)
        .then(({ gone }) =>
          this.#remove(
            gone.filter((workspaceId) => owned.has(workspaceId)),
            began,
          ),
        )
        .finally(() => {
          for (const workspaceId of batch) this.#reading.delete(workspaceId);
          if (this.#invalid.size > 0) this.#readInvalid();
        }),
    );
  }

  /** Reads rows in chunks and writes them; answers which ids had none. Never throws. */
  async #read(
    workspaceIds: readonly string[],
    began: number,
    origin: string,
  ): Promise<{ gone: string[]; counts: Omit<PassResult, "listed" | "removed"> }> {
    const gone: string[] = [];
    const counts = { changed: 0, unreadable: 0, failed: 0 };
    for (let at = 0; at < workspaceIds.length && !this.#stopped; at += ROWS_PER_READ) {
      const chunk = workspaceIds.slice(at, at + ROWS_PER_READ);
      const rows = await this.#rowsOf(chunk);
      if (this.#stopped) break;
      const answered = new Set(rows.map(({ workspaceId }) => workspaceId));
      gone.push(...chunk.filter((workspaceId) => !answered.has(workspaceId)));
      const written = await Promise.all(rows.map((row) => this.#write(row, began, origin)));
      for (const outcome of written) if (outcome) counts[outcome] += 1;
    }
    return { gone, counts };
  }

  /** A read that throws is tried again one by one, so that one bad workspace spoils no other. */
  async #rowsOf(chunk: readonly string[]): Promise<readonly (SourceRow | UnreadableRow)[]> {
    const { source } = this.#options;
    const { signal } = this.#abort;
    try {
      return await source.read(chunk, signal);
    } catch (error) {
      const [only] = chunk;
      if (chunk.length === 1 && only !== undefined) return [{ workspaceId: only, error }];
    }
    const rows: (SourceRow | UnreadableRow)[] = [];
    for (const workspaceId of chunk) {
      if (this.#stopped) break;
      rows.push(...(await this.#rowsOf([workspaceId])));
    }
    return rows;
  }

  async #write(
    row: SourceRow | UnreadableRow,
    began: number,
    origin: string,
  ): Promise<"changed" | "unreadable" | "failed" | undefined> {
    const { source, store, logger } = this.#options;
    const { workspaceId } = row;
    if ("error" in row) {
      logger.warn(
        { source: source.name, workspaceId, error: row.error },
        "unreadable: its last good values stay",
      );
      return "unreadable";
    }
    const { workspaceId: _, ...patch } = row;
    try {
      const known = store.projectOf(workspaceId) !== undefined;
      const written = await store.apply(workspaceId, [
        { kind: "patch", patch, observedAt: began, source: origin, owner: source.name },
      ]);
      if (!written.changed) return undefined;
      if (known && origin === "reconciliation") {
        logger.info(
          { source: source.name, workspaceId, fields: written.changedFields },
          "drift: no event announced it",
        );
      }
      return "changed";
    } catch (error) {
      logger.warn({ source: source.name, workspaceId, error }, "a row was refused");
      return "failed";
    }
  }

  async #remove(workspaceIds: readonly string[], began: number): Promise<number> {
    const { source, store, logger } = this.#options;
    let removed = 0;
    for (const workspaceId of workspaceIds) {
      try {
        const removal = { kind: "remove", observedAt: began, source: "reconciliation" } as const;
        if ((await store.apply(workspaceId, [removal])).changed) removed += 1;
      } catch (error) {
        logger.warn(
          { source: source.name, workspaceId, error },
          "a removal failed; the next pass tries again",
        );
      }
    }
    return removed;
  }

  #track(work: Promise<unknown>): void {
    const tracked = work
      .catch((error: unknown) =>
        this.#options.logger.error({ source: this.#options.source.name, error }, "a read failed"),
      )
      .finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }
}
