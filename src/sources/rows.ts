/**
 * The rows of one source: read in chunks, written with the time at which the read began. A workspace that cannot be
 * read or whose row is refused costs no other its row, and keeps its last good values.
 */
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { CollectorStore } from "./collector.ts";
import type { Source, SourceRow, UnreadableRow } from "./source.ts";

export interface RowStore extends CollectorStore {
  projectOf(workspaceId: string): string | undefined;
}

export interface RowsOptions {
  readonly source: Source;
  readonly store: RowStore;
  readonly logger: Logger;
  /** Aborted when the service stops: nothing more is read or written. */
  readonly signal: AbortSignal;
}

export interface RowsRead {
  /** Asked for and without a row: they do not exist. */
  readonly gone: readonly string[];
  readonly changed: number;
  readonly unreadable: number;
  readonly failed: number;
  /** The store could not take rows, which says nothing about them: they are to be read again. */
  readonly unsaved: number;
}

type Written = "changed" | "unreadable" | "failed" | "unsaved" | undefined;
type Row = SourceRow | UnreadableRow;

/** Rows asked for at once: a large project fills in as it is read, and a read that throws spoils no more than these. */
const ROWS_PER_READ = 50;

export class Rows {
  readonly #options: RowsOptions;

  constructor(options: RowsOptions) {
    this.#options = options;
  }

  /**
   * Reads and writes; a stop ends it early.
   * @param began - The time of the observation, in milliseconds since 1970.
   * @param whole - These are all that there are.
   * @throws what the source threw, when it threw for each of the first ones of all: then it is the source that is away,
   * and not a workspace that is bad.
   */
  async read(
    workspaceIds: readonly string[],
    began: number,
    origin: string,
    whole = false,
  ): Promise<RowsRead> {
    const gone: string[] = [];
    const counts = { changed: 0, unreadable: 0, failed: 0, unsaved: 0 };
    let answers = 0;
    for (let at = 0; at < workspaceIds.length && !this.#options.signal.aborted; at += ROWS_PER_READ) {
      const chunk = workspaceIds.slice(at, at + ROWS_PER_READ);
      const { rows, thrown } = await this.#rowsOf(chunk);
      if (this.#options.signal.aborted) break;
      answers += chunk.length - thrown.length;
      if (whole && answers === 0) throw thrown[0];
      const answered = new Set(rows.map(({ workspaceId }) => workspaceId));
      gone.push(...chunk.filter((workspaceId) => !answered.has(workspaceId)));
      const written = await Promise.all(rows.map((row) => this.#write(row, began, origin)));
      for (const outcome of written) if (outcome) counts[outcome] += 1;
    }
    return { gone, ...counts };
  }

  /** @returns how many were there and are not any more. Never throws. */
  async remove(workspaceIds: readonly string[], began: number): Promise<number> {
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

  /** A read that throws is tried again one by one, so that one bad workspace spoils no other. */
  async #rowsOf(chunk: readonly string[]): Promise<{ rows: readonly Row[]; thrown: readonly unknown[] }> {
    const { source, signal } = this.#options;
    const asked = new Set(chunk);
    try {
      const rows = await source.read(chunk, signal);
      return { rows: rows.filter(({ workspaceId }) => asked.has(workspaceId)), thrown: [] };
    } catch (error) {
      const [only] = chunk;
      if (chunk.length === 1 && only !== undefined) {
        return { rows: [{ workspaceId: only, error }], thrown: [error] };
      }
    }
    const rows: Row[] = [];
    const thrown: unknown[] = [];
    for (const workspaceId of chunk) {
      if (signal.aborted) break;
      const one = await this.#rowsOf([workspaceId]);
      rows.push(...one.rows);
      thrown.push(...one.thrown);
    }
    return { rows, thrown };
  }

  async #write(row: Row, began: number, origin: string): Promise<Written> {
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
      const isStoreAway =
        error instanceof SnapwireError &&
        (error.reason === "unavailable" || error.reason === "outcome-unknown");
      logger.warn(
        { source: source.name, workspaceId, error },
        isStoreAway ? "a row was not stored; it is read again" : "a row was refused",
      );
      return isStoreAway ? "unsaved" : "failed";
    }
  }
}
