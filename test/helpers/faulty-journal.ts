/**
 * A journal that misbehaves on command: what a network and an engine do to one node. Each node of a test gets a wrapper
 * and controls of its own over one inner journal, so a node can lag, lose answers or follow again while others do not.
 */
import {
  type Journal,
  type JournalAck,
  type JournalAppend,
  type JournalFollower,
  type JournalLog,
  type JournalSink,
  JournalUnavailable,
} from "../../src/journal/journal.ts";

/** What becomes of one attempt to append. */
export type AppendFate =
  /** Stored, and acknowledged. */
  | "answered"
  /** Stored, but the writer does not hear of it: in doubt. */
  | "ack-lost"
  /** Not stored, and the writer does not know: in doubt. */
  | "request-lost"
  /** Not stored, and the writer knows. */
  | "refused";

/** Something that waits until the test lets it go on. */
class Gate {
  held = false;
  #waiting: (() => void)[] = [];

  get waiting(): number {
    return this.#waiting.length;
  }

  hold(): void {
    this.held = true;
  }

  /** Waits while the gate is held; passes in this very turn when it is not. */
  pass(): Promise<void> | undefined {
    if (!this.held) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets one go on; the others and all that come later still wait. */
  releaseOne(index = 0): void {
    const [go] = this.#waiting.splice(index % Math.max(1, this.#waiting.length), 1);
    go?.();
  }

  open(): void {
    this.held = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}

/** One node's controls. */
export class JournalFaults {
  /** Asked at each attempt, retries included. */
  fate: (append: JournalAppend) => AppendFate = () => "answered";
  /** How an attempt that is lost takes its time, as with an engine that waits for its servers. */
  slowly: ((ms: number) => Promise<void>) | undefined;
  /** Runs just before an attempt reaches the engine: a second writer may be faster. */
  before: ((append: JournalAppend) => Promise<void>) | undefined;
  /** Attempts that have not reached the engine. */
  readonly requests = new Gate();
  /** Answers that have not reached the writer. */
  readonly answers = new Gate();
  /** Floors that have not reached the engine, and deletions. */
  readonly upkeep = new Gate();
  /** Answers about the head that have not reached the node. */
  readonly heads = new Gate();
  readonly followers = new Set<FaultyFollower>();
  /** Attempts that reached this wrapper, newest last. */
  readonly attempts: JournalAppend[] = [];
  inner: Journal | undefined;
  awayBecause: string | undefined;

  /** Deliveries to this node wait, in order. */
  hold(): void {
    for (const follower of this.followers) follower.hold();
  }

  /** Gives up to `count` of what waits to each follower; without a count everything, and what comes later at once. */
  release(count?: number): void {
    for (const follower of this.followers) follower.release(count);
  }

  /** Whether deliveries wait. */
  get holding(): boolean {
    return [...this.followers].some(({ held }) => held);
  }

  get heldDeliveries(): number {
    return [...this.followers].reduce((sum, follower) => sum + follower.waiting, 0);
  }

  /** The node follows again, from the start, in the same epoch. */
  async followAgain(): Promise<void> {
    await Promise.all([...this.followers].map((follower) => follower.again()));
  }

  /** Another order takes the place of this one: what is on its way to the engine is in doubt. */
  async replaceOrder(journal: Journal): Promise<void> {
    this.inner = journal;
    await this.followAgain();
  }

  away(reason: string): void {
    this.awayBecause = reason;
    this.tellStatus(false, reason);
  }

  back(): void {
    this.awayBecause = undefined;
    this.tellStatus(true);
  }

  /** Only says so. */
  tellStatus(fresh: boolean, reason?: string): void {
    for (const follower of this.followers) follower.tellStatus(fresh, reason);
  }

  /** Nothing waits and nothing fails any more. */
  heal(): void {
    this.fate = () => "answered";
    this.before = undefined;
    if (this.awayBecause !== undefined) this.back();
    this.openGates();
    this.release();
  }

  openGates(): void {
    for (const gate of [this.requests, this.answers, this.upkeep, this.heads]) gate.open();
  }
}

export class FaultyFollower {
  readonly #sink: JournalSink;
  readonly #journal: () => Journal;
  readonly #collection: string;
  #waiting: (() => void)[] = [];
  #held = false;
  #giving = false;
  #inner: JournalFollower | undefined;
  /** The order whose beginning it was given last. */
  follows: Journal | undefined;
  /** Counts the times that it began to follow: what an earlier time still had to give is void. */
  #life = 0;
  /** Those who wait until the backlog has been given, by whichever time of following. */
  #caughtUp: (() => void)[] = [];

  constructor(sink: JournalSink, journal: () => Journal, collection: string) {
    this.#sink = sink;
    this.#journal = journal;
    this.#collection = collection;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get held(): boolean {
    return this.#held;
  }

  hold(): void {
    this.#held = true;
  }

  release(count?: number): void {
    if (count === undefined) this.#held = false;
    this.#give(count ?? Number.POSITIVE_INFINITY);
  }

  /** Begins, or begins again; resolves when the backlog has been given. */
  async again(): Promise<void> {
    this.#life += 1;
    const life = this.#life;
    this.#inner?.stop();
    this.#waiting = [];
    const queue = (give: () => void): void => {
      if (life !== this.#life) return;
      this.#waiting.push(give);
      if (!this.#held) this.#give(Number.POSITIVE_INFINITY);
    };
    const sink = this.#sink;
    const journal = this.#journal();
    const inner = await journal.log(this.#collection).follow({
      reset: (epoch) =>
        queue(() => {
          this.follows = journal;
          sink.reset(epoch);
        }),
      record: (record) => queue(() => sink.record(record)),
      floor: (scope, floor) => queue(() => sink.floor(scope, floor)),
      advance: (sequence) => queue(() => sink.advance(sequence)),
      status: (fresh, reason) => sink.status(fresh, reason),
    });
    if (life !== this.#life) return inner.stop();
    this.#inner = inner;
    await new Promise<void>((resolve) => {
      this.#caughtUp.push(resolve);
      queue(() => this.#hasCaughtUp());
    });
  }

  tellStatus(fresh: boolean, reason?: string): void {
    this.#sink.status(fresh, reason);
  }

  stop(): void {
    this.#life += 1;
    this.#inner?.stop();
    this.#waiting = [];
    this.#hasCaughtUp();
  }

  #hasCaughtUp(): void {
    for (const resolve of this.#caughtUp.splice(0)) resolve();
  }

  #give(count: number): void {
    if (this.#giving) return; // what a delivery causes is delivered after it
    this.#giving = true;
    try {
      for (let given = 0; given < count; given += 1) {
        const give = this.#waiting.shift();
        if (!give) return;
        give();
      }
    } finally {
      this.#giving = false;
    }
  }
}

/** `journal` as a node sees it through `faults`. Closing the wrapper leaves the inner journal open for others. */
export function withFaults(journal: Journal, faults: JournalFaults): Journal {
  faults.inner = journal;
  let closed = false;
  const inner = (): Journal => faults.inner ?? journal;

  const logOf = (collection: string): JournalLog => {
    const log = (): JournalLog => inner().log(collection);
    return {
      follow: async (sink) => {
        const follower = new FaultyFollower(sink, inner, collection);
        faults.followers.add(follower);
        await follower.again();
        return {
          stop: () => {
            faults.followers.delete(follower);
            follower.stop();
          },
        };
      },
      append: (append) => attempt(append, log),
      head: async () => {
        refuseWhileAway();
        const head = await log().head();
        await faults.heads.pass();
        refuseWhileAway();
        return head;
      },
      raiseFloor: async (scope, floor) => {
        await faults.upkeep.pass();
        refuseWhileAway();
        return log().raiseFloor(scope, floor);
      },
      dropFloor: async (scope) => {
        await faults.upkeep.pass();
        refuseWhileAway();
        return log().dropFloor(scope);
      },
      dropRecords: async (records) => {
        await faults.upkeep.pass();
        refuseWhileAway();
        return log().dropRecords(records);
      },
    };
  };

  function refuseWhileAway(): void {
    if (closed) throw new JournalUnavailable("the journal is closed", { inDoubt: false });
    if (faults.awayBecause !== undefined)
      throw new JournalUnavailable(faults.awayBecause, { inDoubt: false });
  }

  async function attempt(append: JournalAppend, log: () => JournalLog): Promise<JournalAck> {
    faults.attempts.push(append);
    refuseWhileAway();
    const fate = faults.fate(append);
    if (fate === "refused") throw new JournalUnavailable("too busy", { inDoubt: false });
    if (faults.slowly && fate !== "answered") await faults.slowly(8_000);
    if (fate === "request-lost") throw new JournalUnavailable("no answer", { inDoubt: true });
    const order = faults.inner;
    const followed = [...faults.followers].map(({ follows }) => follows);
    const toPass = faults.requests.pass();
    if (toPass) await toPass;
    if (closed) throw new JournalUnavailable("the journal was closed", { inDoubt: false });
    if (faults.before) await faults.before(append);
    if (order !== faults.inner) throw new JournalUnavailable("the connection was lost", { inDoubt: true });
    // A node that had not heard of this order compared with sequences of another one: an engine refuses that.
    if (followed.some((journal) => journal !== order))
      throw new JournalUnavailable("the order was replaced", { inDoubt: false });
    const stored = log().append(append);
    stored.catch(() => undefined); // looked at below, perhaps not in this turn
    const toAnswer = faults.answers.pass();
    if (toAnswer) await toAnswer;
    const ack = await stored;
    if (fate === "ack-lost" || closed) throw new JournalUnavailable("no answer", { inDoubt: true });
    return ack;
  }

  return {
    engine: `faulty ${journal.engine}`,
    durable: journal.durable,
    open: async () => {
      closed = false;
      await inner().open();
    },
    log: logOf,
    close: async () => {
      closed = true;
      faults.openGates();
    },
  };
}
