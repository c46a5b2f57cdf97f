/**
 * load/client.mjs: the load client where there is no C++ compiler. The same options, commands and answers as client.cpp,
 * which says what they mean; one core of it takes in a good deal less, so it may itself be what is measured.
 */
import { createInterface } from "node:readline";
import { digestOf } from "../lib/digest.mjs";
import {
  all,
  beginOpening,
  closeNow,
  positionToSay,
  putFrame,
  resumeAs,
  subscribe,
} from "./node/connections.mjs";
import { counters, resetCounters } from "./node/counters.mjs";
import { open, openAll, openMore, whenWorked } from "./node/opening.mjs";
import { nowUs, protocol } from "./node/options.mjs";
import { recount, sendAck, stopAcking } from "./node/progress.mjs";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

let waiting; // the command that is not answered yet: { name, since, subscribedAt, target }

function answer(fields = {}) {
  say({ reply: waiting.name, ...fields });
  waiting = undefined;
}

function summary() {
  const digests = new Map();
  for (const c of all) {
    const digest = digestOf(c.newestOf.entries());
    const known = digests.get(`${c.scope} ${digest}`);
    digests.set(`${c.scope} ${digest}`, {
      scope: c.scope,
      digest,
      count: (known?.count ?? 0) + 1,
      example: c.index,
    });
  }
  const number = (test) => all.filter(test).length;
  const { lag, sinceUs, cpu, ...counts } = counters;
  const { user, system } = process.cpuUsage(cpu);
  return {
    connections: all.length,
    open: number(({ state }) => state === "open"),
    subscribed: number(({ subscription }) => subscription === "live"),
    stalled: number(({ stalled }) => stalled),
    failed: number(({ failed }) => failed),
    ...counts,
    wallUs: nowUs() - sinceUs,
    cpuUs: user + system,
    lagUs: {
      count: lag.count,
      p50: lag.percentile(0.5),
      p90: lag.percentile(0.9),
      p99: lag.percentile(0.99),
      p999: lag.percentile(0.999),
      max: lag.max,
    },
    digests: [...digests.values()],
  };
}

function setStalled(c, stalled) {
  if (c.state !== "open" || c.stalled === stalled) return;
  c.stalled = stalled;
  if (stalled) c.socket.pause();
  else c.socket.resume();
}

function answerWhenDone() {
  if (!waiting || waiting.target === undefined) return;
  if (all.some(({ subscription, failed }) => subscription !== "live" && !failed)) {
    if (waiting.name !== "calm") return;
    for (const c of all) {
      if (c.state === "open" && c.subscription === "none") {
        beginOpening(c);
        subscribe(c);
      }
      if (c.state === "closed" && !c.opening && !c.failed) open(c);
    }
    return;
  }
  waiting.subscribedAt ??= nowUs();
  if (all.some(({ newest, failed }) => newest < waiting.target && !failed)) return;
  recount(all);
  const { since, subscribedAt } = waiting;
  answer({ subscribedUs: subscribedAt - since, doneUs: nowUs() - since, ...summary() });
}

whenWorked(afterWork);
let scheduled = false;
/** Once per turn, after whatever arrived in it. */
function afterWork() {
  if (scheduled) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    openMore();
    answerWhenDone();
    sendAck();
  });
}

let churnTimer;
let seed = 1;

/** mulberry32 */
function roll() {
  seed = (seed + 0x6d2b79f5) | 0;
  let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
}

function churnOnce() {
  const c = all[Math.floor(roll() * all.length)];
  if (c.opening || c.subscription === "stopping") return;
  if (c.stalled) return setStalled(c, false);
  const how = roll();
  if (c.state === "closed" || c.subscription === "none") {
    resumeAs(how < 0.7 ? "valid" : how < 0.85 ? "none" : "foreign");
    if (positionToSay(c) === "") c.position = "";
    counters.resumes += 1;
    if (c.state === "closed") return open(c);
    beginOpening(c);
    return subscribe(c);
  }
  if (how < 0.35) {
    counters.stalls += 1;
    setStalled(c, true);
  } else if (how < 0.65 && protocol === "trpc") {
    counters.stops += 1;
    c.subscription = "stopping";
    putFrame(c, 1, JSON.stringify({ id: c.requestId, method: "subscription.stop" }));
  } else {
    counters.drops += 1;
    closeNow(c);
  }
}

function openAndAnswer(name, target = 0) {
  waiting = { name, since: nowUs(), target };
  openAll();
}

const commands = {
  connect() {
    resumeAs("valid");
    openAndAnswer("connect");
  },
  calm() {
    clearInterval(churnTimer);
    resumeAs("valid");
    for (const c of all) setStalled(c, false);
    const look = setInterval(() => (waiting?.name === "calm" ? afterWork() : clearInterval(look)), 20);
    openAndAnswer("calm");
  },
  drop() {
    for (const c of all) closeNow(c);
    recount(all);
    answer();
  },
  resume(kind, target = "0") {
    resumeAs(kind);
    resetCounters();
    if (kind !== "valid") {
      for (const c of all) {
        c.newestOf.fill(0);
        c.newest = 0;
      }
    }
    openAndAnswer("resume", Number(target));
  },
  reset() {
    resetCounters();
    answer();
  },
  report: () => answer(summary()),
  stall() {
    for (const c of all) if (c.slow) setStalled(c, true);
    recount(all);
    answer();
  },
  release() {
    for (const c of all) if (c.slow) setStalled(c, false);
    recount(all);
    answer();
  },
  churn(perSecond, from) {
    seed = Number(from);
    stopAcking();
    clearInterval(churnTimer);
    let due = nowUs();
    churnTimer = setInterval(() => {
      for (; due <= nowUs(); due += 1e6 / Number(perSecond)) churnOnce();
    }, 5);
    answer();
  },
  dump(index) {
    const { scope, position, newestOf } = all[Number(index)];
    answer({ scope, position, keys: Object.fromEntries([...newestOf.entries()].filter(([, n]) => n > 0)) });
  },
  quit() {
    for (const c of all) closeNow(c);
    process.exit(0);
  },
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [name, ...words] = line.split(" ");
    waiting = { name, since: nowUs() };
    commands[name](...words);
  })
  .on("close", () => process.exit(0));
