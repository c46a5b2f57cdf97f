/**
 * cluster: several nodes over three NATS servers, with clients, while somebody writes and things end.
 *
 * In:       three `nats-server`s that are one (every stream has three copies), three times the published command, 1,000
 *           clients in one process that know all addresses, and a writer that asks again until it is acknowledged.
 * Out:      lag from one node to the clients of the others; what is seen of a node or a leader that ends; what a change
 *           costs by the number of nodes; what 10,000 entries cost.
 * Promise:  after each of them, every node and every client holds what was acknowledged last.
 */
import { measureCost, measureSize } from "../cluster/cost.mjs";
import { FROZEN_MS, HOT_KEYS, measureFaults } from "../cluster/faults.mjs";
import { KEYS, NODES, startFleet } from "../cluster/fleet.mjs";
import { LISTENERS, measureLag } from "../cluster/lag.mjs";
import { bytes, milliseconds, table } from "../lib/format.mjs";
import { findNatsServer, NoNatsServer } from "../lib/nats.mjs";
import { summarize } from "../lib/statistics.mjs";

export const name = "cluster";
export const title = "Several nodes";

export async function run(bench) {
  const nats = findNatsServer();
  if (!nats) throw new NoNatsServer(name);
  const { quick } = bench;
  const rounds = bench.rounds ?? (quick ? 1 : 3);
  const subscribers = bench.subscribers ?? (quick ? 30 : 1_000);
  const perSecond = bench.rate ?? 20;
  const stretchMs = quick ? 300 : 3_000;
  const { log } = bench;
  log(`cluster: nats-server ${nats.version}`);
  const fleet = await startFleet(bench, nats);
  try {
    log("cluster: lag");
    const lag = await measureLag(fleet, { rates: [200, 1_000], rounds, stretchMs });
    const steps = quick ? 1 : NODES;
    const faults = await measureFaults(fleet, { subscribers, rounds, perSecond, steps, log });
    log("cluster: cost by nodes");
    const cost = await measureCost(fleet, { perSecond: quick ? 200 : 1_000, rounds, stretchMs });
    log("cluster: a larger state");
    const size = await measureSize(fleet, { entries: quick ? 1_000 : 10_000, rounds });
    return { server: nats.version, subscribers, perSecond, lag, faults, cost, size };
  } finally {
    await fleet.close();
  }
}

/** The middle round, and in brackets the lowest and the highest; a unit that they share stands once. */
function middle(values, show) {
  if (values.length === 0 || values.some((value) => value === null || !Number.isFinite(value))) return "-";
  const { median, low, high } = summarize(values);
  const [first, last] = [show(low), show(high)];
  if (first === last) return show(median);
  const [, unit = ""] = /( \D+)$/.exec(last) ?? [];
  const bare = first.endsWith(unit) ? first.slice(0, first.length - unit.length) : first;
  return `${show(median)} (${bare} to ${last.slice(0, last.length - unit.length)}${first.endsWith(unit) ? "" : unit})`;
}

const exact = (us) => `${us.toFixed(0)} us`;
const seconds = (us) => `${(us / 1e6).toFixed(us < 1e6 ? 2 : 1)} s`;
const share = (value) => `${(value * 100).toFixed(1)} %`;
const whole = (value) => value.toLocaleString("en", { maximumFractionDigits: 0 });

/** @returns `[value of the key, its rows]`, in the order in which the values first came */
const groupsOf = (rows, key) =>
  [...new Set(rows.map((row) => row[key]))].map((value) => [value, rows.filter((row) => row[key] === value)]);

const FAULTS = {
  killed: "a node is killed (`kill -9`)",
  leaderKilled: "the stream's leader is killed",
  leaderFrozen: `the leader is frozen for ${FROZEN_MS / 1_000} s (SIGSTOP)`,
  leaderThawed: "the frozen leader goes on",
  stopped: "a node is stopped (SIGTERM), each in turn; from its end",
};

