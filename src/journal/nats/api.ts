/** The calls that this engine makes, with what they answer and refuse in the words of a journal. */
import type { JetStreamClient, JetStreamManager, StoredMsg } from "@nats-io/jetstream";
import type { MsgHdrs, NatsConnection, Subscription } from "@nats-io/transport-node";
import { JournalUnavailable } from "../journal.ts";
import type { NatsPackages } from "./packages.ts";

/** A message as it stands in a stream. */
export interface StreamMessage {
  readonly sequence: number;
  readonly subject: string;
  /** Made by whoever published it; no two messages have the same. */
  readonly id: string;
  readonly data: Uint8Array;
}

export interface StreamHead {
  readonly created: string;
  readonly lastSequence: number;
}

export interface Publication {
  readonly stream: string;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly id: string;
  /** The sequence of the newest message of the subject; 0 = it has none. */
  readonly expect?: number;
}

export interface Published {
  /** 0 when a leader answered for a copy that it knows only by its id: nobody knows whether that one is stored. */
  readonly sequence: number;
  readonly duplicate: boolean;
}

/** The newest message of a subject is another one, or is about to be: then `actual` is still the one expected. */
export class WrongSequence extends Error {
  override readonly name = "WrongSequence";
  readonly actual: number;

  constructor(actual: number) {
    super(`the newest message is ${actual}`);
    this.actual = actual;
  }
}

/** The stream is not there. */
export class StreamGone extends JournalUnavailable {
  constructor(stream: string, cause: unknown) {
    super(`the stream ${stream} does not exist`, { inDoubt: false, cause });
  }
}

/** The call was sent, or may have been, and was not answered in time. */
export class Unanswered extends JournalUnavailable {
  constructor(what: string, cause: unknown) {
    super(`no answer to ${what}: ${wordsOf(cause)}`, { inDoubt: true, cause });
  }
}

const CODES = {
  noMessage: 10037,
  noMessageDeleted: 10057,
  noStream: 10059,
  wrongSequence: [10071, 10164],
  /** Newer servers say so where older ones answer with sequence 0. */
  idUnderWay: 10158,
};
/** How long a copy may take to answer a read, in milliseconds. */
const REPLICA_MS = 500;
/** How long the leader is read in place of copies that do not answer, in milliseconds. */
const LEADER_MS = 10_000;
const SILENT = Symbol("no answer");
/** An id that no message has: what is expected to stand before a message that must not be stored. */
const NO_ID = "?";
/** One message of the largest size each is what a server may have on its way to us. */
const BACKLOG_BATCH = 128;
const BACKLOG_WAIT_MS = 1_000;
/** `$JS.ACK...<stream sequence>.<consumer sequence>.<time>.<pending>`; newer servers put more in front. */
const STREAM_SEQUENCE_FROM_END = -4;
/** After which a server forgets a consumer whose node died, in milliseconds. */
const CONSUMER_IDLE_MS = 30_000;
const NANOS = 1_000_000;

export type StreamCalls = Pick<
  NatsApi,
  "fragile" | "streams" | "publish" | "head" | "next" | "get" | "remove" | "backlog" | "live"
>;

export interface ApiParts {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly packages: NatsPackages;
  readonly timeout: number;
  /**
   * The copies of a stream may come to number its messages differently, and do so after writes that are refused. Only
   * the leader is read then, and asked before each comparison, so that hardly any write is refused.
   */
  readonly fragile: boolean;
}

export class NatsApi {
  readonly #nc: NatsConnection;
  readonly #packages: NatsPackages;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #timeout: number;
  /** Streams of which there is one copy. */
  readonly #single = new Set<string>();
  /** Until when only the leader is read: a copy did not answer. */
  #leaderUntil = 0;
  readonly fragile: boolean;

  constructor(nc: NatsConnection, { js, jsm, packages, timeout, fragile }: ApiParts) {
    this.#nc = nc;
    this.#js = js;
    this.#jsm = jsm;
    this.#packages = packages;
    this.#timeout = timeout;
    this.fragile = fragile;
  }

  get streams(): JetStreamManager["streams"] {
    return this.#jsm.streams;
  }

