/**
 * The backlog of one collection: the newest message of each of its subjects, complete up to a mark.
 *
 * Need: to know that everything is in. Obvious answer: read until the server says that nothing is pending. It fails when
 * the replica that answers is behind. So a mark is written first, by the majority, and read until it comes. A consumer is
 * fast, and stands on one server, which may be the one that is ill; without it messages are read one after the other, by
 * whichever replica answers.
 */
import { setTimeout as delay } from "node:timers/promises";
import { JournalUnavailable } from "../journal.ts";
import type { StreamCalls, StreamMessage } from "./api.ts";
import type { StreamSpec } from "./options.ts";

/** A consumer that gives nothing for this long is left, in milliseconds. */
const SILENT_MS = 2_500;
/** No replica has what is looked for: nothing can be done from here, in milliseconds. */
const STALLED_MS = 5_000;
const AGAIN_MS = 20;
/** Reads at a time. */
const WALKERS = 8;

export interface BacklogOptions {
  readonly api: StreamCalls;
  readonly spec: StreamSpec;
  readonly collection: string;
  /** The sequence of a mark of this collection. */
  readonly through: number;
  readonly signal: AbortSignal;
}

/** @throws {@link JournalUnavailable} when it does not come to its end. */
export async function readBacklog(options: BacklogOptions): Promise<Map<string, StreamMessage>> {
  const newest = new Map<string, StreamMessage>();
  const mark = options.spec.subjects.mark(options.collection);
  /** @returns whether this was the last one that is waited for */
  const take = (message: StreamMessage): boolean => {
    options.signal.throwIfAborted();
    if ((newest.get(message.subject)?.sequence ?? 0) < message.sequence) newest.set(message.subject, message);
    return message.subject === mark && message.sequence >= options.through;
  };
  if (await byConsumer(options, take)) return newest;
  newest.clear();
  if (await oneByOne(options, take)) return newest;
  throw new JournalUnavailable(`the backlog of ${options.collection} does not come to its end`, {
    inDoubt: false,
  });
}

async function byConsumer(
  { api, spec, collection, signal }: BacklogOptions,
  take: (message: StreamMessage) => boolean,
): Promise<boolean> {
  let progress = performance.now();
  try {
    for await (const message of api.backlog(spec.name, spec.subjects.collection(collection))) {
      if (message && take(message)) return true;
      if (message) progress = performance.now();
      else if (performance.now() - progress > SILENT_MS) return false;
      else await delay(AGAIN_MS); // a request that ends at once must not become a busy loop
    }
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof JournalUnavailable)) throw error;
  }
  return false;
}

/** In several places at once, each up to where the next one began; the last one up to the mark. */
async function oneByOne(
  { api, spec, collection, signal, through }: BacklogOptions,
  take: (message: StreamMessage) => boolean,
): Promise<boolean> {
  const filter = spec.subjects.collection(collection);
  const length = Math.ceil(through / WALKERS);
  const walk = async (first: number, end: number | undefined): Promise<boolean> => {
    let from = first;
    let progress = performance.now();
    while (performance.now() - progress < STALLED_MS) {
      signal.throwIfAborted();
      // There always is one: the mark. A replica that has none is late.
      const message = await api.next(spec.name, from, filter).catch(() => undefined);
      if (!message) {
        await delay(AGAIN_MS);
        continue;
      }
      if (end !== undefined && message.sequence >= end) return true;
      if (take(message)) return true;
      from = message.sequence + 1;
      progress = performance.now();
    }
    return false;
  };
  const starts = Array.from({ length: WALKERS }, (_, n) => n * length + 1).filter(
    (first) => first <= through,
  );
  const walks = starts.map((first, n) => walk(first, starts[n + 1]));
  return (await Promise.all(walks)).every((there) => there);
}
