/** The name that was probably meant. */

/** The nearest of `candidates`, if it is near enough to be a typing error. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const asked = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(Math.max(asked.length, 3) / 3)) + 1;
  for (const candidate of candidates) {
    const distance = distanceBetween(asked, candidate.toLowerCase());
    if (distance >= bestDistance) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** ` Did you mean X?`, or nothing. */
export function suggestion(
  word: string,
  candidates: readonly string[],
  show = (name: string) => name,
): string {
  const name = nearest(word, candidates);
  return name === undefined ? "" : ` Did you mean ${show(name)}?`;
}

/** Insertions, deletions, replacements and swaps of neighbours. What is longer than any of our names is not compared. */
function distanceBetween(a: string, b: string): number {
  if (a.length > 64) return Number.POSITIVE_INFINITY;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
