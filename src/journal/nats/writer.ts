/** Writes records: bounded in flight, compared and set by the server, asked again with the same id when in doubt. */
import { setTimeout as delay } from "node:timers/promises";
import pLimit from "p-limit";
import { type JournalAck, type JournalAppend, JournalConflict, JournalUnavailable } from "../journal.ts";
import { type Publication, type StreamCalls, Unanswered, WrongSequence } from "./api.ts";
import type { StreamFollower } from "./follower.ts";
import type { StreamSpec } from "./options.ts";
import { encodeRecord } from "./payload.ts";
import { encodeToken } from "./subjects.ts";
import type { StreamWatch } from "./watch.ts";

/** Writes that are on their way to the servers. */
const IN_FLIGHT = 64;
/** Writes that wait for their turn; beyond them the answer is `too busy`. */
const QUEUED = 4_096;
/** Deletions at a time. */
const REMOVALS = 16;
const AGAIN_MS = 50;
/** How long an answer that knows a message only by its id is asked for again, in milliseconds. */
const DOUBT_MS = 2_000;

export interface WriterOptions {
  readonly api: StreamCalls;
  readonly spec: StreamSpec;
  readonly follower: StreamFollower;
  readonly watch: StreamWatch;
  readonly writeWaitMs: number;
}

export class StreamWriter {
  readonly #options: WriterOptions;
  readonly #inFlight = pLimit(IN_FLIGHT);
  readonly #removals = pLimit(REMOVALS);

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** @throws {@link JournalConflict}, {@link JournalUnavailable}, `invalid-input` for a record that is too large. */
  async append(collection: string, { key, body, expect, messageId }: JournalAppend): Promise<JournalAck> {
    const { spec } = this.#options;
    const publication: Publication = {
      stream: spec.name,
      subject: spec.subjects.record(collection, key),
      data: encodeRecord(key, body),
      id: `${collection}.${encodeToken(messageId)}`,
      expect,
    };
    if (this.#inFlight.pendingCount >= QUEUED)
      throw new JournalUnavailable("too busy: too many writes are waiting", { inDoubt: false });
    try {
      return { sequence: await this.#inFlight(() => this.write(publication)) };
    } catch (error) {
      if (!(error instanceof WrongSequence)) throw error;
      throw new JournalConflict(key, expect, error.actual);
    }
  }

  /** Deletes messages of exactly these sequences, where they are of these subjects. */
  async remove(
    collection: string,
    messages: ReadonlyArray<{ readonly subject: string; readonly sequence: number }>,
  ): Promise<void> {
    if (messages.length === 0) return;
    const { api, spec, follower } = this.#options;
    this.#refuse(false);
    // So that the end of the stream is never gone: a reader who finds nothing then knows that it is the reader who is late.
    await follower.mark(collection);
    await Promise.all(
      messages.map(({ subject, sequence }) =>
        this.#removals(async () => {
          this.#refuse(false);
          const found = await api.get(spec.name, { seq: sequence });
          if (found?.subject === subject) await api.remove(spec.name, sequence);
        }),
      ),
    );
  }

  /** @throws {@link WrongSequence}, {@link JournalUnavailable} */
  async write(publication: Publication): Promise<number> {
    const { watch, writeWaitMs } = this.#options;
    const begun = performance.now();
    let inDoubt = false;
    for (;;) {
      const left = writeWaitMs - (performance.now() - begun);
      await watch.usable(left);
      try {
        return await this.#once(publication, inDoubt);
      } catch (error) {
        if (!(error instanceof JournalUnavailable)) throw error;
        inDoubt ||= error.inDoubt;
        if (performance.now() - begun + AGAIN_MS >= writeWaitMs)
          throw inDoubt === error.inDoubt
            ? error
            : new JournalUnavailable(error.message, { inDoubt, cause: error });
      }
      await delay(AGAIN_MS);
    }
  }

  async #once(publication: Publication, inDoubt: boolean): Promise<number> {
    const { api, follower, watch } = this.#options;
    const begun = performance.now();
    for (;;) {
      this.#refuse(inDoubt);
      const applied = follower.applied;
      try {
        const { sequence, duplicate } = await api.publish(publication);
        watch.answered();
        // What is stored now stands above all that was given, or else the order is another one.
        if (sequence > 0 && (duplicate || sequence > applied)) {
          follower.expect(sequence);
          return sequence;
        }
        if (sequence > 0) watch.suspect();
        inDoubt = true;
      } catch (error) {
        if (error instanceof Unanswered) watch.unanswered();
        // Refused for one that is on its way: it is stored soon, or never.
        if (!(error instanceof WrongSequence) || error.actual !== publication.expect) throw error;
      }
      if (performance.now() - begun > DOUBT_MS)
        throw new JournalUnavailable(
          inDoubt
            ? "the servers do not know whether the record is stored"
            : "another write of the same record is under way and does not end",
          { inDoubt },
        );
      await delay(AGAIN_MS);
    }
  }

  #refuse(inDoubt: boolean): void {
    const { refusal } = this.#options.watch;
    if (refusal !== undefined) throw new JournalUnavailable(refusal, { inDoubt });
  }
}
