/**
 * The part of a journal's contract that says when a floor is told: an event log takes what it does not find for something
 * that never was, unless a floor has told it otherwise by then.
 */
import { setImmediate as turn } from "node:timers/promises";
import { expect } from "vitest";
import type { JournalSink } from "../../src/journal/journal.ts";
import { type Promises, put, reached } from "./journal-bench.ts";

const ROUNDS = 12;

/** A follower that looks, at each record, for the floor that was raised before the record was appended. */
function watchingFloors(): JournalSink & { readonly seen: number; readonly late: readonly string[] } {
  const late: string[] = [];
  let floor = 0;
  let live = false;
  let newest = 0;
  let seen = 0;
  const look = (): void => {
    if (floor < newest) late.push(`the floor is ${floor} where a record says ${newest}`);
  };
  return {
    late,
    get seen() {
      return seen;
    },
    reset: () => {
      floor = 0;
      newest = 0;
      live = false;
    },
    record: ({ body }) => {
      if (typeof body !== "number") return;
      seen += 1;
      newest = Math.max(newest, body);
      if (live) look();
    },
    floor: (scope, told) => {
      if (scope === "p") floor = Math.max(floor, told);
    },
    advance: () => {
      live = true;
      look();
    },
    status: () => undefined,
  };
}

export function floorPromises(promise: Promises): void {
  promise(
    "a floor is told no later than the records that were appended after the deletion that it covers, to who follows anew as well",
    async ({ log, follow }) => {
      const followed = await follow();
      const sinks: ReturnType<typeof watchingFloors>[] = [];
      const stops: (() => void)[] = [];
      const another = async (): Promise<void> => {
        const sink = watchingFloors();
        sinks.push(sink);
        const { stop } = await log.follow(sink);
        stops.push(stop);
      };
      await another();
      let writing = true;
      const comers = (async () => {
        while (writing) {
          await another();
          await turn();
          if (stops.length > 4) stops.splice(1, 1)[0]?.();
        }
      })();
      let end = 0;
      let marker = 0;
      try {
        for (let round = 0; round < ROUNDS; round += 1) {
          const doomed = await put(log, `event ${round}`, "doomed");
          await log.raiseFloor("p", doomed);
          await log.dropRecords([{ key: `event ${round}`, sequence: doomed }]);
          // What a record says: the floor that holds since before it was appended.
          marker = await put(log, "marker", doomed, marker);
          end = await put(log, `late ${round}`, doomed);
        }
      } finally {
        writing = false;
        await comers;
      }
      await another();
      await reached(followed, end);
      for (const stop of stops) stop();
      expect(sinks.flatMap(({ late }) => late)).toEqual([]);
      expect(sinks[0]?.seen, "the one that followed from the start was given each").toBe(2 * ROUNDS);
      expect(sinks.at(-1)?.seen, "the one that came last was given what there is").toBe(ROUNDS + 1);
    },
  );
}
