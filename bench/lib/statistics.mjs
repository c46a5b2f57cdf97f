/** What is said of several rounds: the middle one, and how far the others lie from it. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @returns the median, the extremes, and the spread (highest less lowest) as a share of the median */
export function summarize(values) {
  const middle = median(values);
  const low = Math.min(...values);
  const high = Math.max(...values);
  return {
    median: middle,
    low,
    high,
    spread: middle === 0 ? 0 : (high - low) / middle,
    rounds: values.length,
  };
}

/** Least squares: how much `y` grows per unit of `x`. */
export function slope(points) {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return below === 0 ? 0 : above / below;
}
