/** The end of a node whose engine has fallen silent: nothing that is not told any more keeps it from ending. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createMemoryJournal } from "../src/journal/memory.ts";
import { online, openRoom, settle } from "./helpers/agents.ts";
import { JournalFaults, withFaults } from "./helpers/faulty-journal.ts";
import { NOON } from "./helpers/store-parts.ts";

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date"],
    now: NOON,
  });
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ["alone", false],
  ["of several", true],
])(
  "P14 a node %s that does not hear of its own writes any more closes all the same, and leaves no timer",
  async (_, shared) => {
    const faults = new JournalFaults();
    const journal = { ...withFaults(createMemoryJournal(), faults), shared };
    const room = await openRoom({ journal });
    await online(room, "desk");
    await online(room, "table");
    await settle();
    faults.hold();
    const sent = room.agents.send({ deviceId: "desk", text: "x", waitMs: 0 }).catch(() => undefined);
    let closed = false;
    const closing = room.agents.close().then(() => {
      closed = true;
    });
    await settle();
    expect(closed, "it waits for what is on its way").toBe(false);
    for (let seconds = 0; seconds < 20 && !closed; seconds += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      await settle();
    }
    expect(closed).toBe(true);
    await closing;
    await sent;
    expect(vi.getTimerCount()).toBe(0);
  },
);
