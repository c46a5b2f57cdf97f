/** The pumps of one mount: one per scope of a feed that somebody watches, and what they share. */
import type { Feed } from "../../feed/feed.ts";
import { FrameEncoder, type Serialize } from "./encoded.ts";
import { LagHistogram } from "./lag.ts";
import { Pump, type PumpLimits, type PumpStats } from "./pump.ts";

/** Request ids that are used often: those of clients that count from 1. */
const PREFIXES = 256;

export class Pumps {
  readonly #limits: PumpLimits;
  readonly #pumps = new Map<Feed<unknown, unknown>, Map<string, Pump>>();
  readonly #prefixes = new Map<string, string>();
  readonly encoder: FrameEncoder;
  readonly stats: PumpStats = { bytes: 0, writes: 0, lag: new LagHistogram() };

  constructor(options: { serialize: Serialize; limits: PumpLimits }) {
    this.#limits = options.limits;
    this.encoder = new FrameEncoder(options.serialize);
  }

  /**
   * What tRPC writes in front of a result of this request. Most clients count their requests from 1: one text for all of
   * them takes less room, and is found equal at a glance.
   */
  prefixOf(id: string | number, jsonrpc: string | undefined): string {
    const prefix = `${JSON.stringify({ id, jsonrpc }).slice(0, -1)},"result":`;
    const known = this.#prefixes.get(prefix);
    if (known !== undefined) return known;
    if (this.#prefixes.size < PREFIXES) this.#prefixes.set(prefix, prefix);
    return prefix;
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
