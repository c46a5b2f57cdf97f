/** Where `serve` keeps its state on this machine: a folder for each repository, or none. */
import { createHash } from "node:crypto";
import { accessSync, constants } from "node:fs";
import { basename, join } from "node:path";
import { createEmbeddedJournal, filesIn } from "../journal/embedded/embedded.ts";
import { lockHolder } from "../journal/embedded/lock.ts";
import { loadStorage } from "../journal/embedded/store.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { makeFolder } from "../make-folder.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { LoadedConfig } from "./config.ts";
import { CliFailure, EXIT, usageFailure } from "./exit-codes.ts";
import type { CliIo } from "./io.ts";
import { servedAt } from "./served-at.ts";
import { stateFolder } from "./state-folder.ts";

/** For a repository, named by the folder of its main worktree; one of many that are called the same. */
export function defaultDataFolder(env: CliIo["env"], repository: string): string | undefined {
  const state = stateFolder(env);
  if (state === undefined) return undefined;
  const name = basename(repository)
    .replace(/[^\w.-]/g, "_")
    .slice(0, 60);
  const which = createHash("sha256").update(repository).digest("hex").slice(0, 8);
  return join(state, `${name}-${which}`);
}

export type DataChoice =
  | { readonly kind: "folder"; readonly folder: string; readonly journal: Journal }
  /** Nothing survives the process. */
  | { readonly kind: "memory"; readonly because: string };

const NO_LIBRARY = "the package lmdb is not installed, or does not run on this system";

/** @throws {@link CliFailure} with the code for usage, for settings that contradict each other. */
export function checkDataSettings({ values, origins }: LoadedConfig): void {
  const ways = [
    ...(values.data === undefined ? [] : [`the data folder (${origins.data})`]),
    ...(values.ephemeral ? [`no data folder (${origins.ephemeral})`] : []),
    ...(values.journal === undefined ? [] : [`a shared journal (${origins.journal})`]),
  ];
  if (ways.length > 1)
    throw usageFailure(`The state is kept in one place: leave out one of ${ways.join(" and ")}.`);
}

/**
 * What was asked for must be possible; without a word about it, a machine on which nothing can be kept is served too.
 * @param repository - the main folder of the first repository
 * @throws SnapwireError `unavailable` when the storage library was asked for, and is missing.
 * @throws {@link CliFailure} when another server holds the folder.
 */
export async function chooseData(
  { values }: LoadedConfig,
  { env, repository, logger }: { env: CliIo["env"]; repository: string; logger: Logger },
): Promise<DataChoice> {
  if (values.ephemeral) return { kind: "memory", because: "as you asked" };
  const folder = values.data ?? defaultDataFolder(env, repository);
  if (folder === undefined) return { kind: "memory", because: "there is no home folder; --data names one" };
  if (values.data === undefined) {
    const because = (await missingLibrary()) ?? unusable(folder);
    if (because !== undefined) return { kind: "memory", because };
  }
  refuseSecond(folder);
  const journal = createEmbeddedJournal({ folder, durability: values.durability ?? "disk", logger });
  return { kind: "folder", folder, journal };
}

/** The journal would refuse too, but it does not know where the other server is. */
function refuseSecond(folder: string): void {
  const pid = holderOf(folder);
  const url = pid === undefined ? undefined : servedAt(folder, pid);
  if (url === undefined) return;
  throw new CliFailure(
    EXIT.failure,
    `A server that keeps its data in ${folder} runs already: ${url}/ (process ${pid}). Open that one, or stop it. To run ` +
      "another beside it, give this one a folder of its own (--data <folder>) or none (--ephemeral).",
  );
}

/** Undefined also for a folder that cannot be looked at: the journal says why. */
function holderOf(folder: string): number | undefined {
  try {
    return lockHolder(filesIn(folder).lock);
  } catch {
    return undefined;
  }
}

async function missingLibrary(): Promise<string | undefined> {
  try {
    await loadStorage();
    return undefined;
  } catch (error) {
    if (error instanceof SnapwireError) return NO_LIBRARY;
    throw error;
  }
}

/** Why a folder cannot be made, or not written to. */
function unusable(folder: string): string | undefined {
  try {
    makeFolder(folder, { mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `${folder} cannot be used (${(error as NodeJS.ErrnoException).code ?? String(error)})`;
  }
}
