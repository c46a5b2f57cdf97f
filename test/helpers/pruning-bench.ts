/** Toy nodes that share a journal and a clock that is set by hand. */
import { JournalFaults, withFaults } from "./faulty-journal.ts";
import { memory } from "./lane-bench.ts";
import { openedToy } from "./toy-collection.ts";

/** How long tombstones are kept, unless an option says otherwise. */
export const HOUR = 3_600_000;

/** A journal, a clock that is set by hand, and nodes that share them. */
export async function pruningBench(options: { tombstonesPerScope?: number } = {}) {
  const journal = await memory();
  const time = { now: 0 };
  return {
    journal,
    time,
    log: journal.log("toys"),
    node: (faults = new JournalFaults()) =>
      openedToy(withFaults(journal, faults), { ...options, now: () => time.now }),
  };
}
