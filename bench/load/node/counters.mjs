/** What the load client counts. */
import { nowUs } from "./options.mjs";

/** Buckets of 1.6 %: 64 per power of two. Microseconds. */
class Histogram {
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

const fresh = () => ({
  deliveries: 0,
  messages: 0,
  bytes: 0,
  reads: 0,
  fulls: 0,
  resumed: 0,
  removed: 0,
  errors: 0,
  closed: 0,
  drops: 0,
  stops: 0,
  stalls: 0,
  resumes: 0,
  duplicates: 0,
  regressions: 0,
  firstError: "",
  lag: new Histogram(),
  sinceUs: nowUs(),
  cpu: process.cpuUsage(),
});
/** Counted since the last reset. */
export let counters = fresh();

export function resetCounters() {
  counters = fresh();
}

export function noteError(text) {
  counters.errors += 1;
  counters.firstError ||= text.toString("latin1").slice(0, 300);
}
