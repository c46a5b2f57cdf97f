/**
 * load/fleet.mjs: many clients in one process that know the addresses of all nodes, keep their positions, and go on at the
 * next node when theirs is gone: at once, then every 100 ms. They speak tRPC's wire by hand and read marks, not JSON.
 *
 * In:       commands over the process's channel, see the bottom.
 * Out:      what they received; whether all are fresh; whether each holds what the store holds.
 */
import WebSocket from "ws";
import { Histogram } from "./node/histogram.mjs";

const AGAIN_MS = 100;
const LOOK_MS = 2;

const nowUs = () => Number(process.hrtime.bigint() / 1_000n);
let urls = [];
let clients = [];
let keys = 0;
/** The node that is written to: what its own clients see is counted apart. */
let home = 0;
let counts = emptyCounts();

function emptyCounts() {
  return {
    deltas: 0,
    fulls: {},
    resumed: 0,
    regressions: 0,
    closes: {},
    errors: 0,
    firstError: "",
    toldStale: 0,
    caughtUp: { clients: 0, deltas: 0, keys: 0 },
    awayUs: [],
    lag: { here: new Histogram(), elsewhere: new Histogram() },
  };
}

const count = (record, name) => {
  record[name] = (record[name] ?? 0) + 1;
};

class Client {
  #ws;
  /** Sockets whose place another one takes: ended when that one is open. */
  #earlier = [];
  #closed = false;
  #at;
  #position = "";
  #sequence = 0;
  #awaySinceUs;
  #until = 0;
  #caught = new Set();
  /** The version of each key; 0: unknown. */
  versions = new Float64Array(keys);
  /** The newest change that it has seen, as its writer counts them. */
  newest = 0;
  isLive = false;
  isStale = false;

  constructor(at) {
    this.#at = at;
    this.#connect();
  }

  get at() {
    return this.#at;
  }

