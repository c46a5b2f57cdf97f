/**
 * A folder and those above it. Node's own `recursive` asks again for ever where the system refuses a folder below one that
 * is there, as below `/proc`: here each folder is asked for once.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

export interface MakeFolderOptions {
  /** Of those that are made. @defaultValue what the umask leaves */
  readonly mode?: number;
}

/**
 * @returns the folders that were made, the outermost first
 * @throws what the system says, such as ENOENT below `/proc`, ENOTDIR below a file, EACCES, EROFS.
 */
export function makeFolder(path: string, { mode = 0o777 }: MakeFolderOptions = {}): string[] {
  const missing: string[] = [];
  for (let there = path; !isThere(there); there = dirname(there)) missing.unshift(there);
  if (missing.length === 0 && !statSync(path).isDirectory()) missing.push(path); // a file: the system says so
  const made: string[] = [];
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode });
      made.push(folder);
    } catch (error) {
      // Somebody else was faster, and what they made will do.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(folder).isDirectory()) throw error;
    }
  }
  return made;
}

function isThere(path: string): boolean {
  if (dirname(path) === path) return true;
  try {
    statSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}
