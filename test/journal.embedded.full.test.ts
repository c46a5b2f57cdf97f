/** A disk that takes nothing more: writes are refused, everything else goes on. And one that lies. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createEmbeddedJournal, type EmbeddedJournal, filesIn } from "../src/journal/embedded/embedded.ts";
import { loadStorage, type OpenStore } from "../src/journal/embedded/store.ts";
import { JournalUnavailable } from "../src/journal/journal.ts";
import { createSnapwire } from "../src/snapwire.ts";
import { dataFolder } from "./helpers/embedded-folder.ts";
import { put, reached } from "./helpers/journal-bench.ts";
import { following } from "./helpers/journal-sinks.ts";
import { canMount, smallDisk } from "./helpers/tmpfs.ts";

const left: (() => unknown)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of left.splice(0).reverse()) await end();
});

interface Disk {
  readonly journal: EmbeddedJournal;
  fill(): void;
  empty(): void;
}

/** A real disk, which another program fills. */
async function realDisk(): Promise<Disk> {
  const disk = smallDisk(8 * 1024 * 1024);
  left.push(() => disk[Symbol.dispose]());
  vi.spyOn(console, "error").mockReturnValue(undefined); // the library says there what it also throws
  const ballast = join(disk.path, "ballast");
  const journal = createEmbeddedJournal({ folder: join(disk.path, "data"), probeEveryMs: 10 });
  return {
    journal,
    fill: () => {
      for (let size = 8 * 1024 * 1024; size >= 4_096; size = Math.floor(size / 2))
        try {
          writeFileSync(ballast, Buffer.alloc(size), { flag: "a" });
        } catch {
          // That much is not left; half of it may be.
        }
    },
    empty: () => rmSync(ballast),
  };
}

/** The same as the store sees it. */
async function madeUpDisk(error: object = { code: "ENOSPC" }): Promise<Disk> {
  const folder = dataFolder();
  left.push(() => folder[Symbol.dispose]());
  const load = await loadStorage();
  let isFull = false;
  const openStore: OpenStore = async (file, durability) => {
    const store = await load(file, durability);
    return {
      get: (key) => store.get(key),
      range: (prefix) => store.range(prefix),
      close: () => store.close(),
      commit: (writes) => {
        if (!isFull) return store.commit(writes);
        return Promise.reject(Object.assign(new Error("not written"), error));
      },
    };
  };
  const journal = createEmbeddedJournal({ folder: folder.path, probeEveryMs: 10, openStore });
  return {
    journal,
    fill: () => {
      isFull = true;
    },
    empty: () => {
      isFull = false;
    },
  };
}

const disks = [
  ...(canMount() ? ([["a real disk that is full", realDisk]] as const) : []),
  ["a made-up disk that is full", madeUpDisk] as const,
];

