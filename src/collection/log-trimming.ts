/** What a log does not keep any longer: by count and age per scope, by count and bytes over all. A pure decision. */
import type { LogList } from "./log-list.ts";
import type { LogNode } from "./log-node.ts";

export interface LogLimits {
  /** Entries per scope. */
  readonly perScope: number;
  /** Milliseconds. */
  readonly forMs: number;
  /** Entries over all scopes. */
  readonly inAll: number;
  /** Bytes over all scopes. */
  readonly bytesInAll: number;
}

/**
 * The oldest entries that are too many, too old or too large, a prefix of each scope.
 * @param before - Milliseconds since 1970.
 */
export function trimmable<Entry>(
  all: LogList<Entry>,
  scopes: Iterable<LogList<Entry>>,
  bytes: number,
  limits: LogLimits,
  before: number,
): ReadonlySet<LogNode<Entry>> {
  const trimmed = new Set<LogNode<Entry>>();
  for (const scope of scopes) {
    let surplus = scope.count - limits.perScope;
    for (const node of scope) {
      if (surplus <= 0 && node.at > before) break;
      trimmed.add(node);
      surplus -= 1;
    }
  }
  let count = all.count - trimmed.size;
  let held = bytes;
  for (const node of trimmed) held -= node.bytes;
  for (const node of all) {
    if (count <= limits.inAll && held <= limits.bytesInAll) break;
    if (trimmed.has(node)) continue;
    trimmed.add(node);
    count -= 1;
    held -= node.bytes;
  }
  return trimmed;
}
