/** R19: when the order of a data folder goes on, and when a new epoch begins. And who may hold the folder. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  createEmbeddedJournal,
  type EmbeddedJournal,
  type EmbeddedJournalOptions,
  filesIn,
} from "../src/journal/embedded/embedded.ts";
import { lockHolder } from "../src/journal/embedded/lock.ts";
import { startOf } from "../src/journal/embedded/process-identity.ts";
import type { OpenStore } from "../src/journal/embedded/store.ts";
import { loadStorage } from "../src/journal/embedded/store.ts";
import { bundled } from "./helpers/bundled.ts";
import { type DataFolder, dataFolder, savedFiles } from "./helpers/embedded-folder.ts";
import { conflictOf, put } from "./helpers/journal-bench.ts";
import { following } from "./helpers/journal-sinks.ts";

let folder: DataFolder;
const open = new Set<EmbeddedJournal>();
beforeEach(() => {
  folder = dataFolder();
});
afterEach(async () => {
  for (const journal of open) await journal.close();
  open.clear();
  folder[Symbol.dispose]();
});

async function opened(options: Partial<EmbeddedJournalOptions> = {}): Promise<EmbeddedJournal> {
  const journal = createEmbeddedJournal({ folder: folder.path, ...options });
  await journal.open();
  open.add(journal);
  return journal;
}

async function contentOf(journal: EmbeddedJournal) {
  const { epoch, head, floors, newest, stop } = await following(journal.log("snapshots"));
  stop();
  return { epoch, head, floors: Object.fromEntries(floors), records: [...newest().values()] };
}

/** A record, a floor and a deletion; what the journal holds then. */
async function filled(journal: EmbeddedJournal) {
  const log = journal.log("snapshots");
  const first = await put(log, "a", { n: 1 });
  await put(log, "a", { n: 2 }, first);
  const gone = await put(log, "b", "removed");
  await log.raiseFloor("p", gone);
  await log.dropRecords([{ key: "b", sequence: gone }]);
  return contentOf(journal);
}

describe("the order goes on", () => {
  test.each(["disk", "process"] as const)(
    "after it was closed, in another start of the system too (%s)",
    async (durability) => {
      const first = await opened({ durability, boot: () => "one" });
      const before = await filled(first);
      await first.close();
      expect(await contentOf(await opened({ durability, boot: () => "two" }))).toEqual(before);
    },
  );

  test("P7 after a power cut, with everything that was told, when changes wait for the disk", async () => {
    const journal = await opened({ boot: () => "one" });
    await filled(journal);
    let saved: ReturnType<typeof savedFiles> | undefined;
    const last = await following(journal.log("snapshots"), {
      // The disk at the very moment at which a follower is told, and nothing of what is written later.
      record: ({ key }) => {
        if (key === "told") saved = savedFiles(folder.path);
      },
    });
    const told = await put(journal.log("snapshots"), "told", "this");
    const known = await contentOf(journal);
    last.stop();
    await put(journal.log("snapshots"), "later", "lost");
    await journal.close();
    saved?.putBack();

    const after = await opened({ boot: () => "two" });
    expect(await contentOf(after)).toEqual(known);
    expect(await put(after.log("snapshots"), "next", 1)).toBeGreaterThan(told);
  });

  test("after the process was killed, however changes were kept", async () => {
    const journal = await opened({ durability: "process", boot: () => "one" });
    const before = await filled(journal);
    const saved = savedFiles(folder.path);
    await journal.close();
    saved.putBack();
    expect(await contentOf(await opened({ durability: "process", boot: () => "one" }))).toEqual(before);
  });

  test("after a process that was killed before it had taken the folder over", async () => {
    const first = await opened();
    const { epoch } = await filled(first);
    await first.close();
    const refuse: OpenStore = () => Promise.reject(new Error("killed here"));
    for (let times = 0; times < 3; times += 1)
      await expect(opened({ openStore: refuse })).rejects.toThrow("killed here");
    expect((await contentOf(await opened())).epoch).toBe(epoch);
  });

  test("after a process that was killed when it had just closed the data", async () => {
    const load = await loadStorage();
    let saved: ReturnType<typeof savedFiles> | undefined;
    const openStore: OpenStore = async (file, durability) => {
      const store = await load(file, durability);
      return {
        get: (key) => store.get(key),
        range: (prefix) => store.range(prefix),
        commit: (writes) => store.commit(writes),
        close: () => {
          saved = savedFiles(folder.path);
          return store.close();
        },
      };
    };
    const journal = await opened({ openStore });
    const before = await filled(journal);
    await journal.close();
    saved?.putBack();
    expect(await contentOf(await opened())).toEqual(before);
  });

  test("when its folder has another name", async () => {
    const first = await opened();
    const before = await filled(first);
    await first.close();
    const moved = join(folder.room, "moved");
    renameSync(folder.path, moved);
    expect(await contentOf(await opened({ folder: moved }))).toEqual(before);
  });
});

