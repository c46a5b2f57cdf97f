/** Where the server that holds a data folder can be reached: a file beside the data, for whoever finds the folder in use. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const fileIn = (folder: string): string => join(folder, "server.json");

/**
 * The folder must be held by this process. It helps people only: one that cannot be written is none, and one that cannot
 * be removed names a process that has ended.
 * @returns how to take it back; never throws
 */
export function sayServedAt(folder: string, url: string): () => void {
  const file = fileIn(folder);
  try {
    writeFileSync(file, JSON.stringify({ pid: process.pid, url }), { mode: 0o600 });
  } catch {
    return () => undefined;
  }
  return () => {
    try {
      rmSync(file, { force: true });
    } catch {
      // an orderly end is not to fail by it
    }
  };
}

/** @param pid - who holds the folder: what another process left says nothing. */
export function servedAt(folder: string, pid: number): string | undefined {
  try {
    const said = JSON.parse(readFileSync(fileIn(folder), "utf8")) as { pid?: unknown; url?: unknown };
    return said.pid === pid && typeof said.url === "string" ? said.url : undefined;
  } catch {
    return undefined;
  }
}
