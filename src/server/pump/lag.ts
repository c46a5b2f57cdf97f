/** How long a change waited until it was handed to a socket: counts per bucket, added off the path of the write. */
export const LAG_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

export class LagHistogram {
  /** One more than there are bounds: the last holds what is above all of them. */
  readonly counts: number[] = new Array(LAG_BUCKETS_SECONDS.length + 1).fill(0);
  /** Seconds. */
  sum = 0;

  /** @param count - How many deliveries waited this long. */
  add(seconds: number, count: number): void {
    let bucket = 0;
    while (bucket < LAG_BUCKETS_SECONDS.length && seconds > (LAG_BUCKETS_SECONDS[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + count;
    this.sum += seconds * count;
  }
}
