/** What makes a data file unfit: the file is left as it is, and the message says what to do. */
import { SnapwireError } from "../../protocol/errors.ts";

/** Thrown while a file is looked at; what it says is a clause: `page 7 is used twice`. */
export class Damage extends Error {
  override readonly name = "Damage";
}

export function damaged(file: string, cause: Damage): SnapwireError {
  return new SnapwireError(
    "unavailable",
    `The data file ${file} is damaged (${cause.message}). Nothing in it was changed. Put a backup in its place, or ` +
      "move it away to begin with an empty one: what was published is lost then, what git knows is read again.",
    { cause },
  );
}

export function tooNew(file: string, format: number, known: number): SnapwireError {
  return new SnapwireError(
    "unavailable",
    `The data file ${file} was written by a newer version of Snapwire (format ${format}; this version reads up to ` +
      `${known}). Nothing in it was changed. Start that version, or name another folder for this one: --data <folder>.`,
  );
}
