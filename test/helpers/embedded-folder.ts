/** Data folders of the embedded journal, gone after the test. */
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  createEmbeddedJournal,
  type EmbeddedJournal,
  type EmbeddedJournalOptions,
  filesIn,
} from "../../src/journal/embedded/embedded.ts";
import type { OpenedJournal } from "./journal-bench.ts";

const LOCK = basename(filesIn("").lock);
const DEAD = JSON.stringify({ pid: process.pid, start: "an earlier process of that number" });

export interface DataFolder extends Disposable {
  /** Of the data; it does not exist yet. */
  readonly path: string;
  /** Around it. */
  readonly room: string;
}

export function dataFolder(): DataFolder {
  const room = mkdtempSync(join(tmpdir(), "snapwire-data-"));
  return {
    room,
    path: join(room, "data"),
    [Symbol.dispose]: () => rmSync(room, { recursive: true, force: true }),
  };
}

/** An open journal over a folder of its own; the same folder under the same options when it is opened again. */
export async function openedEmbedded(
  options: Partial<EmbeddedJournalOptions> = {},
): Promise<OpenedJournal & { readonly journal: EmbeddedJournal; readonly folder: string }> {
  const folder = dataFolder();
  const create = (): EmbeddedJournal => createEmbeddedJournal({ folder: folder.path, ...options });
  let journal = create();
  await journal.open();
  return {
    journal,
    folder: folder.path,
    reopen: async () => {
      await journal.close();
      journal = create();
      await journal.open();
      return journal;
    },
    dispose: async () => {
      await journal.close();
      folder[Symbol.dispose]();
    },
  };
}

/**
 * What lies in a folder, and can be put back later into the very same files: what is on the disk after a power cut. The
 * process that held the folder then is no more.
 */
export function savedFiles(folder: string): { putBack(): void } {
  const saved = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]));
  return {
    putBack: () => {
      for (const name of readdirSync(folder)) if (!saved.has(name)) rmSync(join(folder, name));
      for (const [name, content] of saved) {
        const file = openSync(join(folder, name), constants.O_RDWR | constants.O_CREAT);
        ftruncateSync(file, 0);
        writeSync(file, name === LOCK ? Buffer.from(DEAD) : content);
        closeSync(file);
      }
    },
  };
}