describe("R19 a new epoch begins over the same records, above the same head", () => {
  async function expectNew(before: Awaited<ReturnType<typeof filled>>, journal: EmbeddedJournal) {
    const { epoch, ...after } = await contentOf(journal);
    expect(epoch).not.toBe(before.epoch);
    expect({ ...after, epoch: before.epoch }).toEqual(before);
    const conflict = await conflictOf(put(journal.log("snapshots"), "a", 3, 0));
    expect(await put(journal.log("snapshots"), "a", 3, conflict)).toBeGreaterThan(before.head);
  }

  test("after a power cut, when changes were told before they were on the disk", async () => {
    const journal = await opened({ durability: "process", boot: () => "one" });
    const before = await contentOf(journal);
    const atLastSync = savedFiles(folder.path); // the header was synced; from here on nothing is
    await filled(journal);
    await journal.close();
    atLastSync.putBack();
    const after = await opened({ durability: "process", boot: () => "two" });
    expect((await contentOf(after)).epoch).not.toBe(before.epoch);
  });

  test("also when the next process waits for the disk", async () => {
    const journal = await opened({ durability: "process", boot: () => "one" });
    const before = await filled(journal);
    const saved = savedFiles(folder.path);
    await journal.close();
    saved.putBack();
    await expectNew(before, await opened({ durability: "disk", boot: () => "two" }));
  });

  test("in a copy of the folder", async () => {
    const journal = await opened();
    const before = await filled(journal);
    await journal.close();
    const copy = join(folder.room, "copy");
    cpSync(folder.path, copy, { recursive: true, preserveTimestamps: true });
    await expectNew(before, await opened({ folder: copy }));
  });

  test("in a copy that was made while the folder was in use", async () => {
    const journal = await opened();
    const before = await filled(journal);
    const copy = join(folder.room, "copy");
    cpSync(folder.path, copy, { recursive: true, preserveTimestamps: true });
    expect(existsSync(filesIn(copy).lock), "it names this process, which lives").toBe(true);
    await expectNew(before, await opened({ folder: copy }));
    expect(await contentOf(journal), "the first goes on").toEqual(before);
    await put(journal.log("snapshots"), "c", "after the copy");
    await expect(opened()).rejects.toThrow("in use by this very process");
    await expect(opened({ folder: copy })).rejects.toThrow("in use by this very process");
  });

  test("in a copy of a folder in use that keeps the numbers of its files, as a snapshot of a disk does", async () => {
    const journal = await opened();
    const before = await filled(journal);
    const { lock } = filesIn(folder.path);
    const held = JSON.parse(readFileSync(lock, "utf8"));
    await journal.close();
    writeFileSync(lock, JSON.stringify({ ...held, folder: "0:0" }));
    await expectNew(before, await opened());
  });

  test("in a folder that was put back from a backup, file by file", async () => {
    const journal = await opened();
    const before = await filled(journal);
    await journal.close();
    const backup = join(folder.room, "backup");
    cpSync(folder.path, backup, { recursive: true });
    const later = await opened();
    await put(later.log("snapshots"), "c", "told to somebody");
    await later.close();
    rmSync(folder.path, { recursive: true });
    cpSync(backup, folder.path, { recursive: true });
    await expectNew(before, await opened());
  });

  test("in data that was put back into the very same files", async () => {
    const journal = await opened();
    const before = await filled(journal);
    await journal.close();
    const backup = savedFiles(folder.path);
    const later = await opened();
    await put(later.log("snapshots"), "c", "told to somebody");
    await later.close();
    const { ino } = statSync(filesIn(folder.path).data);
    backup.putBack();
    expect(statSync(filesIn(folder.path).data).ino).toBe(ino);
    await expectNew(before, await opened());
  });

  test("when it is asked for", async () => {
    const journal = await opened();
    const before = await filled(journal);
    await journal.close();
    const after = await opened({ newEpoch: true });
    await expectNew(before, after);
    const { epoch } = await contentOf(after);
    await after.close();
    expect((await contentOf(await opened())).epoch, "once").toBe(epoch);
  });
});