describe.each(disks)("%s", (_, make) => {
  test("refuses writes with a typed error, and nothing of them is stored; reads and followers go on; it recovers by itself", async () => {
    const { journal, fill, empty } = await make();
    await journal.open();
    left.push(() => journal.close());
    const log = journal.log("snapshots");
    const status: (readonly [boolean, string | undefined])[] = [];
    const follower = await following(log, { status: (fresh, reason) => status.push([fresh, reason]) });
    const kept = await put(log, "kept", "before");
    fill();
    const large = { text: "x".repeat(400_000) };
    const refusals: unknown[] = [];
    for (let n = 0; status.length === 0; n += 1) {
      const answer = await put(log, `large ${n}`, large).catch((error: unknown) => error);
      if (typeof answer !== "number") refusals.push(answer);
    }
    expect(refusals[0]).toBeInstanceOf(JournalUnavailable);
    expect(refusals[0]).toMatchObject({
      inDoubt: false,
      message: expect.stringContaining("no space is left"),
    });
    expect(status).toEqual([[false, expect.stringContaining("no space is left on the disk")]]);
    await expect(put(log, "another", 1), "at once, without trying").rejects.toMatchObject({ inDoubt: false });
    await expect(log.raiseFloor("p", kept)).rejects.toBeInstanceOf(JournalUnavailable);

    const stored = follower.records.length;
    const late = await following(log, { status: (fresh) => expect(fresh).toBe(false) });
    expect(late.records, "what is stored is read").toHaveLength(stored);
    expect(late.newest().get("kept")?.body).toBe("before");
    expect(await log.head()).toBe(follower.head);

    late.stop();
    empty();
    await vi.waitFor(() => expect(status.at(-1)?.[0]).toBe(true));
    const next = await put(log, "kept", "after", kept);
    await reached(follower, next);
    expect(follower.records.length).toBe(stored + 1);
    const known = [...follower.newest().values()].sort((a, b) => a.sequence - b.sequence);
    await journal.close();
    await journal.open();
    const again = await following(journal.log("snapshots"));
    expect(again.records, "on the disk is what was told, and nothing else").toEqual(known);
    expect(again.epoch).toBe(follower.epoch);
  });

  test("is said to every subscriber and in readiness, and taken back", async () => {
    const { journal, fill, empty } = await make();
    await using live = createSnapwire({ journal });
    await live.start();
    await live.workspaces.upsert("p/a", { projectId: "p", name: "before" });
    fill();
    const sessionSummaries = Array.from({ length: 40 }, (_, index) => ({
      sessionId: `s${index}`,
      persistedStatus: "FAILED" as const,
      runtimePhase: "error" as const,
      processState: "stopped" as const,
      activity: "IDLE" as const,
      updatedAt: "2026-01-01T00:00:00Z",
      errorMessage: "x".repeat(10_000),
    }));
    for (let n = 0; live.ready(); n += 1)
      await live.workspaces
        .upsert(`p/${n}`, { projectId: "p", sessionSummaries })
        .catch((error: unknown) => expect(error).toMatchObject({ reason: "unavailable" }));
    expect(live.health().checks.journal).toMatchObject({
      ok: false,
      detail: expect.stringContaining("no space"),
    });
    expect(live.workspaces.getByWorkspaceId("p/a")?.name).toBe("before");
    await expect(live.workspaces.upsert("p/a", { name: "lost" })).rejects.toMatchObject({
      reason: "unavailable",
    });
    empty();
    await vi.waitFor(() => expect(live.ready()).toBe(true));
    await live.workspaces.upsert("p/a", { name: "after" });
    expect(live.workspaces.getByWorkspaceId("p/a")?.name).toBe("after");
  });
});

test("a disk that fails otherwise is only read until a restart, and what was being written is in doubt", async () => {
  const { journal, fill, empty } = await madeUpDisk({ code: 5, message: "Input/output error" });
  await journal.open();
  left.push(() => journal.close());
  const log = journal.log("snapshots");
  const status: (readonly [boolean, string | undefined])[] = [];
  const follower = await following(log, { status: (fresh, reason) => status.push([fresh, reason]) });
  const kept = await put(log, "kept", 1);
  fill();
  await expect(put(log, "lost", 2)).rejects.toMatchObject({ name: "JournalUnavailable", inDoubt: true });
  expect(status).toEqual([
    [
      false,
      `${filesIn(journal.folder).data} could not be written (Input/output error): it is only read until a restart`,
    ],
  ]);
  empty();
  await expect(put(log, "later", 3), "a later commit would only seem to hold").rejects.toMatchObject({
    inDoubt: false,
  });
  expect((await following(log)).records).toEqual([{ sequence: kept, key: "kept", body: 1 }]);
  await journal.close();
  await journal.open();
  const again = await following(journal.log("snapshots"));
  expect(again.epoch).toBe(follower.epoch);
  expect(await put(journal.log("snapshots"), "kept", 2, kept)).toBeGreaterThan(kept);
});

test("what was stored although the disk said otherwise is in doubt, and told after a restart", async () => {
  const folder = dataFolder();
  left.push(() => folder[Symbol.dispose]());
  const load = await loadStorage();
  let lies = false;
  const openStore: OpenStore = async (file, durability) => {
    const store = await load(file, durability);
    return {
      get: (key) => store.get(key),
      range: (prefix) => store.range(prefix),
      close: () => store.close(),
      commit: async (writes) => {
        await store.commit(writes);
        if (lies) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      },
    };
  };
  const journal = createEmbeddedJournal({ folder: folder.path, probeEveryMs: 1, openStore });
  await journal.open();
  const log = journal.log("snapshots");
  const follower = await following(log);
  lies = true;
  const append = { key: "k", body: "stored", expect: 0, messageId: "the same" };
  await expect(log.append(append)).rejects.toMatchObject({ inDoubt: true });
  expect(follower.records).toEqual([]);
  lies = false;
  await journal.close();
  await journal.open();
  left.push(() => journal.close());
  const again = await following(journal.log("snapshots"));
  expect(again.records.map(({ body }) => body)).toEqual(["stored"]);
  expect(await journal.log("snapshots").append(append)).toEqual({ sequence: again.records[0]?.sequence });
});
