/**
 * journal/embedded: the order in one file on this machine, for one process at a time.
 *
 * In:       appends, floors and deletions of all collections.      Out: the same to every follower, after the commit.
 * Promise:  what was acknowledged or told survives the process however it ends; with durability `disk` the system too.
 *           Whenever told state may have been rolled back, a new epoch begins.
 * Not here: what a record means; many nodes (nats).
 *
 * A commit is one transaction of an LMDB file: the newest record of each key, an index by key, floors, heads, and the
 * message ids of the last two minutes. What a record supersedes is deleted with it, so the file holds what is true now
 * and nothing of how it came about; the library uses free pages again, so the file stays as large as it has ever had to
 * be. Reading the file before it is opened (`data-pages.ts`), because a damaged one would end the process, costs about
 * what reading the backlog costs.
 */
import { randomUUID } from "node:crypto";
import { rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Logger, silentLogger } from "../../log.ts";
import { makeFolder } from "../../make-folder.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import type { Journal } from "../journal.ts";
import { Commits } from "./commits.ts";
import { type Contents, loadData } from "./contents.ts";
import { syncToDisk } from "./durable-file.ts";
import { type Durability, FORMAT, type Header, reasonForNewEpoch } from "./header.ts";
import { Lineage } from "./lineage.ts";
import { type Lock, takeLock } from "./lock.ts";
import { EmbeddedLog, type Opened } from "./log.ts";
import type { Outage } from "./outage.ts";
import { systemBoot } from "./process-identity.ts";
import { HEADER_KEY, sealJson } from "./rows.ts";
import { loadStorage, type OpenStore, type Store } from "./store.ts";

export interface EmbeddedJournalOptions {
  /** Made when it does not exist; readable by this user only. */
  readonly folder: string;
  /** @defaultValue "disk" */
  readonly durability?: Durability;
  /** Begins a new epoch: for data that was put back in a way that cannot be seen. @defaultValue false */
  readonly newEpoch?: boolean;
  /** @defaultValue says nothing */
  readonly logger?: Logger;
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: () => number;
  /** Names this start of the system. @defaultValue what the system says */
  readonly boot?: () => string;
  /** How often a disk that was full is looked at, in milliseconds. @defaultValue 1_000 */
  readonly probeEveryMs?: number;
  /** How the file is written. @defaultValue LMDB, loaded when the journal is opened */
  readonly openStore?: OpenStore;
}

export interface EmbeddedJournal extends Journal {
  readonly folder: string;
}

interface Held extends Opened {
  readonly contents: Contents;
  readonly lock: Lock;
  readonly lineage: Lineage;
  readonly header: Header;
}

/** By their paths. */
export function filesIn(folder: string): Readonly<Record<"data" | "lock" | "lineage", string>> {
  return {
    data: join(folder, "journal.mdb"),
    lock: join(folder, "owner.json"),
    lineage: join(folder, "lineage.json"),
  };
}

export function createEmbeddedJournal(options: EmbeddedJournalOptions): EmbeddedJournal {
  const folder = resolve(options.folder);
  let held: Held | undefined;
  let opening: Promise<Held> | undefined;
  let closing: Promise<void> | undefined;
  const logs = new Map<string, EmbeddedLog>();
  return {
    engine: "embedded",
    durable: true,
    folder,
    open: async () => {
      await closing;
      opening ??= openData(folder, options);
      try {
        held = await opening;
      } catch (error) {
        opening = undefined;
        throw error;
      }
    },
    log: (collection) => {
      const known = logs.get(collection) ?? new EmbeddedLog(collection, () => held);
      logs.set(collection, known);
      return known;
    },
    close: () => {
      closing ??= (async () => {
        await opening?.catch(() => undefined);
        const open = held;
        held = undefined;
        if (open) await closeData(folder, open);
        opening = undefined;
        closing = undefined;
      })();
      return closing;
    },
  };
}

async function openData(folder: string, options: EmbeddedJournalOptions): Promise<Held> {
  const { durability = "disk", logger = silentLogger, now = Date.now, boot = systemBoot } = options;
  const openStore = options.openStore ?? (await loadStorage());
  const files = filesIn(folder);
  const lock = orSayWhy(folder, () => {
    makeFolder(folder, { mode: 0o700 });
    return takeLock(folder, files.lock);
  });
  let store: Store | undefined;
  try {
    const lineage = orSayWhy(folder, () => new Lineage(files.lineage));
    const { header: found, contents } = orSayWhy(folder, () => loadData(files.data));
    const inode = (): string => String(statSync(files.data, { bigint: true }).ino);
    const reason =
      found &&
      (options.newEpoch
        ? "it was asked for"
        : lock.isCopy
          ? "the folder is a copy of one that is in use"
          : reasonForNewEpoch(found, {
              boot: boot(),
              inode: inode(),
              isKnown: lineage.knows(found, files.data),
            }));
    if (reason !== undefined) logger.warn({ folder, reason }, "a new epoch begins");
    rmSync(`${files.data}-lock`, { force: true }); // of the library, for several processes: made anew
    store = await openStore(files.data, durability);
    const header: Header = {
      format: FORMAT,
      epoch: found && reason === undefined ? found.epoch : randomUUID(),
      owner: lineage.name,
      boot: boot(),
      durability,
      inode: inode(),
      clean: false,
    };
    // On the disk before anything is told, in either mode: a later start must not take the file for one closed in order.
    await writeHeader(store, header, files.data);
    syncToDisk(folder);
    const onOutage = (outage: Outage | undefined): void => {
      if (outage) logger.error({ folder, reason: outage.reason }, "the journal cannot be written");
      else logger.info({ folder }, "the journal can be written again");
      for (const { sinks } of contents.collections())
        for (const sink of [...sinks]) sink.status(outage === undefined, outage?.reason);
    };
    const commits = new Commits({
      store,
      contents,
      now,
      file: files.data,
      probeEveryMs: options.probeEveryMs ?? 1_000,
      onOutage,
    });
    const { epoch } = header;
    const collection = contents.collection.bind(contents);
    return { epoch, store, commits, collection, contents, lock, lineage, header };
  } catch (error) {
    await store?.close().catch(() => undefined);
    lock.release();
    throw error instanceof SnapwireError ? error : cannotOpen(folder, error);
  }
}

async function closeData(folder: string, held: Held): Promise<void> {
  const { commits, store, contents, lock, lineage, header } = held;
  const { data } = filesIn(folder);
  await commits.close();
  for (const { sinks } of contents.collections()) sinks.clear();
  let isClean = commits.outage === undefined;
  try {
    if (isClean) {
      if (header.durability === "process") syncToDisk(data); // first what was told, then that nothing is missing
      await writeHeader(store, { ...header, clean: true }, data);
    }
  } catch {
    isClean = false; // the next start finds it as a killed process leaves it
  }
  await store.close();
  try {
    if (isClean) lineage.leave(data);
  } finally {
    lock.release();
  }
}

async function writeHeader(store: Store, header: Header, file: string): Promise<void> {
  await store.commit(new Map([[HEADER_KEY.toString("latin1"), sealJson(HEADER_KEY, { ...header })]]));
  if (header.durability === "process") syncToDisk(file);
}

function orSayWhy<Result>(folder: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw error instanceof SnapwireError ? error : cannotOpen(folder, error);
  }
}

function cannotOpen(folder: string, cause: unknown): SnapwireError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SnapwireError(
    "unavailable",
    `The data in ${folder} cannot be opened (${why}). See that ${dirname(folder)} can be written and that its disk has ` +
      "space, or name another folder: --data <folder>.",
    { cause },
  );
}
