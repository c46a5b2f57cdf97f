/**
 * A process that writes into a data folder until it is killed, and says on stdout what it was told and what was
 * acknowledged, each before it goes on. Its first lines are what it found: the backlog of each collection.
 *
 *     embedded-writer <folder> <durability> <seed>
 */
import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { createEmbeddedJournal } from "../../src/journal/embedded/embedded.ts";
import { JournalConflict, type JournalLog } from "../../src/journal/journal.ts";

const [folder = "", durability = "disk", seed = "1"] = process.argv.slice(2);
const KEYS = 24;
const WRITERS = 12;

/** What `JSON.parse` gives of each line. */
export type Line =
  | readonly ["epoch", collection: string, epoch: string]
  | readonly ["found" | "told", collection: string, sequence: number, key: string, body: string]
  | readonly ["floor", collection: string, scope: string, floor: number]
  | readonly ["head", collection: string, head: number]
  | readonly ["stored", collection: string, sequence: number, key: string, body: string]
  | readonly ["raised", collection: string, scope: string, floor: number]
  | readonly ["dropping" | "dropped", collection: string, sequence: number, key: string]
  | readonly ["ready"];

function say(...line: Line): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

let state = Number(seed) >>> 0;
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

const journal = createEmbeddedJournal({ folder, durability: durability === "process" ? "process" : "disk" });
await journal.open();

interface Written {
  readonly name: string;
  readonly log: JournalLog;
  readonly newest: Map<string, number>;
  head: number;
}

async function follow(name: string): Promise<Written> {
  const log = journal.log(name);
  const written: Written = { name, log, newest: new Map(), head: 0 };
  let hasBacklog = false;
  await log.follow({
    reset: (epoch) => say("epoch", name, epoch),
    record: ({ sequence, key, body }) => {
      written.newest.set(key, sequence);
      say(hasBacklog ? "told" : "found", name, sequence, key, String(body).slice(0, 36));
    },
    floor: (scope, floor) => say("floor", name, String(scope), floor),
    advance: (head) => {
      written.head = head;
      if (!hasBacklog) say("head", name, head);
      hasBacklog = true;
    },
    status: () => undefined,
  });
  return written;
}

const collections = [await follow("snapshots"), await follow("events")];
say("ready");

async function write(written: Written): Promise<void> {
  const { name, log, newest, head } = written;
  const key = `key ${random(KEYS)}`;
  const what = random(20);
  if (what === 0 && head > 0) {
    const scope = `scope ${random(5)}`;
    await log.raiseFloor(scope, head);
    say("raised", name, scope, head);
  } else if (what === 1) {
    const sequence = newest.get(key);
    if (sequence === undefined) return;
    say("dropping", name, sequence, key);
    await log.dropRecords([{ key, sequence }]);
    if (newest.get(key) !== sequence) return; // somebody was faster, and it is there still
    newest.delete(key);
    say("dropped", name, sequence, key);
  } else {
    const body = randomUUID();
    const padding = random(8) === 0 ? "x".repeat(random(9_000)) : "";
    try {
      const append = { key, body: body + padding, expect: newest.get(key) ?? 0, messageId: randomUUID() };
      const { sequence } = await log.append(append);
      say("stored", name, sequence, key, body);
    } catch (error) {
      if (!(error instanceof JournalConflict)) throw error;
      if (error.actual === 0) newest.delete(key);
    }
  }
}

async function writer(): Promise<void> {
  for (;;) {
    const collection = collections[random(collections.length)];
    if (collection) await write(collection);
  }
}

await Promise.all(Array.from({ length: WRITERS }, writer));
