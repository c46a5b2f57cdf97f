/** The few small files of a git directory that are read without a git: cheaper than a process, and stable formats. */
import { constants } from "node:fs";
import { lstat, open, realpath, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

const MOST_BYTES = 16_384;
/** A pipe in the place of a file would otherwise hold one of the few threads that all file access shares. */
const READ_WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

export async function textOf(path: string): Promise<string | undefined> {
  return await part(path, "beginning");
}

export async function stampOf(path: string): Promise<string> {
  return (await traceOfFile(path)).stamp;
}

export async function stampsOf(paths: readonly string[]): Promise<string> {
  return (await Promise.all(paths.map(stampOf))).join(" ");
}

/** What the file says that it refers to (`ref: <name>`), `null` for an object name, undefined when it cannot say. */
export async function symbolicRef(path: string): Promise<string | null | undefined> {
  const text = await textOf(path);
  if (text === undefined) return undefined;
  const name = /^ref:\s*(\S.*?)\s*$/.exec(text)?.[1];
  // With the reftable format the file is a stub that names no ref.
  return name === "refs/heads/.invalid" ? undefined : (name ?? null);
}

/** When HEAD last moved, by the last line of its log; in milliseconds since 1970. */
export async function lastMoveOfHead(gitDir: string): Promise<number | undefined> {
  const log = (await part(join(gitDir, "logs", "HEAD"), "end")) ?? "";
  const line = log.trimEnd().split("\n").at(-1) ?? "";
  const seconds = />\s(\d{1,12})\s[+-]\d{4}(?:\t|$)/.exec(line)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

/** Undefined for what is no ordinary file. */
async function part(path: string, which: "beginning" | "end"): Promise<string | undefined> {
  const file = await open(path, READ_WITHOUT_WAITING).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    const length = Math.min(found.size, MOST_BYTES);
    const from = which === "end" ? found.size - length : 0;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
    return buffer.toString("utf8", 0, bytesRead);
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

/** One file as it is now: a stamp that changes whenever it is written, replaced or removed, and when it was written. */
export interface FileTrace {
  readonly stamp: string;
  /** Milliseconds since 1970; undefined when there is no file. */
  readonly writtenMs: number | undefined;
}

export async function traceOfFile(path: string): Promise<FileTrace> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined);
  if (found === undefined) return { stamp: "-", writtenMs: undefined };
  const stamp = `${found.ino}.${found.mtimeNs}.${found.ctimeNs}.${found.size}`;
  return { stamp, writtenMs: Number(found.mtimeMs) };
}

/**
 * When the git directory was made: the older of its birth and of a file in it that git writes once. Where a file system
 * keeps no birth times, Node reports a time that moves; the file's does not.
 */
export async function madeAt(gitDir: string, main: boolean): Promise<string | undefined> {
  const born = (await stat(gitDir).catch(() => undefined))?.birthtimeMs;
  const { writtenMs } = await traceOfFile(join(gitDir, main ? "description" : "commondir"));
  return rfc3339(Math.min(...[born, writtenMs].filter((time) => time !== undefined && time > 0).map(Number)));
}

const YEAR_10000_MS = 253_402_300_800_000;

/** A time that a file claims, if it is one that can be told: a file may claim any. */
export function isTellable(ms: number | undefined): ms is number {
  return ms !== undefined && ms > 0 && ms < YEAR_10000_MS;
}

export function rfc3339(ms: number): string | undefined {
  return isTellable(ms) ? new Date(ms).toISOString() : undefined;
}

/** The worktree folder that a directory below `worktrees/` belongs to, as its `gitdir` file says. */
export async function folderOf(gitDir: string): Promise<string | undefined> {
  const text = (await textOf(join(gitDir, "gitdir")))?.trimEnd();
  return text === undefined || text === "" ? undefined : dirname(resolve(gitDir, text));
}

/** Whether `<folder>/.git` names this git directory, another one, or is away. */
export async function ownerOf(folder: string, gitDir: string): Promise<"this" | "another" | "nobody"> {
  const link = join(folder, ".git");
  const text = await textOf(link);
  if (text === undefined) return (await exists(link)) ? "another" : "nobody";
  const named = /^gitdir:\s*([\s\S]*?)[\r\n]*$/.exec(text)?.[1];
  if (named === undefined) return "another";
  const target = resolve(folder, named);
  if (target === gitDir) return "this";
  const [a, b] = await Promise.all([canonical(target), canonical(gitDir)]);
  return a === b ? "this" : "another";
}

export async function canonical(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}
