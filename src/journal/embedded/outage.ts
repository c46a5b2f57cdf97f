/** Why a commit failed, and when the next one may be tried. */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { dirname } from "node:path";

export interface Outage {
  readonly reason: string;
  /**
   * Whether it ends by itself. After any other failure than a full disk nobody knows what is on the disk: the system may
   * have dropped what it could not write, and a later commit would only seem to hold it.
   */
  readonly passes: boolean;
}

/** Errno values as the storage library gives them, and its own for a file that may not grow. */
const [IO_ERROR, NO_SPACE, QUOTA, MAP_FULL] = [5, 28, 122, -30_792];
/** What must be free before the next commit is tried. */
const ROOM = 256 * 1024;

/** @param bytes - What the commit wanted to write, roughly. */
export function outageOf(error: unknown, file: string, bytes: number): Outage {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const isFull =
    code === NO_SPACE ||
    code === QUOTA ||
    code === MAP_FULL ||
    code === "ENOSPC" ||
    code === "EDQUOT" ||
    // Half a write is reported as an error of the disk; a disk that has no room explains it.
    (code === IO_ERROR && (freeBytes(file) < 2 * bytes + ROOM || !hasRoom(file)));
  if (isFull)
    return {
      reason: `no space is left on the disk of ${file}: writes are refused until there is some`,
      passes: true,
    };
  return {
    reason: `${file} could not be written (${String(message)}): it is only read until a restart`,
    passes: false,
  };
}

/** Whether a file can grow there: what is counted as free may be kept for others. */
export function hasRoom(file: string): boolean {
  const probe = `${file}.probe`;
  try {
    const descriptor = openSync(probe, "w", 0o600);
    try {
      for (let left = ROOM; left > 0; ) left -= writeSync(descriptor, Buffer.alloc(left));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
      rmSync(probe, { force: true });
    }
    return true;
  } catch {
    return false;
  }
}

function freeBytes(file: string): number {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize;
  } catch {
    return 0;
  }
}
