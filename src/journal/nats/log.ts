/** One collection's order within its stream: the contract of a journal, in messages. */
import { randomUUID } from "node:crypto";
import type { JournalLog } from "../journal.ts";
import { type StreamCalls, WrongSequence } from "./api.ts";
import type { StreamFollower } from "./follower.ts";
import type { StreamSpec } from "./options.ts";
import { decodeFloor, encodeFloor } from "./payload.ts";
import type { StreamWatch } from "./watch.ts";
import type { StreamWriter } from "./writer.ts";

/** One stream as this process works with it. */
export interface StreamSession {
  readonly api: StreamCalls;
  readonly spec: StreamSpec;
  readonly follower: StreamFollower;
  readonly watch: StreamWatch;
  readonly writer: StreamWriter;
}

/** How long a floor that is stored may take to come back before the call resolves all the same, in milliseconds. */
const TOLD_WITHIN_MS = 2_000;

export interface LogOptions {
  readonly collection: string;
  /** @throws {@link JournalUnavailable} when the journal is not open. */
  readonly session: () => StreamSession;
  readonly followTimeoutMs: number;
}

export function natsLog({ collection, session, followTimeoutMs }: LogOptions): JournalLog {
  async function floorOf(scope: string | null): Promise<{ sequence: number; floor: number }> {
    const { api, spec } = session();
    const found = await api.get(spec.name, { last_by_subj: spec.subjects.floor(collection, scope) });
    return { sequence: found?.sequence ?? 0, floor: found ? (decodeFloor(found.data) ?? 0) : 0 };
  }

  /** Compared and set: it only rises, whoever else raises it. @returns the sequence at which it stands */
  async function raise(scope: string | null, floor: number): Promise<number> {
    const { writer, spec } = session();
    for (;;) {
      const now = await floorOf(scope);
      if (floor <= now.floor) return now.sequence;
      try {
        return await writer.write({
          stream: spec.name,
          subject: spec.subjects.floor(collection, scope),
          data: encodeFloor(floor),
          id: randomUUID(),
          expect: now.sequence,
        });
      } catch (error) {
        if (!(error instanceof WrongSequence)) throw error;
      }
    }
  }

  return {
    follow: async (sink) => session().follower.attach(collection, sink, followTimeoutMs),
    append: async (append) => session().writer.append(collection, append),
    head: async () => {
      const { api, spec, follower } = session();
      return Math.max((await api.head(spec.name)).lastSequence, follower.known);
    },
    raiseFloor: async (scope, floor) => {
      if (floor <= 0) return;
      const sequence = await raise(scope, floor);
      await session()
        .follower.reached(sequence, AbortSignal.timeout(TOLD_WITHIN_MS))
        .catch(() => undefined);
    },
    dropFloor: async (scope) => {
      const { writer, spec } = session();
      const [own, absent] = await Promise.all([floorOf(scope), floorOf(null)]);
      if (own.sequence === 0 || own.floor > absent.floor) return;
      // By its sequence: one that another node has raised since is another message.
      await writer.remove(collection, [
        { subject: spec.subjects.floor(collection, scope), sequence: own.sequence },
      ]);
    },
    missing: async (key, sequence) => {
      const { api, spec, follower, watch } = session();
      await follower.mark(); // by the majority: who answers next has applied all that was stored before
      const newest = await api.get(spec.name, { last_by_subj: spec.subjects.record(collection, key) });
      if ((newest?.sequence ?? 0) < sequence) watch.lacks(`${collection}: ${key}`);
    },
    dropRecords: async (records) => {
      const { writer, spec } = session();
      await writer.remove(
        collection,
        records.map(({ key, sequence }) => ({ subject: spec.subjects.record(collection, key), sequence })),
      );
    },
  };
}
