/** The NATS engine keeps the contract of a journal, on a real server. */
import { randomUUID } from "node:crypto";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Journal } from "../src/journal/journal.ts";
import { natsEngine } from "../src/journal/nats/engine.ts";
import { createNatsJournal, type NatsJournalOptions } from "../src/journal/nats/index.ts";
import { put, reached, sequences } from "./helpers/journal-bench.ts";
import { following } from "./helpers/journal-sinks.ts";
import { throughFaults } from "./helpers/nats-faults.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { journalContract, type OpenedJournal } from "./journal.contract.ts";

describe.skipIf(NO_NATS_SERVER)(natsTitle("the contract on NATS"), () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  /** Streams and subjects of their own for each test, on the one server. */
  const options = (): NatsJournalOptions => {
    const name = randomUUID();
    return {
      servers: server.url,
      subjectPrefix: `t-${name}`,
      stateStream: `s-${name}`,
      eventsStream: `e-${name}`,
    };
  };

  async function opened(make: (given: NatsJournalOptions) => Journal): Promise<OpenedJournal> {
    const given = options();
    let journal = make(given);
    await journal.open();
    return {
      journal,
      reopen: async () => {
        await journal.close();
        journal = make(given);
        await journal.open();
        return journal;
      },
      dispose: () => journal.close(),
    };
  }

  journalContract({ engine: "NATS", open: () => opened(createNatsJournal) });

  /** A server that stands alone needs none of this; it must hold all the same. */
  journalContract({
    engine: "NATS, handled with care",
    open: () => opened((given) => natsEngine(given, (calls) => calls, { fragile: true })),
    // An id is not asked about where that would be counted: it is known by the newest record of its key alone.
    lacks: [
      "the same message id again is answered with the first sequence and stores nothing",
      "a message id is remembered by an engine that is opened again in its epoch",
    ],
  });

  journalContract({
    engine: "NATS without consumers",
    open: () => {
      const faults = { losesLive: () => false, losesAnswer: () => false, withoutConsumers: true };
      return opened((given) => natsEngine(given, throughFaults(faults)));
    },
  });

  test("live messages that are lost are read again: the newest of each key comes, and none is passed over", async () => {
    let n = 0;
    const lossy = throughFaults({ losesLive: () => n++ % 3 !== 0, losesAnswer: () => false });
    const journal = natsEngine(options(), lossy);
    await journal.open();
    try {
      const log = journal.log("snapshots");
      const followed = await following(log);
      const last = new Map<string, number>();
      const writer = async (key: string): Promise<void> => {
        for (let n = 0; n < 30; n += 1) {
          const sequence = await put(log, key, { n }, last.get(key) ?? 0);
          last.set(key, sequence);
          if (n % 5 !== 0) continue;
          await reached(followed, sequence);
          expect(followed.newest().get(key)?.sequence, "read your own write").toBeGreaterThanOrEqual(
            sequence,
          );
        }
      };
      await Promise.all(["a", "b", "c", "d", "e", "f"].map(writer));
      await reached(followed, Math.max(...last.values()));
      expect(followed.resets, "nothing had to be read from the start").toBe(1);
      for (const [key, sequence] of last) expect(followed.newest().get(key)?.sequence).toBe(sequence);
    } finally {
      await journal.close();
    }
  });

  test("P13 of events, whose keys are written once, each comes, although live messages are lost", async () => {
    let n = 0;
    const lossy = throughFaults({ losesLive: () => n++ % 3 !== 0, losesAnswer: () => false });
    const journal = natsEngine(options(), lossy);
    await journal.open();
    try {
      const log = journal.log("events");
      const followed = await following(log);
      const keys = Array.from({ length: 200 }, (_, n) => `event ${n}`);
      const stored = await Promise.all(keys.map((key) => put(log, key, key)));
      await reached(followed, Math.max(...stored));
      expect(sequences(followed.records)).toEqual([...stored].sort((x, y) => x - y));
    } finally {
      await journal.close();
    }
  });

  test("an answer that is lost is doubt, and the same id again says where the record stands", async () => {
    let losing = false;
    const journal = natsEngine(
      options(),
      throughFaults({ losesLive: () => false, losesAnswer: () => losing }),
    );
    await journal.open();
    try {
      const log = journal.log("snapshots");
      const followed = await following(log);
      const append = { key: "k", body: 1, expect: 0, messageId: "an id: with odd\nletters" };
      losing = true;
      await expect(log.append(append)).rejects.toMatchObject({ name: "JournalUnavailable", inDoubt: true });
      losing = false;
      const { sequence } = await log.append(append);
      await reached(followed, sequence);
      expect(sequences(followed.records)).toEqual([sequence]);
    } finally {
      await journal.close();
    }
  });

  test("a record above 512 KiB is refused with what to do, and one below is taken", async () => {
    const journal = createNatsJournal(options());
    await journal.open();
    try {
      const log = journal.log("snapshots");
      await put(log, "large", "x".repeat(500 * 1024));
      await expect(put(log, "larger", "x".repeat(513 * 1024))).rejects.toThrow(
        /larger has \d+ bytes; 524288 is the most/,
      );
    } finally {
      await journal.close();
    }
  });

  test("a stream with other settings is refused, with the difference, and left as it is", async () => {
    const given = options();
    const first = createNatsJournal(given);
    await first.open();
    await first.close();
    const other = createNatsJournal({ ...given, storage: "memory", replicas: 3 });
    await expect(other.open()).rejects.toThrow(
      /other settings: storage is "file" and must be "memory"; num_replicas is 1 and must be 3\. Change it/,
    );
    const again = createNatsJournal(given);
    await again.open();
    await again.close();
  });

  test("a node that begins while others write leaves no consumer behind", async () => {
    const given = options();
    const journal = createNatsJournal(given);
    await journal.open();
    const connection = await connect({ servers: server.url });
    try {
      for (let n = 0; n < 20; n += 1) await put(journal.log("snapshots"), `k${n}`, n);
      for (let n = 0; n < 5; n += 1) await following(journal.log("snapshots"));
      const manager = await jetstreamManager(connection);
      await vi.waitFor(async () => {
        const { state } = await manager.streams.info(given.stateStream ?? "");
        expect(state.consumer_count).toBe(0);
      });
    } finally {
      await connection.close();
      await journal.close();
    }
  });

  test("events and state are two orders with an epoch each", async () => {
    const journal = createNatsJournal(options());
    await journal.open();
    try {
      const [state, events] = [
        await following(journal.log("snapshots")),
        await following(journal.log("events")),
      ];
      expect(events.epoch).not.toBe(state.epoch);
    } finally {
      await journal.close();
    }
  });
});
