/** The engine that rules are run on: memory, or another one whose answers take a while. */
import type { Journal } from "../../src/journal/journal.ts";
import { createMemoryJournal, type MemoryJournalOptions } from "../../src/journal/memory.ts";

export interface OpenedOrder {
  /** Open. */
  readonly journal: Journal;
  readonly dispose: () => void | Promise<void>;
}

/** Another engine than memory, for the files that are imported after this. */
let engine: (() => Promise<OpenedOrder>) | undefined;
/** What that engine has not answered yet. */
const underWay = new Set<Promise<unknown>>();

/** Runs rules on another engine: one order per cluster, each of its own. */
export function onEngine(other: () => Promise<OpenedOrder>): void {
  engine = other;
}

/** Closed by whoever made it, whatever its nodes do; {@link turn} waits for its answers. */
function kept(journal: Journal): Journal {
  const answered = <Answer>(answer: Promise<Answer>): Promise<Answer> => {
    underWay.add(answer);
    const done = (): void => void underWay.delete(answer);
    answer.then(done, done);
    return answer;
  };
  return {
    ...journal,
    open: async () => undefined,
    close: async () => undefined,
    log: (name) => {
      const log = journal.log(name);
      return {
        follow: (sink) => answered(log.follow(sink)),
        append: (append) => answered(log.append(append)),
        head: () => answered(log.head()),
        raiseFloor: (scope, floor) => answered(log.raiseFloor(scope, floor)),
        dropFloor: (scope) => answered(log.dropFloor(scope)),
        dropRecords: (records) => answered(log.dropRecords(records)),
      };
    },
  };
}

/** An empty order of that engine. One whose sequences are to have gaps is in memory. */
export async function newOrder(options: MemoryJournalOptions = {}): Promise<OpenedOrder> {
  if (engine && !options.step) {
    const { journal, dispose } = await engine();
    return { journal: kept(journal), dispose };
  }
  const journal = createMemoryJournal(options);
  await journal.open();
  return { journal, dispose: () => journal.close() };
}

/** Lets everything that is due in this turn of the loop happen; on another engine, what it was asked for first. */
export async function turn(): Promise<void> {
  do {
    await Promise.allSettled(underWay);
    await new Promise((resolve) => setImmediate(resolve));
  } while (underWay.size > 0);
}
