/**
 * `/metrics`: the text format of Prometheus. Numbers only, no project or workspace is named; computed when asked for.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import type { SnapwireStats } from "../health.ts";
import { FULL_REASONS } from "../protocol/frames.ts";
import { LAG_BUCKETS_SECONDS } from "./pump/lag.ts";
import type { PumpReport } from "./pump/pumps.ts";

interface Sample {
  readonly labels?: string;
  readonly suffix?: string;
  readonly value: number;
}

type MetricType = "counter" | "gauge" | "histogram";

export function renderMetrics(stats: SnapwireStats, pump: PumpReport, uptimeSeconds: number): string {
  const lines: string[] = [];
  const metric = (
    name: string,
    type: MetricType,
    help: string,
    samples: number | readonly Sample[],
  ): void => {
    lines.push(`# HELP snapwire_${name} ${help}`, `# TYPE snapwire_${name} ${type}`);
    const all = typeof samples === "number" ? [{ value: samples }] : samples;
    for (const { labels, suffix = "", value } of all as readonly Sample[]) {
      lines.push(`snapwire_${name}${suffix}${labels ? `{${labels}}` : ""} ${value}`);
    }
  };
  metric("uptime_seconds", "gauge", "Seconds since start.", uptimeSeconds);
  metric("sockets", "gauge", "Open, authenticated WebSockets.", stats.sockets);
  metric("stalled_sockets", "gauge", "Sockets that take nothing more at the moment.", stats.stalledSockets);
  metric(
    "buffered_bytes",
    "gauge",
    "Bytes that wait in the buffers of all connections.",
    stats.bufferedBytes,
  );
  metric("subscriptions", "gauge", "Open subscriptions.", stats.subscriptions);
  metric("pumped_projects", "gauge", "Projects with subscribers that are pumped.", pump.scopes);
  metric("projects", "gauge", "Projects.", stats.projects);
  metric("workspaces", "gauge", "Visible workspaces.", stats.workspaces);
  metric("tombstones", "gauge", "Removals kept for resuming clients.", stats.tombstones);
  metric("event_subscriptions", "gauge", "Open subscriptions of events.", stats.events.subscriptions);
  metric("events_retained", "gauge", "Events kept for those who come back.", stats.events.retained);
  metric("events_retained_bytes", "gauge", "About what they take, in bytes.", stats.events.retainedBytes);
  metric("events_published_total", "counter", "Events stored by this node.", stats.events.published);
  metric("event_duplicates_total", "counter", "Events whose id was known.", stats.events.duplicates);
  metric("event_gaps_total", "counter", "Gaps told to subscribers of events.", stats.events.gaps);
  metric(
    "event_deliveries_total",
    "counter",
    "Frames handed to subscribers of events.",
    stats.events.deliveries,
  );
  metric("devices", "gauge", "Devices that are known.", stats.agents.devices);
  metric("inboxes", "gauge", "Inboxes of devices that this node serves.", stats.agents.inboxes);
  metric("device_messages", "gauge", "Messages for devices, by what became of them.", [
    { labels: 'status="waiting"', value: stats.agents.waiting },
    { labels: 'status="in-flight"', value: stats.agents.inFlight },
    { labels: 'status="dead-letter"', value: stats.agents.deadLetters },
  ]);
  metric("device_messages_stuck", "gauge", "Of those in flight, for too long.", stats.agents.stuck);
  metric("device_messages_settled", "gauge", "Settled messages that are remembered.", stats.agents.settled);
  metric("device_message_bytes", "gauge", "JSON of the messages that are not settled.", stats.agents.bytes);
  metric("waiting_senders", "gauge", "Senders who wait for the ack of a device.", stats.agents.senders);
  metric("deliveries_total", "counter", "Frames handed to subscribers.", stats.deliveries);
  metric(
    "conflated_total",
    "counter",
    "Changes spared since a newer one of the same key took their place.",
    stats.conflated,
  );
  metric("resumes_total", "counter", "Subscriptions that went on from their position.", stats.resumes);
  metric(
    "full_frames_total",
    "counter",
    "Full frames, by reason.",
    FULL_REASONS.map((reason) => ({ labels: `reason="${reason}"`, value: stats.fulls[reason] })),
  );
  metric("sent_bytes_total", "counter", "Bytes that the pump wrote.", pump.bytes);
  metric("writes_total", "counter", "Writes of the pump: one per socket and turn.", pump.writes);
  metric("encodes_total", "counter", "Frames that were turned into JSON.", pump.encodes);
  metric(
    "encoded_kept_bytes",
    "gauge",
    "Bytes of encoded frames kept for others who need them.",
    pump.keptBytes,
  );
  metric(
    "delivery_lag_seconds",
    "histogram",
    "From a change to its write into a socket that has room.",
    histogram(pump),
  );
  for (const [name, counts] of Object.entries(stats.counters))
    metric(
      `${name}_total`,
      "counter",
      "What became of them.",
      Object.entries(counts).map(([outcome, value]) => ({ labels: `outcome="${outcome}"`, value })),
    );
  return `${lines.join("\n")}\n`;
}

function histogram({ lagCounts, lagSum }: PumpReport): readonly Sample[] {
  let total = 0;
  const buckets = [...LAG_BUCKETS_SECONDS, "+Inf"].map((bound, index) => {
    total += lagCounts[index] ?? 0;
    return { suffix: "_bucket", labels: `le="${bound}"`, value: total };
  });
  return [...buckets, { suffix: "_sum", value: lagSum }, { suffix: "_count", value: total }];
}
