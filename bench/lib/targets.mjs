/**
 * The targets: what a run must show, as ratios between servers of the same run. Each is computed from the claims' results,
 * and has no value while its claim has not been run.
 */
import { rowOf as fanoutRow } from "../claims/fanout.mjs";
import { rowOf as lagRow } from "../claims/lag.mjs";
import { bytes, times } from "./format.mjs";

const KIB = 1024;
const HIGH_WATER_BYTES = 256 * KIB;

/** One row's median by another's; undefined unless both were measured. */
function ratio(one, other, field) {
  const value = one?.[field].median / other?.[field].median;
  return Number.isFinite(value) ? value : undefined;
}

function atThousand(claims, field, other, perTurn) {
  const row = (server) => fanoutRow(claims.fanout, server, 1_000, perTurn);
  return ratio(row("snapwire"), row(other), field);
}

/** The frame that a stalled client was sent last: the entry with its padding. */
const LARGEST_FRAME_BYTES = 5.5 * KIB;

function stalledExcess({ memory }) {
  const steps = memory?.stalled.find(({ server }) => server === "snapwire")?.steps;
  if (!steps) return undefined;
  return Math.max(...steps.map(({ heapBytes }) => heapBytes)) - HIGH_WATER_BYTES - LARGEST_FRAME_BYTES;
}

function storm({ reconnect }, pick) {
  const row = reconnect?.rows.find(({ server, positions }) => server === "snapwire" && positions === "valid");
  return row && pick(row, reconnect);
}

function idleExcess({ memory }) {
  const of = (name) => memory?.idle.find(({ server }) => server === name)?.residentBytes.median;
  const excess = of("snapwire") - of("ws");
  return Number.isFinite(excess) ? excess : undefined;
}

const largest = ({ store }) => store?.rows.at(-1);

export const TARGETS = [
  {
    id: "T1",
    key: "vsNaiveTrpc",
    what: "deliveries/s by those of tRPC as its docs show it (1,000 subscribers, saturated)",
    least: 12,
    value: (claims) => atThousand(claims, "deliveriesPerSecond", "trpc", 1),
  },
  {
    id: "T2",
    key: "vsRawWs",
    what: "deliveries/s by those of raw `ws`",
    least: 2,
    value: (claims) => atThousand(claims, "deliveriesPerSecond", "ws", 1),
  },
  {
    id: "T2",
    key: "lagVsRawWs",
    what: "p99 lag by that of raw `ws`, in the same runs",
    most: 1,
    value: (claims) => atThousand(claims, "lagP99Us", "ws", 1),
  },
  {
    id: "T3",
    key: "cpuVsNet",
    what: "CPU per delivery by that of Node `net` with a ready buffer, saturated",
    most: 0.75,
    value: (claims) => atThousand(claims, "cpuUsPerDelivery", "net", 1),
  },
  {
    id: "T3",
    key: "cpuVsNetSteady",
    what: "the same at 10 changes a second",
    most: 1.1,
    value: ({ lag }) => ratio(lagRow(lag, "snapwire", 0), lagRow(lag, "net", 0), "cpuUsPerDelivery"),
  },
  {
    id: "T4",
    key: "burstVsRawWs",
    what: "deliveries/s by those of raw `ws`, 16 changes a turn",
    least: 15,
    value: (claims) => atThousand(claims, "deliveriesPerSecond", "ws", 16),
  },
  {
    id: "T5",
    key: "stalledP99",
    what: "p99 lag of the healthy with 10 % stalled, by that with none stalled",
    most: 1.2,
    value: ({ lag }) => ratio(lagRow(lag, "snapwire", 0.1), lagRow(lag, "snapwire", 0), "lagP99Us"),
  },
  {
    id: "T6",
    key: "stalledExcessBytes",
    what: "what a stalled client costs above the high-water mark and one frame, at its worst",
    most: 64 * KIB,
    show: bytes,
    value: stalledExcess,
  },
  {
    id: "T7",
    key: "stormDeltasPerChange",
    what: "deltas per client and changed key when 1,000 clients come back with valid positions",
    most: 1,
    value: (claims) =>
      storm(claims, (row, { connections, changed }) => row.deltas.high / (connections * changed)),
  },
  {
    id: "T7",
    key: "stormFulls",
    what: "full frames sent to them",
    most: 0,
    show: String,
    value: (claims) => storm(claims, (row) => row.fulls.high),
  },
  {
    id: "T8",
    key: "encodesPerChange",
    what: "encodes per change, whatever the number of subscribers",
    most: 1.05,
    value: ({ wire }) => wire?.rows.find(({ server }) => server === "snapwire")?.encodesPerChange,
  },
  {
    id: "T9",
    key: "idleExcessBytes",
    what: "resident memory of an idle subscriber above that of a bare `ws` connection",
    most: 8 * KIB,
    show: bytes,
    value: idleExcess,
  },
  {
    id: "T10",
    key: "upsertByProjectSize",
    what: "median upsert in a project of 10,000 by that in one of 100",
    most: 1.25,
    value: ({ store }) => store && largest({ store }).p50Us / store.rows[0].p50Us,
  },
  {
    id: "T10",
    key: "heapOverJsonBytes",
    what: "heap per entry above its JSON",
    most: 2 * KIB,
    show: bytes,
    value: (claims) => largest(claims) && largest(claims).heapPerEntry - largest(claims).jsonPerEntry,
  },
  {
    id: "T10",
    key: "secondFullByFirst",
    what: "server CPU of a full frame for the second subscriber, by the first's",
    most: 0.5,
    value: ({ store }) => {
      const full = store?.fulls.find(({ server }) => server === "snapwire");
      return full && full.second.cpuUs / full.first.cpuUs;
    },
  },
];

export function measureTargets(claims) {
  return TARGETS.map(({ id, key, what, least, most, show = times, value }) => {
    const got = value(claims);
    const wanted = least === undefined ? `at most ${show(most)}` : `at least ${show(least)}`;
    const met = got === undefined ? undefined : least === undefined ? got <= most : got >= least;
    return { id, key, what, wanted, got, shown: got === undefined ? "" : show(got), met };
  });
}

/** `ratios` of the JSON: null where the claim has not been run. */
export const ratiosOf = (claims) =>
  Object.fromEntries(TARGETS.map(({ key, value }) => [key, value(claims) ?? null]));
