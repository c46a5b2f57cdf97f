/** What `git status --porcelain=v2 --branch -z` says, as far as a card needs it. */
import { createHash } from "node:crypto";

export interface Status {
  /** Null before the first commit. */
  readonly head: string | null;
  /** `(detached)` may be a branch of that name: the file HEAD knows. Null when git did not say. */
  readonly branch: string | null;
  /** Tracked files that differ between commit, index and work tree. */
  readonly changed: readonly string[];
  readonly untracked: boolean;
  readonly objectFormat: "sha1" | "sha256";
  /** Of everything above, contents of the index included: equal digests, equal status. */
  readonly digest: string;
}

export const STATUS_COMMAND: readonly string[] = [
  "status",
  "--porcelain=v2",
  "--branch",
  "-z",
  "--untracked-files=normal",
  "--no-ahead-behind",
  "--no-renames",
  // A look inside would start one more git for each submodule, with that submodule's own configuration.
  "--ignore-submodules=dirty",
];

/** Fields before the path, for each kind of record that has one: `1` changed, `2` renamed, `u` unmerged. */
const FIELDS_BEFORE_PATH: ReadonlyMap<string, number> = new Map([
  ["1", 8],
  ["2", 9],
  ["u", 10],
]);

export function parseStatus(output: string): Status {
  let head: string | null = null;
  let branch: string | null = null;
  let untracked = false;
  let objectName = "";
  const changed: string[] = [];
  const hash = createHash("sha256");
  const records = output.split("\0");
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index] ?? "";
    const kind = record.slice(0, record.indexOf(" "));
    if (record.startsWith("# branch.oid ")) head = record.slice("# branch.oid ".length);
    else if (record.startsWith("# branch.head ")) branch = record.slice("# branch.head ".length);
    else if (kind === "?") untracked = true;
    const fields = FIELDS_BEFORE_PATH.get(kind);
    if (fields === undefined) continue;
    hash.update(record).update("\0");
    const words = record.split(" ");
    changed.push(words.slice(fields).join(" "));
    objectName = words[6] ?? ""; // before the first commit the null name, which has the right length too
    if (kind === "2") index += 1; // followed by the path that it had
  }
  if (head === "(initial)") head = null;
  const objectFormat = (head ?? objectName).length === 64 ? "sha256" : "sha1";
  hash.update(JSON.stringify([head, branch, untracked]));
  return { head, branch, changed, untracked, objectFormat, digest: hash.digest("base64url") };
}
