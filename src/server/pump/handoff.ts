/**
 * The hand-off: how a subscription leaves tRPC's loop for the pump.
 *
 * The generator yields one ticket, a text that nobody else knows, and parks. tRPC writes the ticket to the socket like
 * any value; the socket is ours (`getWSConnectionHandler` takes anything that looks like one), sees the ticket, keeps it
 * from the client, and now knows what tRPC writes in front of a result of this request. Nothing else of tRPC is touched.
 *
 * It stands on two public things: the connection handler writes through the socket's `send`, and a result is sent as
 * `{"id":<id>,...,"result":{"type":"data",...}}`. Should either change, the ticket is not recognised: it is never
 * matched, the client would get it as a value, and the test that pins this fails on the new version of tRPC.
 */
import { randomUUID } from "node:crypto";
import type { Feed } from "../../feed/feed.ts";
import type { Subscription } from "../../feed/subscription.ts";
import type { HandOff } from "../../router/context.ts";
import { FrameEncoder, type Serialize } from "./encoded.ts";
import { LagHistogram } from "./lag.ts";
import { Pump, type PumpLimits, type PumpStats } from "./pump.ts";
import type { SharedPumpedSocket } from "./pumped-socket.ts";

interface Ticket {
  readonly feed: Feed<unknown, unknown>;
  readonly subscription: Subscription<unknown, unknown>;
  readonly ended: () => void;
}

/** The pumps of one mount. */
export class Pumps {
  readonly #limits: PumpLimits;
  readonly #pumps = new Map<Feed<unknown, unknown>, Map<string, Pump>>();
  readonly encoder: FrameEncoder;
  readonly stats: PumpStats = { bytes: 0, writes: 0, lag: new LagHistogram() };

  constructor(options: { serialize: Serialize; limits: PumpLimits }) {
    this.#limits = options.limits;
    this.encoder = new FrameEncoder(options.serialize);
  }

  /** Scopes that are pumped; a test waits for 0. */
  get size(): number {
    let size = 0;
    for (const scopes of this.#pumps.values()) size += scopes.size;
    return size;
  }

  report(): PumpReport {
    const { bytes, writes, lag } = this.stats;
    return {
      ...this.encoder.stats,
      bytes,
      writes,
      scopes: this.size,
      lagCounts: lag.counts,
      lagSum: lag.sum,
    };
  }

  of(feed: Feed<unknown, unknown>, scope: string): Pump {
    const scopes = this.#pumps.get(feed) ?? new Map<string, Pump>();
    this.#pumps.set(feed, scopes);
    const known = scopes.get(scope);
    if (known) return known;
    const onEmpty = (): void => {
      scopes.delete(scope);
      if (scopes.size === 0) this.#pumps.delete(feed);
    };
    const pump = new Pump({
      feed,
      scope,
      encoder: this.encoder,
      limits: this.#limits,
      stats: this.stats,
      onEmpty,
    });
    scopes.set(scope, pump);
    return pump;
  }
}

/** What the pumps of a mount did. */
export interface PumpReport {
  /** Frames that were turned into JSON: one per change, whatever the number of subscribers. */
  readonly encodes: number;
  /** Bytes of encoded frames that are kept for others who need them. */
  readonly keptBytes: number;
  readonly bytes: number;
  readonly writes: number;
  /** Projects that are pumped. */
  readonly scopes: number;
  /** Deliveries per bucket of lag, and the sum of their lags in seconds. */
  readonly lagCounts: readonly number[];
  readonly lagSum: number;
}

const TICKET = `pump:${randomUUID()}:`;
const RESULT = '"result":';

/** The tickets of one socket. */
export class Tickets {
  readonly #pumps: Pumps;
  readonly #socket: SharedPumpedSocket;
  readonly #open = new Map<string, Ticket>();
  #count = 0;

  constructor(pumps: Pumps, socket: SharedPumpedSocket) {
    this.#pumps = pumps;
    this.#socket = socket;
  }

  handOff(feed: Feed<unknown, unknown>, subscription: Subscription<unknown, unknown>): HandOff {
    this.#count += 1;
    const ticket = `${TICKET}${this.#count}`;
    const ended = new Promise<void>((resolve) => {
      this.#open.set(ticket, { feed, subscription, ended: resolve });
      subscription.onWake = () => {
        if (!subscription.closed) return;
        this.#open.delete(ticket);
        resolve();
      };
    });
    return { ticket, ended };
  }

  /** Looks at a frame on its way to the client. @returns whether it was a ticket, which is not sent. */
  take(frame: string): boolean {
    if (this.#open.size === 0) return false;
    const from = frame.indexOf(TICKET);
    if (from < 0) return false;
    const name = frame.slice(from, frame.indexOf('"', from));
    const ticket = this.#open.get(name);
    if (!ticket) return false;
    this.#open.delete(name);
    const prefix = frame.slice(0, frame.indexOf(RESULT) + RESULT.length);
    const { feed, subscription, ended } = ticket;
    this.#socket.subscriptions += 1;
    this.#pumps.of(feed, subscription.scope).add(subscription, this.#socket, prefix, () => {
      this.#socket.subscriptions -= 1;
      ended();
    });
    return true;
  }
}
