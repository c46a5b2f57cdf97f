/** The row that says whose life of the order a data file holds, and how its last process left it. */

import { Damage } from "./damage.ts";

/**
 * What a change waits for before anybody hears of it. `process`: the system has it, so it survives the end of the
 * process; `disk`: it is on the disk, so it survives the end of the system too.
 */
export type Durability = "process" | "disk";

/** Raised when an older version could not read what this one writes. */
export const FORMAT = 1;

export interface Header {
  readonly format: number;
  readonly epoch: string;
  /** Of the process that holds the file, or held it last. */
  readonly owner: string;
  /** The start of the system in which it was written. */
  readonly boot: string;
  /** What that process waited for before it told of a change. */
  readonly durability: Durability;
  /** The file itself, as its file system knows it. */
  readonly inode: string;
  /** False while a process holds it. */
  readonly clean: boolean;
}

/** @throws {@link Damage}. The caller has compared the format with {@link FORMAT}. */
export function readHeader(content: unknown): Header {
  const { format, epoch, owner, boot, durability, inode, clean } = content as Partial<Header>;
  const isWhole =
    format === FORMAT &&
    typeof epoch === "string" &&
    typeof owner === "string" &&
    typeof boot === "string" &&
    (durability === "disk" || durability === "process") &&
    typeof inode === "string" &&
    typeof clean === "boolean";
  if (!isWhole) throw new Damage("its header cannot be read");
  return { format, epoch, owner, boot, durability, inode, clean };
}

export function formatOf(content: unknown): number {
  const format = (content as { readonly format?: unknown } | null)?.format;
  if (typeof format !== "number") throw new Damage("its header cannot be read");
  return format;
}

/** What a process finds before it takes the file over. */
export interface Found {
  readonly boot: string;
  readonly inode: string;
  /** Whether the folder knows the process that wrote the header, and the file as that process left it. */
  readonly isKnown: boolean;
}

/**
 * Why told state may have been rolled back, so that the order must begin a new epoch; `undefined` when it goes on. A
 * killed process is no reason: what it wrote is with the system. A system that went down is one, unless each change was
 * on the disk before it was told.
 */
export function reasonForNewEpoch(header: Header, found: Found): string | undefined {
  if (header.inode !== found.inode) return "the data file is a copy, or was put back from a backup";
  if (!found.isKnown) return "the data file is not the one that the last process left here";
  if (!header.clean && header.durability === "process" && header.boot !== found.boot)
    return "the system went down while changes were told before they were on the disk";
  return undefined;
}