  #connect() {
    const ws = new WebSocket(`${urls[this.#at].replace("http", "ws")}/trpc`, { perMessageDeflate: false });
    if (this.#ws) this.#earlier.push(this.#ws);
    this.#ws = ws;
    let wasOpen = false;
    ws.on("error", () => undefined);
    ws.on("open", () => {
      wasOpen = true;
      for (const one of this.#earlier.splice(0)) one.terminate();
      const params = { path: "snapshots.onProject", input: { json: { projectId: "bench" } } };
      if (this.#position !== "") params.lastEventId = this.#position;
      ws.send(JSON.stringify({ id: 1, method: "subscription", params }));
    });
    ws.on("message", (data) => {
      if (ws === this.#ws) this.#onMessage(data);
    });
    ws.on("close", (code) => {
      if (ws !== this.#ws || this.#closed) return;
      count(counts.closes, code);
      this.isLive = false;
      this.#awaySinceUs ??= nowUs();
      this.#at = (this.#at + 1) % urls.length;
      if (wasOpen) this.#connect();
      else setTimeout(() => ws === this.#ws && this.#connect(), AGAIN_MS);
    });
  }

  /** Goes on at another node; the old socket is ended when the new one is open. */
  moveTo(at) {
    if (at === this.#at && this.isLive) return;
    this.#at = at;
    this.isLive = false;
    this.#awaySinceUs ??= nowUs();
    this.#connect();
  }

  #onMessage(data) {
    const text = data.latin1Slice(0, Math.min(data.length, 400));
    const kind = /"type":"snapshot_([a-z]+)"/.exec(text)?.[1];
    if (kind === undefined) return this.#onOther(text);
    const position = /"id":"([^"]+)"/.exec(text)?.[1] ?? "";
    const sequence = Number(position.split(".")[1]);
    if (kind === "full") this.#onFull(data);
    else if (kind === "changed") this.#onChanged(data, sequence);
    else if (kind === "resumed") {
      counts.resumed += 1;
      this.#until = Number(/"until":"[^".]*\.(\d+)/.exec(text)?.[1]);
      this.#caught.clear();
      this.#begun();
      counts.caughtUp.clients += 1;
    } else if (kind === "status") {
      this.isStale = text.includes('"fresh":false');
      if (this.isStale) counts.toldStale += 1;
    } else if (kind === "ended") this.#failed(text);
    this.#position = position;
    this.#sequence = kind === "full" ? sequence : Math.max(sequence, this.#sequence);
  }

  #begun() {
    this.isLive = true;
    this.isStale = false;
    if (this.#awaySinceUs !== undefined) counts.awayUs.push(nowUs() - this.#awaySinceUs);
    this.#awaySinceUs = undefined;
  }

  #onChanged(data, sequence) {
    if (sequence <= this.#sequence) counts.regressions += 1;
    counts.deltas += 1;
    const at = data.indexOf("@@");
    const [key, n, us] = data
      .latin1Slice(at + 2, data.indexOf("@@", at + 2))
      .split(",")
      .map(Number);
    if (!(key < keys)) return;
    this.versions[key] = sequence;
    if (n > this.newest) this.newest = n;
    if (sequence <= this.#until) {
      counts.caughtUp.deltas += 1;
      if (!this.#caught.has(key)) counts.caughtUp.keys += 1;
      this.#caught.add(key);
    } else counts.lag[this.#at === home ? "here" : "elsewhere"].add(nowUs() - us);
  }

  #onFull(data) {
    const frame = JSON.parse(String(data)).result.data.json.data;
    count(counts.fulls, frame.reason);
    this.versions.fill(0);
    for (const { workspaceId, version, name } of frame.entries) {
      this.versions[keyOf(workspaceId)] = version;
      this.newest = Math.max(this.newest, Number(name.split(",")[1]));
    }
    this.#begun();
  }

  #onOther(text) {
    if (text.includes('"method":"reconnect"')) return this.moveTo((this.#at + 1) % urls.length);
    if (text.includes('"error":') || text.includes('"type":"stopped"')) this.#failed(text);
  }

  #failed(text) {
    counts.errors += 1;
    counts.firstError ||= text.slice(0, 300);
  }

  close() {
    this.#closed = true;
    for (const one of [...this.#earlier, this.#ws]) one.terminate();
  }
}

const keyOf = (workspaceId) => Number(workspaceId.slice(workspaceId.indexOf("/") + 1));

/** @returns when it came true, on the clock that all processes share */
async function until(fact, what, seconds = 90) {
  const end = performance.now() + seconds * 1_000;
  while (!fact()) {
    if (performance.now() > end) throw new Error(`not within ${seconds} s: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return nowUs();
}

const percentilesOf = (lag) => ({
  count: lag.count,
  p50Us: lag.percentile(0.5),
  p99Us: lag.percentile(0.99),
});
const number = (test) => clients.filter(test).length;
const allLive = () =>
  until(
    () => clients.every(({ isLive }) => isLive),
    () => `everybody is subscribed; ${number(({ isLive }) => !isLive)} are not. ${counts.firstError}`,
  );

const commands = {
  async open({ urls: given, clients: wanted, keys: size }) {
    urls = given;
    keys = size;
    counts = emptyCounts();
    clients = Array.from({ length: wanted }, (_, index) => new Client(index % urls.length));
    await allLive();
    return { fulls: counts.fulls };
  },
  /** As many at each node as at any other; all of them know the change `n`. */
  async spread({ n }) {
    clients.forEach((client, index) => {
      client.moveTo(index % urls.length);
    });
    await allLive();
    await commands.fresh({ n });
    return { perNode: urls.map((_, at) => number((client) => client.at === at)) };
  },
  reset({ home: at }) {
    home = at;
    counts = emptyCounts();
    return {};
  },
  /** Until everybody has seen the change `n` or a newer one, and is not told that what it sees may be old. */
  async fresh({ n }) {
    const isFresh = ({ isLive, isStale, newest }) => isLive && !isStale && newest >= n;
    const atUs = await until(
      () => clients.every(isFresh),
      () =>
        `everybody is fresh; of ${clients.length}, ${number(({ isLive }) => !isLive)} are not subscribed, ` +
        `${number(({ isStale }) => isStale)} are told that it is stale, ` +
        `${number(({ newest }) => newest < n)} have not seen change ${n}. ${counts.firstError}`,
    );
    return { atUs };
  },
  report() {
    const { lag, awayUs, ...rest } = counts;
    const sorted = awayUs.sort((a, b) => a - b);
    return {
      ...rest,
      clients: clients.length,
      away: {
        count: sorted.length,
        p50Us: sorted[Math.floor(sorted.length / 2)] ?? 0,
        maxUs: sorted.at(-1) ?? 0,
      },
      lag: { here: percentilesOf(lag.here), elsewhere: percentilesOf(lag.elsewhere) },
    };
  },
  /** @returns how many clients hold something else than `[key, version]`, after all have had the time to hear of it */
  async compare({ entries, seconds }) {
    const wanted = new Float64Array(keys);
    for (const [workspaceId, version] of entries) wanted[keyOf(workspaceId)] = version;
    const differs = ({ versions }) => versions.findIndex((version, key) => version !== wanted[key]);
    const end = performance.now() + seconds * 1_000;
    for (;;) {
      const differing = clients.filter((client) => differs(client) >= 0);
      const [one] = differing;
      if (!one) return { differing: 0 };
      if (performance.now() > end) {
        const key = differs(one);
        const example = `key ${key} at ${one.versions[key]} instead of ${wanted[key]}`;
        return { differing: differing.length, example };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  },
  close() {
    for (const client of clients) client.close();
    clients = [];
    return {};
  },
};

process.on("message", async ({ id, command, input }) => {
  try {
    process.send({ id, result: await commands[command](input) });
  } catch (error) {
    process.send({ id, error: error.message });
  }
});
process.on("disconnect", () => process.exit(0));
process.send({ ready: true });
