/**
 * Watches one stream: asks for its head every second, notices that the engine is away, and that what came back is not
 * what went. Nothing is written or given before a stream that may be another one has been looked into.
 */
import type { Logger } from "../../log.ts";
import { type StreamCalls, StreamGone, Unanswered, wordsOf } from "./api.ts";
import { currentEpoch, renewEpoch } from "./epoch.ts";
import type { StreamFollower } from "./follower.ts";
import type { StreamSpec } from "./options.ts";

export interface WatchOptions {
  readonly api: StreamCalls;
  readonly spec: StreamSpec;
  readonly follower: StreamFollower;
  readonly logger: Logger;
  readonly everyMs: number;
  readonly connected: () => boolean;
  /** Leaves a server that does not answer. */
  readonly leave: () => void;
  /** Makes a stream that is gone for good. */
  readonly recreate: () => Promise<unknown>;
}

/** Failing for longer than this is being away, in milliseconds: a change of leader takes some seconds, a reconnect less. */
const AWAY_AFTER_MS = 2_000;
/** From a failed look to the next one, in milliseconds. */
const SOON_MS = 250;
/** So many writes in a row without an answer are said in the log. */
const SAID_AFTER = 3;
/** Looks that find no stream before it is made again: one that is being restored may be there in a moment. */
const GONE_LOOKS = 8;

export class StreamWatch {
  readonly #options: WatchOptions;
  /** It is the stream that is followed, and it takes writes. */
  #trusted = true;
  #created: string;
  #away: string | undefined;
  #failingSince: number | undefined;
  #silent = 0;
  #gone = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;
  #lacking = false;
  #unansweredWrites = 0;
  readonly #waiting = new Set<() => void>();

  constructor(options: WatchOptions, created: string) {
    this.#options = options;
    this.#created = created;
  }

  start(): void {
    this.#next(this.#options.everyMs);
  }

  /** Why nothing can be written now; `undefined`: it can be tried. */
  get refusal(): string | undefined {
    if (this.#stopped) return "the journal is closed";
    if (!this.#options.connected()) return this.#away ?? "the connection to NATS is lost";
    if (this.#away !== undefined) return this.#away;
    return this.#trusted ? undefined : `what came back as ${this.#options.spec.name} is being looked into`;
  }

  /** Resolves when writing can be tried (again), or after `ms`. */
  async usable(ms: number): Promise<void> {
    if (this.refusal === undefined || ms <= 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        resolve();
      };
      this.#waiting.add(done);
      timer = setTimeout(done, ms);
    });
    clearTimeout(timer);
  }

  /** It may be another stream: looks at once. */
  suspect(): void {
    this.#trusted = false;
    this.#options.follower.hold();
    this.#next(0);
  }

  /** Somebody has taken something out of it: it is not the order any more that was told. */
  lacks(what: string): void {
    if (this.#lacking) return;
    const { logger, spec } = this.#options;
    logger.error(
      { stream: spec.name, what },
      "a record is gone that was not deleted here: the stream was purged or edited by somebody else",
    );
    this.#lacking = true;
    this.suspect();
  }

  /** A write was not answered: looks whether anything is. */
  unanswered(): void {
    this.#unansweredWrites += 1;
    if (this.#unansweredWrites === SAID_AFTER)
      this.#options.logger.warn(
        { stream: this.#options.spec.name },
        "writes are not answered, one after the other: see the disk and the log of the servers",
      );
    if (this.#failingSince === undefined) this.#next(0);
  }

  /** A write was answered. */
  answered(): void {
    this.#unansweredWrites = 0;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const done of this.#waiting) done();
    await this.#looking;
  }

  #next(inMs: number): void {
    if (this.#stopped || (this.#looking && inMs === 0)) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().finally(() => {
        this.#looking = undefined;
        const steady = this.#trusted && this.#failingSince === undefined && this.#away === undefined;
        this.#next(steady ? this.#options.everyMs : SOON_MS);
      });
    }, inMs);
  }

  async #look(): Promise<void> {
    const { api, spec, follower, connected } = this.#options;
    const begun = performance.now();
    try {
      if (!connected()) throw new Error("the connection to NATS is lost");
      const { known } = follower; // before it is asked: more may come until the answer does
      const head = await api.head(spec.name);
      if (this.#stopped) return;
      if (head.created !== this.#created || head.lastSequence < known) this.#trusted = false;
      if (!this.#trusted) await this.#lookInto(head.created);
      else follower.expect(head.lastSequence);
      this.#works();
    } catch (error) {
      if (!this.#stopped) await this.#fails(error, begun);
    }
  }

  #works(): void {
    this.#failingSince = undefined;
    this.#silent = 0;
    this.#gone = 0;
    for (const done of this.#waiting) done();
    if (this.#away === undefined || !this.#options.follower.caughtUp) return;
    this.#away = undefined;
    this.#options.logger.info({ stream: this.#options.spec.name }, "the engine is back");
    this.#options.follower.tellAway(undefined);
  }

  async #fails(error: unknown, begun: number): Promise<void> {
    const { spec, follower, logger, leave, recreate } = this.#options;
    this.#failingSince ??= begun;
    this.#silent = error instanceof Unanswered ? this.#silent + 1 : 0;
    if (this.#silent >= 2) leave();
    if (error instanceof StreamGone) {
      this.#trusted = false;
      follower.hold();
      this.#gone += 1;
      if (this.#gone >= GONE_LOOKS)
        await recreate().catch((refused: unknown) =>
          logger.error(
            { stream: spec.name, why: wordsOf(refused) },
            "the stream is gone, and cannot be made again",
          ),
        );
    } else this.#gone = 0;
    if (performance.now() - this.#failingSince < AWAY_AFTER_MS || this.#away !== undefined) return;
    this.#away = `the journal is away: ${wordsOf(error)}`;
    logger.warn({ stream: spec.name, why: wordsOf(error) }, "the engine is away");
    follower.tellAway(this.#away);
  }

  /** Is this the order that was told? If not, another epoch begins, here and on every node. */
  async #lookInto(created: string): Promise<void> {
    const { api, spec, follower, logger } = this.#options;
    const { epoch, known } = follower;
    let now = await currentEpoch({ api, spec });
    if (now === epoch && (this.#lacking || !((await follower.mark()) > known && (await follower.agrees())))) {
      now = await renewEpoch({ api, spec }, epoch);
    }
    if (this.#stopped) return;
    this.#created = created;
    if (now !== epoch) {
      logger.warn({ stream: spec.name }, "the engine came back with another order: a new epoch begins");
      await follower.restart(now);
    }
    this.#trusted = true;
    this.#lacking = false;
    follower.resume();
  }
}
