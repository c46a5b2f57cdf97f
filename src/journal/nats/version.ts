/** What a version of the server is known for. */

/** The last in which copies of a clustered stream can come to differ, see {@link isFragile}. */
const FRAGILE_UP_TO = "2.10.18";

/**
 * Whether a clustered stream must be handled with care. These servers let each copy count the writes that it refused (a
 * comparison that was lost, an id that came twice), and number what comes after them by that count; a server that was
 * started again has forgotten its count, so its copy can number, skip and refuse otherwise than the others do.
 */
export function isFragile(version: string): boolean {
  return compareVersions(version, FRAGILE_UP_TO) <= 0;
}

/** Below 0 when `a` is older. What stands behind a hyphen does not count. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split(/[.-]/).slice(0, 3).map(Number));
  for (let n = 0; n < 3; n += 1) {
    const difference = (left?.[n] ?? 0) - (right?.[n] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
