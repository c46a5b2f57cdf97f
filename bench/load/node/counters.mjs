/** What the load client counts. */
import { Histogram } from "./histogram.mjs";
import { nowUs } from "./options.mjs";

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
