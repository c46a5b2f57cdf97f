/** The NATS engine away, back, and back as something else. Each test has a server of its own. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Journal } from "../src/journal/journal.ts";
import { createNatsJournal, type NatsJournalOptions } from "../src/journal/nats/index.ts";
import { put, reached, sequences } from "./helpers/journal-bench.ts";
import { type Followed, following } from "./helpers/journal-sinks.ts";
import { freePort, type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";

const PATIENCE = { timeout: 20_000, interval: 20 };

interface Following extends Followed {
  readonly statuses: readonly (string | true)[];
}

async function followingStatus(journal: Journal, collection = "snapshots"): Promise<Following> {
  const statuses: (string | true)[] = [];
  const followed = await following(journal.log(collection), {
    status: (fresh, reason) => statuses.push(fresh ? true : (reason ?? "")),
  });
  return Object.assign(followed, { statuses });
}

describe.skipIf(NO_NATS_SERVER)(natsTitle("NATS away"), { timeout: 60_000 }, () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const clean of cleanups.splice(0).reverse()) await clean();
  });

  async function serverOfItsOwn(options: Parameters<typeof natsServer>[0] = {}): Promise<NatsServer> {
    const server = await natsServer(options);
    cleanups.push(async () => server[Symbol.asyncDispose]());
    return server;
  }

  async function opened(options: NatsJournalOptions): Promise<Journal> {
    const journal = createNatsJournal({ callTimeoutMs: 500, pollEveryMs: 200, ...options });
    cleanups.push(() => journal.close());
    await journal.open();
    return journal;
  }

  test("a server that is not there yet is waited for", async () => {
    const port = await freePort();
    const opening = opened({ servers: `nats://127.0.0.1:${port}` });
    await serverOfItsOwn({ port });
    const journal = await opening;
    expect(await put(journal.log("snapshots"), "k", 1)).toBeGreaterThan(0);
  });

  test("a server that does not come ends the wait with one clear line", async () => {
    const port = await freePort();
    const servers = `nats://someone:secret@127.0.0.1:${port}`;
    const error: unknown = await opened({ servers, openTimeoutMs: 300 }).catch((refused: unknown) => refused);
    expect(error).toMatchObject({ name: "SnapwireError", reason: "unavailable" });
    expect(String(error)).toContain(`NATS cannot be reached at nats://127.0.0.1:${port}: `);
    expect(String(error)).not.toMatch(/secret|\n/);
  });

  test("a journal that is closed while it waits does not wait on", async () => {
    const journal = createNatsJournal({ servers: `nats://127.0.0.1:${await freePort()}` });
    const opening = journal.open().catch((error: unknown) => error);
    await journal.close();
    expect(await opening).toMatchObject({ reason: "unavailable" });
  });

  test("credentials that are refused are said at once, and right ones are used", async () => {
    const server = await serverOfItsOwn({ arguments: ["--user", "someone", "--pass", "secret"] });
    await expect(opened({ servers: server.url, user: "someone", pass: "wrong" })).rejects.toThrow(
      /refuses these credentials/,
    );
    const journal = await opened({ servers: server.url, user: "someone", pass: "secret" });
    expect(await put(journal.log("snapshots"), "k", 1)).toBeGreaterThan(0);
  });

  test("a server without JetStream is said after the deadline", async () => {
    const server = await serverOfItsOwn({ jetstream: false });
    await expect(opened({ servers: server.url, openTimeoutMs: 500 })).rejects.toThrow(
      /NATS answers, but JetStream cannot be used/,
    );
  });

  test("P7 killed and started again it has everything, and nothing is given twice", async () => {
    const server = await serverOfItsOwn();
    const journal = await opened({ servers: server.url });
    const log = journal.log("snapshots");
    const followed = await followingStatus(journal);
    const first = await put(log, "a", 1);
    await reached(followed, first);
    await server.kill();
    await vi.waitFor(() => expect(followed.statuses.at(-1)).toMatch(/away/), PATIENCE);
    await expect(put(log, "b", 1), "fails fast").rejects.toMatchObject({
      name: "JournalUnavailable",
      inDoubt: false,
    });
    await expect(log.head()).rejects.toMatchObject({ name: "JournalUnavailable" });
    await server.start();
    await vi.waitFor(() => expect(followed.statuses.at(-1)).toBe(true), PATIENCE);
    const second = await put(log, "a", 2, first);
    await reached(followed, second);
    expect(followed.resets, "the same order goes on").toBe(1);
    expect(sequences(followed.records)).toEqual([first, second]);
  });

  test("a write waits for the engine as long as it is told to", async () => {
    const server = await serverOfItsOwn();
    const journal = await opened({ servers: server.url, writeWaitMs: 20_000 });
    await server.kill();
    const waiting = put(journal.log("snapshots"), "k", 1);
    await server.start();
    expect(await waiting).toBeGreaterThan(0);
  });

  test("R19 a server that lost everything is a new epoch, and the node serves what is there now", async () => {
    const server = await serverOfItsOwn();
    const journal = await opened({ servers: server.url });
    const followed = await followingStatus(journal);
    const events = await followingStatus(journal, "events");
    const { epoch } = followed;
    await reached(followed, await put(journal.log("snapshots"), "a", 1));
    await server.kill();
    await server.wipe();
    await server.start();
    await vi.waitFor(() => expect(followed.resets).toBe(2), PATIENCE);
    await vi.waitFor(() => expect(events.resets).toBe(2), PATIENCE);
    expect(followed.epoch).not.toBe(epoch);
    expect(followed.records).toEqual([]);
    await vi.waitFor(() => expect(followed.statuses.at(-1) ?? true).toBe(true), PATIENCE);
    const sequence = await put(journal.log("snapshots"), "a", 2);
    await reached(followed, sequence);
    expect(sequences(followed.records)).toEqual([sequence]);
  });

  /** Two nodes; the server is put back to an earlier state while they run. */
  async function restoredUnder(after: (port: number, store: string) => Promise<void>): Promise<void> {
    const server = await serverOfItsOwn();
    const [one, two] = [await opened({ servers: server.url }), await opened({ servers: server.url })];
    const followed = [await followingStatus(one), await followingStatus(two)];
    const kept = await put(one.log("snapshots"), "kept", 1);
    for (const each of followed) await reached(each, kept);

    const backup = await mkdtemp(join(tmpdir(), "snapwire-backup-"));
    cleanups.push(() => rm(backup, { recursive: true, force: true }));
    await server.kill();
    await cp(server.store, backup, { recursive: true });
    await server.start();
    for (const each of followed)
      await vi.waitFor(() => expect(each.statuses.at(-1) ?? true).toBe(true), PATIENCE);
    let last = 0;
    await vi.waitFor(async () => {
      last = await put(one.log("snapshots"), "lost", 1);
    }, PATIENCE);
    for (let n = 0; n < 5; n += 1) last = await put(one.log("snapshots"), "lost", n, last);
    for (const each of followed) await reached(each, last);
    const { epoch } = followed[0] ?? { epoch: "" };

    await server.kill();
    await server.wipe();
    await cp(backup, server.store, { recursive: true });
    await after(server.port, server.store);
    await server.start();
    for (const each of followed) {
      await vi.waitFor(() => expect(each.resets).toBe(2), PATIENCE);
      expect(each.epoch).not.toBe(epoch);
      expect([...each.newest().keys()]).toContain("kept");
      expect([...each.newest().keys()], "what was rolled back is not told any more").not.toContain("lost");
      await vi.waitFor(() => expect(each.statuses.at(-1) ?? true).toBe(true), PATIENCE);
    }
    expect(followed[0]?.epoch, "one new epoch for all").toBe(followed[1]?.epoch);
    const next = await put(two.log("snapshots"), "kept", 2, kept);
    for (const each of followed) {
      await reached(each, next);
      expect(each.newest().get("kept")?.body).toBe(2);
    }
  }

  test("R19 an older backup under running nodes is a new epoch", () => restoredUnder(async () => undefined));

  test("R19 an older backup that was written to before the nodes saw it is a new epoch", () =>
    restoredUnder(async (_port, store) => {
      const elsewhere = await natsServer({ store });
      try {
        const journal = createNatsJournal({ servers: elsewhere.url });
        await journal.open();
        for (let n = 0; n < 40; n += 1) await put(journal.log("snapshots"), `since ${n}`, n);
        await journal.close();
      } finally {
        await elsewhere[Symbol.asyncDispose]();
      }
    }));

  test("a frozen server is told as stale, writes fail fast, and thawed it goes on as if nothing had been", async () => {
    const server = await serverOfItsOwn();
    const journal = await opened({ servers: server.url });
    const log = journal.log("snapshots");
    const followed = await followingStatus(journal);
    const first = await put(log, "a", 1);
    await server.freeze();
    const unanswered: unknown = await put(log, "b", 1).catch((error: unknown) => error);
    expect(unanswered, "it may be stored").toMatchObject({ name: "JournalUnavailable", inDoubt: true });
    await vi.waitFor(() => expect(followed.statuses.at(-1)).toMatch(/away/), PATIENCE);
    await expect(put(log, "c", 1)).rejects.toMatchObject({ name: "JournalUnavailable", inDoubt: false });
    server.thaw();
    await vi.waitFor(() => expect(followed.statuses.at(-1)).toBe(true), PATIENCE);
    const second = await put(log, "a", 2, first);
    await reached(followed, second);
    expect(followed.resets).toBe(1);
    expect(followed.newest().get("a")?.sequence).toBe(second);
  });
});
