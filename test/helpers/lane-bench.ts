/** A toy node on a journal with faults, for tests of its lanes. */
import type { Journal } from "../../src/journal/journal.ts";
import { createMemoryJournal, type MemoryJournalOptions } from "../../src/journal/memory.ts";
import { type AppendFate, JournalFaults, withFaults } from "./faulty-journal.ts";
import { openedToy, type ToyNode } from "./toy-collection.ts";

export async function memory(options: MemoryJournalOptions = {}): Promise<Journal> {
  const journal = createMemoryJournal(options);
  await journal.open();
  return journal;
}

export async function laneBench(wrap: (journal: Journal) => Journal = (journal) => journal) {
  const journal = await memory();
  const faults = new JournalFaults();
  const node = await openedToy(withFaults(wrap(journal), faults));
  return { journal, log: journal.log("toys"), faults, node };
}

/** The fates of the next attempts, in order; then everything is answered. */
export function fates(faults: JournalFaults, ...next: AppendFate[]): void {
  faults.fate = () => next.shift() ?? "answered";
}

export const valueIn = (node: ToyNode, key: string) => node.collection.record(key)?.state.value;
