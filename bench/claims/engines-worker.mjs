/** `node engines-worker.mjs <engine> <milliseconds of each stretch>`: one engine alone. Prints one line of JSON. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNatsServer, startNatsCluster, startNatsServer } from "../lib/nats.mjs";

const [engine, stretchMs] = [process.argv[2], Number(process.argv[3])];
const load = (path) => import(new URL(`src/journal/${path}`, process.env.SNAPWIRE_DIST).href);
const room = mkdtempSync(join(tmpdir(), "snapwire-bench-"));

let servers;

/** @returns a journal, and how to have another one over the same records; none where nothing survives */
async function prepare() {
  switch (engine) {
    case "memory": {
      const { createMemoryJournal } = await load("memory.js");
      return { create: () => createMemoryJournal(), survives: false, file: undefined };
    }
    case "embedded-disk":
    case "embedded-process": {
      const { createEmbeddedJournal, filesIn } = await load("embedded/embedded.js");
      const folder = join(room, "data");
      const durability = engine.slice("embedded-".length);
      const create = () => createEmbeddedJournal({ folder, durability });
      return { create, survives: true, file: filesIn(folder).data };
    }
    case "nats":
    case "nats-cluster": {
      const { createNatsJournal } = await load("nats/index.js");
      const [start, replicas] = engine === "nats" ? [startNatsServer, 1] : [startNatsCluster, 3];
      servers = await start(findNatsServer(), join(room, "store"));
      const create = () => createNatsJournal({ servers: servers.urls, replicas });
      return { create, survives: true, file: undefined };
    }
    default:
      throw new Error(`there is no engine "${engine}"`);
  }
}

const KEYS = 10_000;
const BODY = { scope: "bench", hidden: false, left: [], at: 0, state: { text: "x".repeat(900) } };
const { create, survives, file } = await prepare();
let journal = create();
await journal.open();
let log = journal.log("snapshots");

const known = new Map();
/** When each append that is under way was asked for. */
const asked = new Map();
let lags = [];
const sink = {
  reset: () => known.clear(),
  record: ({ key, sequence }) => {
    known.set(key, sequence);
    const since = asked.get(key);
    if (since !== undefined) lags.push(performance.now() - since);
    asked.delete(key);
  },
  floor: () => undefined,
  advance: () => undefined,
  status: () => undefined,
};
await log.follow(sink);

const newest = new Map();
async function append(key) {
  const name = `workspace-${key}`;
  const { sequence } = await log.append({
    key: name,
    body: BODY,
    expect: newest.get(name) ?? 0,
    messageId: randomUUID(),
  });
  newest.set(name, sequence);
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
for (let key = 0; key < KEYS; key += 500)
  await Promise.all(Array.from({ length: 500 }, (_, index) => append(key + index)));

/** Writers that each have keys of their own, one append in flight. @returns appends per second */
async function saturated(writers) {
  let done = 0;
  const started = performance.now();
  const writer = async (first) => {
    for (let key = first; performance.now() - started < stretchMs; key += writers) {
      await append(key % KEYS);
      done += 1;
      if (done % 64 === 0) await turn(); // an engine that answers in the same turn would keep the loop
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, index) => writer(index)));
  return done / ((performance.now() - started) / 1_000);
}

/** @returns lags from the append to the follower, in milliseconds, ascending */
async function steady(perSecond) {
  lags = [];
  const writes = [];
  const started = performance.now();
  for (let sent = 0; performance.now() - started < stretchMs; await turn()) {
    const due = Math.floor(((performance.now() - started) * perSecond) / 1_000);
    for (; sent < due; sent += 1) {
      const key = (sent * 7919) % KEYS;
      const name = `workspace-${key}`;
      if (asked.has(name)) continue;
      asked.set(name, performance.now());
      writes.push(append(key));
    }
  }
  await Promise.all(writes);
  return lags.sort((a, b) => a - b);
}

const perSecond = await saturated(1);
const perSecondOf64 = await saturated(64);
const at = (sorted, share) => (sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 1_000;
const calm = [...(await steady(500))];
const busy = [...(await steady(5_000))];
const isSame = () => known.size === newest.size && [...newest].every(([key, n]) => known.get(key) === n);
/** A follower of an engine with a process of its own may be a moment behind the last answer. */
async function caughtUp() {
  const end = Date.now() + 5_000;
  while (!isSame() && Date.now() < end) await turn();
  return isSame();
}
let same = await caughtUp();

let readyUs = null;
const bytesOnDisk = file === undefined ? null : statSync(file).size;
if (survives) {
  await journal.close();
  known.clear();
  journal = create();
  const begun = performance.now();
  await journal.open();
  log = journal.log("snapshots");
  await log.follow(sink);
  readyUs = (performance.now() - begun) * 1_000;
  same = same && (await caughtUp());
}
await journal.close();
await servers?.close();
rmSync(room, { recursive: true, force: true });
console.log(
  JSON.stringify({
    same: same && calm.length > 0 && busy.length > 0,
    perSecond,
    perSecondOf64,
    lagP50Us: at(calm, 0.5),
    lagP99Us: at(calm, 0.99),
    busyLagP50Us: at(busy, 0.5),
    busyLagP99Us: at(busy, 0.99),
    readyUs,
    bytesOnDisk,
  }),
);
