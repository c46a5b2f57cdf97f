/** Counters over a few minutes: what they say now, and how fast they grow. Pure. */
import type { SnapwireStats } from "../../../src/health.ts";

export interface Sample {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stats: SnapwireStats;
}

/** At one sample in two seconds: four minutes. */
const SAMPLES_MAX = 120;

type CounterName = {
  [Name in keyof SnapwireStats]: SnapwireStats[Name] extends number ? Name : never;
}[keyof SnapwireStats];

export function withSample(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const last = samples.at(-1);
  // A counter that fell belongs to another life of the server: its growth says nothing.
  const restarted = last !== undefined && sample.stats.deliveries < last.stats.deliveries;
  return restarted ? [sample] : [...samples, sample].slice(-SAMPLES_MAX);
}

/** Per second, between the last two samples; undefined: too early to say. */
export function rateOf(samples: readonly Sample[], name: CounterName): number | undefined {
  return ratesOf(samples, name).at(-1);
}

/** Per second, from each sample to the next. */
export function ratesOf(samples: readonly Sample[], name: CounterName): readonly number[] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index] ?? sample;
    const seconds = (sample.at - before.at) / 1_000;
    return seconds > 0 ? Math.max(0, sample.stats[name] - before.stats[name]) / seconds : 0;
  });
}

export function valuesOf(samples: readonly Sample[], name: CounterName): readonly number[] {
  return samples.map(({ stats }) => stats[name]);
}

export function fullsOf({ fulls }: SnapwireStats): number {
  return Object.values(fulls).reduce((sum, count) => sum + count, 0);
}

export interface LagQuantiles {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

/** From the histogram of `/metrics`; undefined: nothing was delivered yet, or it is not there. */
export function lagOf(metrics: string): LagQuantiles | undefined {
  const buckets = [...metrics.matchAll(/^snapwire_delivery_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)]
    .map(([, bound = "", count = ""]) => ({ seconds: Number(bound), count: Number(count) }))
    .filter(({ seconds }) => Number.isFinite(seconds));
  const total = Number(/^snapwire_delivery_lag_seconds_count (\d+)$/m.exec(metrics)?.[1] ?? 0);
  if (total === 0 || buckets.length === 0) return undefined;
  return { p50: quantile(buckets, total * 0.5), p99: quantile(buckets, total * 0.99) };
}

interface Bucket {
  readonly seconds: number;
  /** Cumulative. */
  readonly count: number;
}

/** Straight through the bucket that holds it; beyond the last one, that one's bound. */
function quantile(buckets: readonly Bucket[], rank: number): number {
  let below: Bucket = { seconds: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank) {
      const share = bucket.count === below.count ? 1 : (rank - below.count) / (bucket.count - below.count);
      return (below.seconds + share * (bucket.seconds - below.seconds)) * 1_000;
    }
    below = bucket;
  }
  return below.seconds * 1_000;
}

export function bytesWords(bytes: number): string {
  if (bytes < 1_000) return `${Math.round(bytes)} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`;
  if (bytes < 1_000_000_000) return `${(bytes / 1_000_000).toFixed(1)} MB`;
  return `${(bytes / 1_000_000_000).toFixed(2)} GB`;
}

/** A line through the values, in a box of 100 by 28; '' for fewer than two. */
export function sparkline(values: readonly number[]): string {
  if (values.length < 2) return "";
  const top = Math.max(...values);
  const bottom = Math.min(...values, 0);
  const span = top - bottom || 1;
  const step = 100 / (values.length - 1);
  return values
    .map((value, index) => {
      const y = 26 - ((value - bottom) / span) * 24;
      return `${index === 0 ? "M" : "L"}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}

/** The same line, closed along the bottom of the box. */
export function areaBelow(line: string): string {
  return line === "" ? "" : `${line}L100 28L0 28Z`;
}