  /** @throws {@link WrongSequence}, {@link JournalUnavailable} */
  async publish(publication: Publication): Promise<Published> {
    const { subject, data, id, expect } = publication;
    if (this.fragile && expect !== undefined) {
      const newest = await this.get(publication.stream, { last_by_subj: subject });
      if (newest?.id === id) return { sequence: newest.sequence, duplicate: true };
      if ((newest?.sequence ?? 0) !== expect) throw new WrongSequence(newest?.sequence ?? 0);
    }
    try {
      const { seq, duplicate } = await this.#js.publish(subject, data, {
        msgID: id,
        timeout: this.#timeout,
        ...(expect === undefined ? {} : { expect: { lastSubjectSequence: expect } }),
      });
      return { sequence: seq, duplicate };
    } catch (error) {
      if (codeOf(error) === CODES.idUnderWay) return { sequence: 0, duplicate: true };
      if (!CODES.wrongSequence.includes(codeOf(error))) throw unavailable(error, "a write");
      return await this.#storedBefore(publication);
    }
  }

  /**
   * Whether a message that lost its comparison lost it to itself. Up to 2.11 a server looks for the id first; from
   * 2.12 on it compares first where there is one copy, so that it is asked for the id alone.
   *
   * @throws {@link WrongSequence} when it is another message that stands there.
   */
  async #storedBefore({ stream, subject, id }: Publication): Promise<Published> {
    const newest = await this.get(stream, { last_by_subj: subject });
    if (newest?.id === id) return { sequence: newest.sequence, duplicate: true };
    const sequence = this.#single.has(stream) ? await this.#sequenceOf(subject, id) : undefined;
    if (sequence === undefined) throw new WrongSequence(newest?.sequence ?? 0);
    return { sequence, duplicate: true };
  }

  /** Under which sequence the server remembers an id: a message that it would never store is known by it, or refused. */
  async #sequenceOf(subject: string, id: string): Promise<number | undefined> {
    try {
      const headers = this.#packages.transport.headers();
      headers.set("Nats-Expected-Last-Msg-Id", NO_ID);
      return (await this.#js.publish(subject, "", { msgID: id, timeout: this.#timeout, headers })).seq;
    } catch (error) {
      if (codeOf(error) === 0) throw unavailable(error, "a write");
      return undefined;
    }
  }

  async head(stream: string): Promise<StreamHead> {
    try {
      const { created, state, config } = await this.#jsm.streams.info(stream);
      if (config.num_replicas > 1) this.#single.delete(stream);
      else this.#single.add(stream);
      return { created, lastSequence: state.last_seq };
    } catch (error) {
      throw this.#failed(error, stream, "a look at the head");
    }
  }

  /**
   * The first message at or above a sequence that is still there; any replica may answer. Replicas apply in order, so
   * that what lies between is known to be gone. `undefined`: the replica has none, yet.
   *
   * The servers hand such a read to any copy, to one that is frozen too, for as long as it is. One that nobody answers
   * is asked of the leader, and so is what comes after it for a while.
   */
  async next(stream: string, sequence: number, filter = ">"): Promise<StreamMessage | undefined> {
    const query = { seq: sequence, next_by_subj: filter };
    if (this.fragile || performance.now() < this.#leaderUntil) return await this.get(stream, query);
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<typeof SILENT>((resolve) => {
      timer = setTimeout(resolve, Math.min(REPLICA_MS, this.#timeout), SILENT);
    });
    try {
      const found = await Promise.race([this.#jsm.direct.getMessage(stream, query), silence]);
      if (found !== SILENT) return found ? fromStored(found) : undefined;
    } catch (error) {
      const failed = this.#failed(error, stream, "a read");
      if (!(failed instanceof Unanswered)) throw failed;
    } finally {
      clearTimeout(timer);
    }
    this.#leaderUntil = performance.now() + LEADER_MS;
    return await this.get(stream, query);
  }

  /** As the leader has it. */
  async get(
    stream: string,
    query: { readonly seq: number; readonly next_by_subj?: string } | { readonly last_by_subj: string },
  ): Promise<StreamMessage | undefined> {
    try {
      const found = await this.#jsm.streams.getMessage(stream, query);
      return found ? fromStored(found) : undefined;
    } catch (error) {
      if (codeOf(error) === CODES.noMessage) return undefined;
      throw this.#failed(error, stream, "a read");
    }
  }

  /** Never hits a newer message; one that is gone already is no error. */
  async remove(stream: string, sequence: number): Promise<void> {
    try {
      await this.#jsm.streams.deleteMessage(stream, sequence, false);
    } catch (error) {
      if ([CODES.noMessage, CODES.noMessageDeleted].includes(codeOf(error))) return;
      throw this.#failed(error, stream, "a deletion");
    }
  }

  /**
   * The newest message of each subject of the filter in the order of the stream, and then what follows; `undefined`
   * when there is no more for now. Ends when the caller leaves the loop; the consumer is always deleted.
   */
  async *backlog(stream: string, filter: string): AsyncGenerator<StreamMessage | undefined, void> {
    const { DeliverPolicy, AckPolicy } = this.#packages.jetstream;
    // A consumer stands on any of the servers, and numbers as that one does.
    if (this.fragile) throw new JournalUnavailable("no consumer is to be trusted", { inDoubt: false });
    const name = `snapwire_${this.#packages.transport.nuid.next()}`;
    try {
      await this.#jsm.consumers.add(stream, {
        name,
        deliver_policy: DeliverPolicy.LastPerSubject,
        filter_subject: filter,
        ack_policy: AckPolicy.None,
        mem_storage: true,
        num_replicas: 1,
        inactive_threshold: CONSUMER_IDLE_MS * NANOS,
      });
      for (;;) {
        const isFull = yield* this.#pull(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`);
        if (!isFull) yield undefined;
      }
    } catch (error) {
      throw this.#failed(error, stream, "the backlog");
    } finally {
      // In the background: a server that is away must not hold up the one that asks.
      void this.#jsm.consumers.delete(stream, name).catch(() => undefined);
    }
  }

  /** One request, which ends when the server says so, or says nothing. @returns whether there may be more at once */
  async *#pull(subject: string): AsyncGenerator<StreamMessage, boolean> {
    const { createInbox } = this.#packages.transport;
    const inbox = createInbox();
    const subscription = this.#nc.subscribe(inbox);
    let silence: NodeJS.Timeout | undefined;
    const listen = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => subscription.unsubscribe(), BACKLOG_WAIT_MS + this.#timeout / 4);
    };
    try {
      listen();
      this.#nc.publish(subject, JSON.stringify({ batch: BACKLOG_BATCH, expires: BACKLOG_WAIT_MS * NANOS }), {
        reply: inbox,
      });
      let received = 0;
      for await (const message of subscription) {
        listen();
        if (message.headers !== undefined && message.headers.code !== 0) return false; // no more, or no such consumer
        const sequence = Number(message.reply?.split(".").at(STREAM_SEQUENCE_FROM_END));
        if (!Number.isSafeInteger(sequence)) continue;
        received += 1;
        yield { sequence, subject: message.subject, id: idOf(message.headers), data: message.data };
        if (received === BACKLOG_BATCH) return true;
      }
      return false;
    } finally {
      clearTimeout(silence);
      subscription.unsubscribe();
    }
  }

  /** What is stored from now on, as the leader repeats it. Resolves when the server knows of the interest. */
  async live(
    subject: string,
    onMessage: (message: StreamMessage) => void,
    onRefused: (error: Error) => void,
  ): Promise<Subscription> {
    const subscription = this.#nc.subscribe(subject, {
      callback: (error, message) => {
        if (error) return onRefused(error);
        const stored = message.headers?.get("Nats-Subject");
        const sequence = Number(message.headers?.get("Nats-Sequence"));
        if (!stored || !Number.isSafeInteger(sequence) || sequence < 1) return; // not from a stream
        onMessage({ sequence, subject: stored, id: idOf(message.headers), data: message.data });
      },
    });
    await this.#nc.flush();
    return subscription;
  }

  #failed(error: unknown, stream: string, what: string): JournalUnavailable {
    return codeOf(error) === CODES.noStream ? new StreamGone(stream, error) : unavailable(error, what);
  }
}

function fromStored({ seq, subject, header, data }: StoredMsg): StreamMessage {
  return { sequence: seq, subject, id: idOf(header), data };
}

function idOf(headers: MsgHdrs | undefined): string {
  return headers?.get("Nats-Msg-Id") ?? "";
}

/** The number that JetStream gives an error; 0 for an error of another kind. */
function codeOf(error: unknown): number {
  if (!(error instanceof Error) || error.name === "JournalUnavailable") return 0;
  const code: unknown = "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : 0;
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}

/** An answer that says no is no doubt; no answer is. */
export function unavailable(error: unknown, what: string): JournalUnavailable {
  if (error instanceof JournalUnavailable) return error;
  const name = error instanceof Error ? error.name : "";
  if (name === "JetStreamNotEnabled")
    return new JournalUnavailable(`no server takes ${what} now`, { inDoubt: false, cause: error });
  if (name === "JetStreamApiError" || name === "ConsumerNotFoundError" || name === "PermissionViolationError")
    return new JournalUnavailable(`${what} was refused: ${wordsOf(error)}`, { inDoubt: false, cause: error });
  return new Unanswered(what, error);
}
