import { expect, test } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { following } from "./helpers/journal-sinks.ts";
import { journalContract, type OpenedJournal } from "./journal.contract.ts";

async function opened(journal: ReturnType<typeof createMemoryJournal>): Promise<OpenedJournal> {
  await journal.open();
  return {
    journal,
    reopen: async () => {
      await journal.close();
      await journal.open();
      return journal;
    },
    dispose: () => journal.close(),
  };
}

journalContract({ engine: "memory", open: () => opened(createMemoryJournal()) });

journalContract({
  engine: "memory with gaps",
  open: () => {
    let n = 0;
    return opened(createMemoryJournal({ step: () => 1 + (n++ % 4) * 7 }));
  },
});

journalContract({
  engine: "faulty memory, behaving",
  open: async () => {
    const inner = createMemoryJournal();
    await inner.open();
    return opened(withFaults(inner, new JournalFaults()));
  },
});

/** Answers come in another order than requests, deliveries a few at a time and later than the answers. */
journalContract({
  engine: "faulty memory, late and out of step",
  open: async () => {
    const inner = createMemoryJournal({ step: () => 3 });
    await inner.open();
    const faults = new JournalFaults();
    const journal = withFaults(inner, faults);
    faults.requests.held = true;
    faults.answers.held = true;
    const work = setInterval(() => {
      faults.requests.releaseOne(1);
      faults.answers.releaseOne(2);
      for (const follower of faults.followers) {
        follower.hold();
        follower.release(3);
      }
    });
    const open = await opened(journal);
    return {
      ...open,
      dispose: async () => {
        clearInterval(work);
        faults.heal();
        await open.dispose();
      },
    };
  },
});

test("R19 two memory journals are two epochs, and one that is opened again is the same", async () => {
  const [one, two] = [createMemoryJournal(), createMemoryJournal()];
  const epochs = await Promise.all(
    [one, two].map(async (journal) => (await following(journal.log("s"))).epoch),
  );
  expect(new Set(epochs).size).toBe(2);
  await one.open();
  await one.close();
  await one.open();
  expect((await following(one.log("s"))).epoch).toBe(epochs[0]);
});
