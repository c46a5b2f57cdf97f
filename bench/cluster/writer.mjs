/**
 * Somebody who writes: at a steady rate, over one socket, each change until it is acknowledged.
 *
 * In:       the addresses of all nodes; a rate, over how many keys.
 * Out:      when each change was asked for and acknowledged. Each carries a mark, `@@key,n,us@@`, in its name.
 * Promise:  one change of a key is under way at a time, so the last acknowledged one of a key is what the store must hold.
 */
import WebSocket from "ws";
import { PROJECT } from "./nodes.mjs";

const AGAIN_MS = 50;
const MAX_UNDER_WAY = 512;

export const nowUs = () => Number(process.hrtime.bigint() / 1_000n);
export const workspaceOf = (key) => `${PROJECT}/${key}`;

export class Writer {
  #urls;
  #at;
  #ws;
  #patch;
  #last = 0;
  #closed = false;
  #underWay = new Map(); // n -> { key, patch, askedUs }
  #busyKeys = new Set();
  #listeners = new Set();
  #timer;
  /** The newest acknowledged change of each key. */
  newest = new Map();
  acknowledged = 0;
  /** Answers that were errors, by what they said: asked again each time. */
  refusals = new Map();

  /** @param patch  what a workspace is made of; `at` is the node to begin with */
  constructor(urls, patch, at = 0) {
    this.#urls = urls;
    this.#patch = patch;
    this.#at = at;
    this.#connect();
  }

  /** The node that is written to now. */
  get at() {
    return this.#at;
  }

  /** What was asked for last, by its number. */
  get last() {
    return this.#last;
  }

  /** Goes on at that node; nothing must be under way. */
  moveTo(at) {
    this.#ws?.terminate();
    this.#ws = undefined;
    this.#at = at;
    this.#connect();
  }

  #connect() {
    const ws = new WebSocket(`${this.#urls[this.#at].replace("http", "ws")}/trpc`);
    this.#ws = ws;
    const lost = () => {
      if (ws !== this.#ws || this.#closed) return;
      this.#ws = undefined;
      this.#at = (this.#at + 1) % this.#urls.length;
      setTimeout(() => this.#closed || this.#connect(), AGAIN_MS);
    };
    ws.on("error", () => undefined);
    ws.on("close", lost);
    ws.on("open", () => {
      for (const n of this.#underWay.keys()) this.#send(n);
    });
    ws.on("message", (raw) => this.#onMessage(ws, JSON.parse(String(raw))));
  }

  #onMessage(ws, { id, result, error, method }) {
    if (method === "reconnect") return void ws.close();
    const change = this.#underWay.get(id);
    if (!change) return;
    if (error) {
      const said = String(error.json?.message ?? error.message);
      this.refusals.set(said, (this.refusals.get(said) ?? 0) + 1);
      return void setTimeout(() => this.#send(id), AGAIN_MS);
    }
    if (result?.type !== "data") return;
    this.#underWay.delete(id);
    this.#busyKeys.delete(change.key);
    this.newest.set(change.key, change.patch.name);
    this.acknowledged += 1;
    for (const listen of this.#listeners) listen({ n: id, askedUs: change.askedUs, ackedUs: nowUs() });
  }

  #send(n) {
    const change = this.#underWay.get(n);
    if (!change || this.#ws?.readyState !== WebSocket.OPEN) return;
    const input = { json: { workspaceId: workspaceOf(change.key), projectId: PROJECT, ...change.patch } };
    this.#ws.send(JSON.stringify({ id: n, method: "mutation", params: { path: "snapshots.upsert", input } }));
  }

  /** @returns false while a change of that key is under way */
  #write(key, patch = {}) {
    if (this.#busyKeys.has(key)) return false;
    this.#last += 1;
    const askedUs = nowUs();
    this.#busyKeys.add(key);
    const name = `@@${key},${this.#last},${askedUs}@@`;
    this.#underWay.set(this.#last, { key, askedUs, patch: { ...patch, name } });
    this.#send(this.#last);
    return true;
  }

  /** Makes the keys from `first` on, as fast as it goes. */
  async fill(first, end) {
    for (let key = first; key < end; key += 1) {
      while (this.#underWay.size >= 256) await turn();
      this.#write(key, this.#patch);
    }
    await this.settled();
  }

  /** From now on, `perSecond` over the first `keys`; what could not be offered in its time is left out. */
  begin(perSecond, keys) {
    let next = 0;
    let offered = 0;
    const started = performance.now();
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - started) * perSecond) / 1_000);
      for (; offered < due; offered += 1) {
        if (this.#underWay.size >= MAX_UNDER_WAY) continue;
        for (let tried = 0; tried < keys; tried += 1) {
          next = (next + 1) % keys;
          if (this.#write(next)) break;
        }
      }
    }, 1);
  }

  /** Offers no more, and waits until all that was asked for is acknowledged. */
  async pause() {
    clearInterval(this.#timer);
    await this.settled();
  }

  async settled() {
    for (const end = Date.now() + 60_000; this.#underWay.size > 0; await turn())
      if (Date.now() > end)
        throw new Error(`${this.#underWay.size} changes are not acknowledged in a minute`);
  }

  /** @param listen  told of each acknowledgement: `{ n, askedUs, ackedUs }` @returns how to listen no more */
  onAcknowledged(listen) {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }

  close() {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#ws?.terminate();
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