function faultRow([name, rounds]) {
  const of = (pick, show) => middle(rounds.map(pick), show);
  const total = (pick) => rounds.reduce((all, round) => all + pick(round), 0);
  const fulls = total(({ fulls }) => Object.values(fulls).reduce((all, one) => all + one, 0));
  const reasons = [...new Set(rounds.flatMap(({ fulls }) => Object.keys(fulls)))].join(", ");
  const [deltas, keys] = [total(({ caughtUp }) => caughtUp.deltas), total(({ caughtUp }) => caughtUp.keys)];
  return [
    FAULTS[name],
    of(({ pauseUs }) => pauseUs, seconds),
    of(({ freshUs }) => freshUs, seconds),
    of(({ resumed }) => resumed, whole),
    total(({ away }) => away.count) === 0 ? "-" : of(({ away }) => away.p50Us, seconds),
    total(({ away }) => away.count) === 0 ? "-" : of(({ away }) => away.maxUs, seconds),
    reasons === "" ? String(fulls) : `${fulls} (${reasons})`,
    keys === 0 ? "-" : (deltas / keys).toFixed(2),
    total(({ errors }) => errors),
  ];
}

export function report({ server, subscribers, perSecond, lag, faults, cost, size }) {
  const { rows } = faults;
  const col = (round, pick, show) => middle(round.map(pick), show);
  const rounds = rows.killed.length;
  return [
    `Three nats-server ${server} that are one (three copies), ${NODES} nodes, the clients and the writer share this machine; ` +
      `nothing is pinned to a core. ${rounds === 1 ? "One round" : `Medians of ${rounds} rounds (lowest to highest)`}.`,
    `**From a change at one node to its clients: ${LISTENERS} at each node**`,
    table(
      ["changes/s", "reached", "at that node p50", "p99", "at another p50", "p99"],
      groupsOf(lag, "perSecond").map(([rate, round]) => [
        whole(rate),
        col(round, ({ reached }) => reached, whole),
        ...["here", "elsewhere"].flatMap((where) =>
          ["p50Us", "p99Us"].map((at) => col(round, (row) => row[where][at], milliseconds)),
        ),
      ]),
    ),
    `**${subscribers.toLocaleString("en")} clients, ${KEYS} workspaces, ${perSecond} changes a second of ${HOT_KEYS} of them**`,
    table(
      [
        "what happens",
        "no acknowledgement for",
        "all fresh after",
        "clients that moved",
        "each without a subscription for p50",
        "longest",
        "full frames",
        "deltas per changed key",
        "errors",
      ],
      Object.entries(rows).map(faultRow),
    ),
    `A killed node is ready ${col(rows.killed, ({ readyUs }) => readyUs, milliseconds)} after it is started; one that is stopped ends after ` +
      `${col(rows.stopped, ({ endedUs }) => endedUs, seconds)}, and is ready ${col(rows.stopped, ({ readyUs }) => readyUs, milliseconds)} after it is started.`,
    "**CPU of a change, by the number of nodes: no clients**",
    table(
      [
        "nodes",
        "changes/s",
        "the node that is written to",
        "a node that follows",
        "the three servers together",
      ],
      groupsOf(cost.rows, "nodes").map(([nodes, round]) => [
        nodes,
        col(round, ({ perSecond }) => perSecond, whole),
        ...["writingUs", "followingUs", "serversUs"].map((who) => col(round, (row) => row[who], exact)),
      ]),
    ),
    `While nothing changes: ${col(cost.idle, ({ node }) => node, share)} of a core for a node, ${col(cost.idle, ({ server }) => server, share)} for a server.`,
    "**A node started cold**",
    table(
      ["entries", "ready after", "resident", "a server's, then"],
      groupsOf(size, "entries").map(([entries, round]) => [
        whole(entries),
        col(round, ({ readyUs }) => readyUs, milliseconds),
        col(round, ({ nodeBytes }) => nodeBytes, bytes),
        col(round, ({ serverBytes }) => serverBytes, bytes),
      ]),
    ),
  ].join("\n\n");
}
