/**
 * One process at a time holds a data folder. A file beside the data names it by its number and the moment of its start,
 * so what a killed process left is nobody's, and a number that was given again is no owner either. It names the folder too,
 * as the file system knows it: a copy that was made while the folder was held carries the file along, and nobody holds it.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SnapwireError } from "../../protocol/errors.ts";
import { isAlive, startOf } from "./process-identity.ts";

const ATTEMPTS = 10;

export interface Lock {
  /** The folder is a copy of one that another process held, and holds. */
  readonly isCopy: boolean;
  release(): void;
}

/** @throws SnapwireError `unavailable` when another process holds it. */
export function takeLock(folder: string, file: string): Lock {
  const mine = `${file}.${randomUUID()}`;
  const place = placeOf(file);
  const text = JSON.stringify({ pid: process.pid, start: startOf(process.pid), folder: place });
  let isCopy = false;
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = read(file);
      const holder = holderIn(found);
      if (holder && isOf(place, holder)) throw inUse(folder, holder.pid);
      isCopy ||= holder !== undefined;
      if (found !== undefined && !putAside(file, found, mine)) continue;
      writeFileSync(mine, text, { mode: 0o600 });
      if (put(mine, file)) return { isCopy, release: () => rmSync(file, { force: true }) };
    }
  } finally {
    rmSync(mine, { force: true });
  }
  throw new SnapwireError("unavailable", `Other processes are taking the data in ${folder}. Try again.`);
}

/** The process that holds a folder now, by its number. */
export function lockHolder(file: string): number | undefined {
  const holder = holderIn(read(file));
  return holder && isOf(placeOf(file), holder) ? holder.pid : undefined;
}

interface Holder {
  readonly pid: number;
  /** Undefined: written by a version that did not say so. */
  readonly folder: string | undefined;
}

/** Who is named, if that very process lives: it holds some folder, though not always this one. */
function holderIn(text: string | undefined): Holder | undefined {
  try {
    const { pid, start, folder } = JSON.parse(text ?? "{}") as {
      readonly pid?: number;
      readonly start?: string;
      readonly folder?: unknown;
    };
    if (!Number.isSafeInteger(pid) || pid === undefined || pid < 1 || typeof start !== "string")
      return undefined;
    return isAlive(pid, start) ? { pid, folder: typeof folder === "string" ? folder : undefined } : undefined;
  } catch {
    return undefined;
  }
}

const isOf = (place: string, { folder }: Holder): boolean => folder === undefined || folder === place;

/** The folder of a file, the same one under another name too. It does not change while something in it is open. */
function placeOf(file: string): string {
  const { dev, ino } = statSync(dirname(file), { bigint: true });
  return `${dev}:${ino}`;
}

/** False when another process was faster. */
function put(mine: string, file: string): boolean {
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS") throw error;
  }
  try {
    writeFileSync(file, readFileSync(mine), { flag: "wx", mode: 0o600 }); // a file system without links
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Takes the file of a process that is no more out of the way; false when it is another one by now. */
function putAside(file: string, found: string, mine: string): boolean {
  try {
    renameSync(file, mine);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  if (read(mine) === found) return true;
  put(mine, file); // it belongs to somebody who was faster
  return false;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function inUse(folder: string, pid: number): SnapwireError {
  const who = pid === process.pid ? "this very process" : `process ${pid}`;
  return new SnapwireError(
    "unavailable",
    `The data in ${folder} is in use by ${who}. Stop that one, or start this one with a folder of its own ` +
      "(--data <folder>) or without any (--ephemeral).",
  );
}
