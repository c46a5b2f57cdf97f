/**
 * The publisher: offers changes to one server, inside its process.
 *
 * In:       what to offer, and how fast; on a Unix socket, from the load client, the number of the newest change that
 *           every healthy subscriber has seen.
 * Out:      calls of the server's `publish`; how many changes, in what time, for how much CPU.
 * Promise:  a measured stretch ends when every healthy subscriber has seen its last change, and both the clock and the
 *           CPU counter run until then: no server looks fast by leaving work behind.
 * Not here: what a subscriber saw (load), what the numbers mean (claims).
 */
import { createServer } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { markOf, nowUs } from "./change.mjs";

const ALL_SEEN_WITHIN_MS = 60_000;

export class Publisher {
  /** key -> n: what a server without a store of its own has told. */
  newestOf = new Map();
  n = 0;
  #server;
  #keys;
  #seen = 0;
  #seenTurn;
  #acks;

  constructor(server, keys) {
    this.#server = server;
    this.#keys = keys;
  }

  async listen(path) {
    this.#acks = createServer((socket) => {
      socket.on("data", (words) => {
        this.#seen = Math.max(this.#seen, words.readUInt32LE(words.length - 4));
        this.#seenTurn?.();
      });
      socket.on("error", () => undefined);
    });
    await new Promise((resolve) => this.#acks.listen(path, resolve));
  }

  /** The next `size` changes, to as many different keys. */
  #next(size, padded = false) {
    return Array.from({ length: size }, () => {
      this.n += 1;
      const key = this.n % this.#keys;
      this.newestOf.set(key, this.n);
      return { key, n: this.n, mark: markOf(key, this.n), padded };
    });
  }

  async #someSeen(deadline) {
    const seen = this.#seen;
    await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new Error(`only ${seen} of ${this.n} changes were seen by every subscriber in ${deadline} ms`),
          ),
        deadline,
      );
      this.#seenTurn = () => {
        clearTimeout(timer);
        this.#seenTurn = undefined;
        resolve();
      };
    });
  }

  async #allSeen() {
    while (this.#seen < this.n) await this.#someSeen(ALL_SEEN_WITHIN_MS);
  }

  /** Publishes `turns` turns, or for `ms`, with at most `window` turns not yet seen by all. */
  async saturate({
    ms = Number.POSITIVE_INFINITY,
    turns = Number.POSITIVE_INFINITY,
    perTurn,
    window,
    padded,
  }) {
    const from = this.n;
    const started = start();
    // The window grows by one with each turn that arrived: who takes seconds per turn is not buried at once.
    const open = () => perTurn * Math.min(window, 1 + Math.floor((this.#seen - from) / perTurn));
    await nextTurn();
    for (let turn = 0; turn < turns && nowUs() < started.at + ms * 1_000; turn += 1) {
      while (this.n + perTurn - Math.max(this.#seen, from) > Math.max(perTurn, open())) {
        await this.#someSeen(ALL_SEEN_WITHIN_MS);
      }
      await this.#server.publish(this.#next(perTurn, padded));
      await nextTurn();
    }
    await this.#allSeen();
    return { ...elapsed(started), changes: this.n - from, n: this.n };
  }

  /** Publishes by the clock, whether or not anybody keeps up. */
  async steady({ ms, perSecond, perTurn = 1 }) {
    const from = this.n;
    const started = start();
    const total = Math.round((ms / 1_000) * perSecond);
    for (let turn = 0; turn < total; turn += 1) {
      const due = started.at + (turn * 1e6) / perSecond;
      const wait = (due - nowUs()) / 1_000;
      if (wait >= 1) await sleep(wait);
      await this.#server.publish(this.#next(perTurn));
    }
    await this.#allSeen();
    return { ...elapsed(started), changes: this.n - from, n: this.n };
  }

  /** To nobody, before anybody is there: what prepares a change is compiled then, and nobody ever hears of these. */
  async warm({ changes }) {
    for (let done = 0; done < changes; done += 1) {
      this.n += 1;
      await this.#server.publish([{ key: 0, n: this.n, mark: markOf(0, this.n) }]);
    }
    this.newestOf.clear();
  }

  /** To the first `keys` keys, `times` each, without asking whether anybody saw it. `padded`: with 4 KB more. */
  async touch({ keys, times, padded }) {
    for (let round = 0; round < times; round += 1) {
      for (let key = 0; key < keys; key += 1) {
        this.n += 1;
        this.newestOf.set(key, this.n);
        await this.#server.publish([{ key, n: this.n, mark: markOf(key, this.n), padded }]);
      }
    }
    return { n: this.n };
  }

  #stopRoaming;

  /** For a soak: random keys by the clock, some of them removed and later made again, until `rest`. */
  async roam({ perSecond, removals }) {
    let stopped = false;
    const done = (async () => {
      const startedAt = nowUs();
      for (let turn = 0; !stopped; turn += 1) {
        const wait = (startedAt + (turn * 1e6) / perSecond - nowUs()) / 1_000;
        if (wait >= 1) await sleep(wait);
        const key = Math.floor(Math.random() * this.#keys);
        this.n += 1;
        if (Math.random() < removals) await this.#server.remove(key);
        else await this.#server.publish([{ key, n: this.n, mark: markOf(key, this.n) }]);
      }
    })();
    this.#stopRoaming = async () => {
      stopped = true;
      await done;
    };
  }

  async rest() {
    await this.#stopRoaming?.();
    this.#stopRoaming = undefined;
    return { n: this.n };
  }

  close() {
    this.#acks?.close();
  }
}

function start() {
  return { at: nowUs(), cpu: process.cpuUsage() };
}

function elapsed({ at, cpu }) {
  const { user, system } = process.cpuUsage(cpu);
  return { wallUs: nowUs() - at, cpuUs: user + system };
}
