/**
 * What a folder remembers of those who held it: their names, newest first, and the data file as the last one left it.
 * Data that none of them wrote, or that is not as it was left, was put here by somebody else, perhaps from a backup:
 * changes that were told may not be in it.
 */
import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { writeDurably } from "./durable-file.ts";

/** One that was killed before it took the data over leaves its name all the same. */
const REMEMBERED_OWNERS = 16;

interface Left {
  readonly owner: string;
  readonly stamp: string;
}

export class Lineage {
  /** Of this process, for this time. */
  readonly name = randomUUID();
  readonly #file: string;
  readonly #owners: readonly string[];
  readonly #left: Left | null;

  /** The folder must be held. */
  constructor(file: string) {
    this.#file = file;
    const { owners, left } = read(file);
    this.#owners = owners;
    this.#left = left;
    this.#write([this.name, ...owners].slice(0, REMEMBERED_OWNERS), left);
  }

  /**
   * Whether data with this header is what the last process left here. One that was killed after it had closed the data
   * left no stamp of it, and nobody has written since.
   */
  knows({ owner, clean }: { readonly owner: string; readonly clean: boolean }, dataFile: string): boolean {
    if (!this.#owners.includes(owner)) return false;
    return !clean || this.#left?.owner !== owner || this.#left.stamp === stampOf(dataFile);
  }

  /** The data file was closed: from here on it is as it is. */
  leave(dataFile: string): void {
    this.#write([this.name], { owner: this.name, stamp: stampOf(dataFile) });
  }

  #write(owners: readonly string[], left: Left | null): void {
    writeDurably(this.#file, JSON.stringify({ owners, left }));
  }
}

function read(file: string): { readonly owners: readonly string[]; readonly left: Left | null } {
  try {
    const { owners, left } = JSON.parse(readFileSync(file, "utf8"));
    if (Array.isArray(owners) && (left === null || typeof left?.stamp === "string")) return { owners, left };
  } catch {
    // Not there, or not readable: then nothing is known here.
  }
  return { owners: [], left: null };
}

/** Another one after every write to the file, whoever made it. */
function stampOf(dataFile: string): string {
  const { ctimeNs, size } = statSync(dataFile, { bigint: true });
  return `${ctimeNs} ${size}`;
}
