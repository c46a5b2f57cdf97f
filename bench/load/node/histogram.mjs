/** Buckets of 1.6 %: 64 per power of two. Microseconds. */
export class Histogram {
  buckets = new Map();
  count = 0;
  max = 0;

  add(us) {
    const value = Math.max(0, us);
    const step = value < 128 ? 1 : 2 ** (Math.floor(Math.log2(value)) - 6);
    const edge = Math.floor(value / step) * step + step - 1;
    this.buckets.set(edge, (this.buckets.get(edge) ?? 0) + 1);
    this.count += 1;
    if (value > this.max) this.max = value;
  }

  percentile(share) {
    let rest = Math.floor(share * this.count);
    for (const [edge, count] of [...this.buckets].sort(([a], [b]) => a - b)) {
      if (rest < count) return edge;
      rest -= count;
    }
    return this.max;
  }
}
