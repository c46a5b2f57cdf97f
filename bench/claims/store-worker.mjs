/**
 * `node store-worker.mjs <entries> <upserts>`: the store alone, in a process of its own: no sockets, no subscribers but
 * one, which keeps a replica from the store's events. Prints one line of JSON.
 */
const [size, upserts] = process.argv.slice(2).map(Number);
const { createSnapwire, SNAPSHOT_CHANGED } = await import(
  new URL("src/index.js", process.env.SNAPWIRE_DIST).href
);
const { prepareEntry } = await import("../lib/entry.mjs");
const { patch } = await prepareEntry(process.env.SNAPWIRE_DIST);

const PROJECT = "bench-0";
const idOf = (key) => `w-${key}`;
/** Each changes what the tables derive: column, sidebar, reason, flow phase. */
const CHANGES = [
  { isWorking: true, pendingRequestType: null },
  { isWorking: false, pendingRequestType: "plan_approval" },
  { prState: "APPROVED", prCiStatus: "SUCCESS" },
  { prState: "CHANGES_REQUESTED", prCiStatus: "FAILURE" },
  { isWorking: false, pendingRequestType: null, ratchetState: "CI_RUNNING" },
  { prState: "OPEN", prCiStatus: "PENDING", ratchetState: "IDLE" },
];

function heap() {
  for (let pass = 0; pass < 3; pass += 1) globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const live = createSnapwire();
await live.start();
const { workspaces } = live;
const empty = heap();
for (let key = 0; key < size; key += 1) {
  await workspaces.upsert(idOf(key), {
    ...patch,
    name: `Workspace ${key}`,
    branchName: `branch-${key}`,
    projectId: PROJECT,
  });
}
const heapPerEntry = (heap() - empty) / size;
const jsonPerEntry =
  workspaces.getByProjectId(PROJECT).reduce((sum, entry) => sum + JSON.stringify(entry).length, 0) / size;

const replica = new Map(workspaces.getByProjectId(PROJECT).map((entry) => [entry.workspaceId, entry]));
workspaces.on(SNAPSHOT_CHANGED, ({ workspaceId, entry }) => void replica.set(workspaceId, entry));

let at = 0;
const next = () => {
  at += 1;
  // Steps of a prime: every key in turn, and each key gets every change.
  return workspaces.upsert(idOf((at * 7919) % size), CHANGES[Math.floor(at / size + at) % CHANGES.length]);
};
for (let warm = 0; warm < Math.min(upserts, 3_000); warm += 1) await next();

const took = new Float64Array(upserts);
const started = performance.now();
for (let done = 0; done < upserts; done += 1) {
  const from = performance.now();
  await next();
  took[done] = performance.now() - from;
}
const oneByOneMs = performance.now() - started;

const burstStarted = performance.now();
for (let done = 0; done < upserts; done += 16) await Promise.all(Array.from({ length: 16 }, next));
const burstMs = performance.now() - burstStarted;

const stored = workspaces.getByProjectId(PROJECT);
const same =
  stored.length === replica.size && stored.every((entry) => replica.get(entry.workspaceId) === entry);
const changed = stored.filter(({ version }) => version > size).length;
took.sort();
console.log(
  JSON.stringify({
    entries: size,
    upserts,
    same: same && changed > 0,
    perSecond: upserts / (oneByOneMs / 1_000),
    perSecondInBursts: (Math.ceil(upserts / 16) * 16) / (burstMs / 1_000),
    p50Us: took[Math.floor(upserts * 0.5)] * 1_000,
    p99Us: took[Math.floor(upserts * 0.99)] * 1_000,
    heapPerEntry,
    jsonPerEntry,
  }),
);
await live.stop();