describe("one process at a time", () => {
  test("a second one is refused with the number of the first, and harms nothing", async () => {
    const writer = await bundled("test/helpers/embedded-writer.ts", folder.room);
    const child = spawn(process.execPath, [writer, folder.path, "process", "1"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    try {
      while (!out.includes('["ready"]')) await once(child.stdout, "data");
      await expect(opened()).rejects.toThrow(`The data in ${folder.path} is in use by process ${child.pid}.`);
      await expect(opened()).rejects.toMatchObject({ reason: "unavailable" });
      const length = out.length;
      while (out.length === length) await once(child.stdout, "data"); // it still writes
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    expect((await contentOf(await opened())).records, "and what it left is taken over").not.toEqual([]);
  });

  test("a second journal in the same process is refused too, until the first is closed", async () => {
    const first = await opened();
    await expect(opened()).rejects.toThrow("in use by this very process");
    await first.close();
    expect(existsSync(filesIn(folder.path).lock)).toBe(false);
    await opened();
  });

  test("a folder that was renamed while it is held is still held; a copy of it is not", async () => {
    await opened();
    const [moved, copy] = [join(folder.room, "moved"), join(folder.room, "copy")];
    cpSync(folder.path, copy, { recursive: true });
    renameSync(folder.path, moved);
    await expect(opened({ folder: moved })).rejects.toThrow("in use by this very process");
    expect(lockHolder(filesIn(moved).lock)).toBe(process.pid);
    expect(lockHolder(filesIn(copy).lock)).toBeUndefined();
    renameSync(moved, folder.path);
  });

  test("a lock that does not say of which folder it is counts for the one where it lies", async () => {
    mkdirSync(folder.path);
    const { lock } = filesIn(folder.path);
    writeFileSync(lock, JSON.stringify({ pid: process.pid, start: startOf(process.pid) }));
    await expect(opened()).rejects.toThrow("in use by this very process");
    expect(lockHolder(lock)).toBe(process.pid);
  });

  test.each([
    ["of a process that is no more", { pid: 2 ** 22 + 1, start: "1" }],
    ["of another process that had our number", { pid: process.pid, start: "1" }],
    ["of somebody who was killed while writing it", ""],
    ["that says something else", { pid: "1; rm", start: null }],
  ])("a lock %s is no lock", async (_, content) => {
    mkdirSync(folder.path);
    writeFileSync(filesIn(folder.path).lock, content === "" ? "" : JSON.stringify(content));
    await opened();
    const { pid, start } = JSON.parse(readFileSync(filesIn(folder.path).lock, "utf8"));
    expect({ pid, start }).toEqual({ pid: process.pid, start: startOf(process.pid) });
  });

  test.skipIf(process.platform !== "linux")(
    "a lock of a process that was killed and that nobody looked after is no lock",
    async () => {
      const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"]);
      const [line] = (await once(parent.stdout, "data")) as [Buffer];
      const pid = Number(String(line));
      await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z "));
      mkdirSync(folder.path);
      writeFileSync(filesIn(folder.path).lock, JSON.stringify({ pid, start: startOf(pid) }));
      await opened();
      parent.kill("SIGKILL");
      await once(parent, "close");
    },
  );

  test("of many that start at once exactly one gets the folder", async () => {
    const starts = await Promise.allSettled(Array.from({ length: 8 }, () => opened()));
    expect(starts.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("what it writes can be read by this user only", async () => {
    mkdirSync(folder.path, { mode: 0o755 }); // somebody made it, for everybody to see
    const journal = await opened();
    await filled(journal);
    await journal.close();
    const files = readdirSync(folder.path);
    expect(files).toContain("journal.mdb");
    for (const name of files) expect(statSync(join(folder.path, name)).mode & 0o077, name).toBe(0);
  });

  test("a folder that cannot be made is refused with what to do", async () => {
    writeFileSync(join(folder.room, "file"), "");
    const path = join(folder.room, "file", "data");
    await expect(opened({ folder: path })).rejects.toThrow(/cannot be opened .*name another folder: --data/);
  });
});

test("a commit that could not be marked as closed is found as a killed process leaves it", async () => {
  const load = await loadStorage();
  let fails = false;
  const openStore: OpenStore = async (file, durability) => {
    const store = await load(file, durability);
    return {
      get: (key) => store.get(key),
      range: (prefix) => store.range(prefix),
      commit: (writes) => (fails ? Promise.reject(new Error("no more")) : store.commit(writes)),
      close: () => store.close(),
    };
  };
  const journal = await opened({ openStore });
  const before = await filled(journal);
  fails = true;
  await journal.close();
  expect(await contentOf(await opened())).toEqual(before);
});
