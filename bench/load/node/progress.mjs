/** "Seen by all": the newest change that every healthy subscriber has seen, told to the publisher. */
import { connect } from "node:net";
import { options } from "./options.mjs";

/** How many of the connections that count have got as far as the nth change. */
let reached = new Map();
let acked = 0;
let ackSent = 0;
let highest = 0;
let counted = 0;
let acking = true;
const ack = options.ack ? connect(options.ack) : undefined;

/** The connection has seen everything up to the nth change. */
export function advance(c, n) {
  if (n > highest) highest = n;
  if (n <= c.newest) return;
  if (c.counted && acking) {
    for (let at = c.newest + 1; at <= n; at += 1) reached.set(at, (reached.get(at) ?? 0) + 1);
  }
  c.newest = n;
}

/** After a change of who counts: all from the start. */
export function recount(all) {
  counted = 0;
  let lowest = Number.POSITIVE_INFINITY;
  for (const c of all) {
    c.counted = c.subscription === "live" && !c.stalled;
    if (!c.counted) continue;
    counted += 1;
    lowest = Math.min(lowest, c.newest);
  }
  acked = counted ? lowest : highest;
  acking = highest - acked < 1 << 19;
  reached = new Map();
  ackSent = 0;
  if (!acking) return;
  for (const c of all) {
    if (!c.counted) continue;
    for (let at = acked + 1; at <= c.newest; at += 1) reached.set(at, (reached.get(at) ?? 0) + 1);
  }
}

export function sendAck() {
  if (!acking || counted === 0 || !ack) return;
  while (acked < highest && (reached.get(acked + 1) ?? 0) >= counted) {
    acked += 1;
    reached.delete(acked);
  }
  if (acked === ackSent || (acked < highest && acked - ackSent < options["ack-step"])) return;
  ackSent = acked;
  const word = Buffer.alloc(4);
  word.writeUInt32LE(acked);
  ack.write(word);
}

/** While who counts changes all the time, there is no "all". */
export function stopAcking() {
  acking = false;
}
