/**
 * What the work tree looks like without reading it: the status, and the times and sizes of the files that it calls
 * changed. A status alone stays the same while a changed file is changed further.
 */
import { createHash } from "node:crypto";
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import type { Status } from "./status.ts";

/** Files looked at: enough for what a person or an agent has under way, bounded for a tree that was just emptied. */
const MOST_FILES = 500;
const FILES_AT_A_TIME = 16;
/** Two writes this close together may leave the same times behind. */
const SETTLED_AFTER_MS = 2_000;

export interface WorkTreeTrace {
  readonly digest: string;
  /** The newest write to a changed file, milliseconds since 1970; 0 without one. */
  readonly newestMs: number;
  /** No further change can hide behind the same digest: all files were looked at, none was touched just now. */
  readonly settled: boolean;
}

/** @param now milliseconds since 1970, before the status was taken */
export async function traceOf(folder: string, status: Status, now: number): Promise<WorkTreeTrace> {
  const hash = createHash("sha256").update(status.digest);
  const looked = status.changed.slice(0, MOST_FILES);
  let newestMs = 0;
  let touchedMs = 0;
  const stamps = await pLimit(FILES_AT_A_TIME).map(looked, async (path) => {
    const found = await lstat(join(folder, path), { bigint: true }).catch(() => undefined);
    if (found === undefined) return "-";
    touchedMs = Math.max(touchedMs, Number(found.mtimeMs), Number(found.ctimeMs));
    if (found.isFile()) newestMs = Math.max(newestMs, Number(found.mtimeMs));
    return `${found.ino}.${found.mtimeNs}.${found.ctimeNs}.${found.size}`;
  });
  for (const stamp of stamps) hash.update(`\0${stamp}`);
  const settled = looked.length === status.changed.length && touchedMs < now - SETTLED_AFTER_MS;
  return { digest: hash.digest("base64url"), newestMs, settled };
}
