/** From bytes to messages: the HTTP head, WebSocket frames, server-sent events in chunks, or a length and so many bytes. */
import { live, lost, putFrame, subscribe } from "./connections.mjs";
import { noteError } from "./counters.mjs";
import { protocol } from "./options.mjs";
import { onEvent, onMessage } from "./protocols.mjs";

function takeHttpHead(c, data) {
  const blank = data.indexOf("\r\n\r\n");
  if (blank < 0) return 0;
  if (data.toString("latin1", 0, 12) !== (protocol === "sse" ? "HTTP/1.1 200" : "HTTP/1.1 101")) {
    noteError(data);
    lost(c, "refused");
    return data.length;
  }
  c.state = "open";
  c.subscription = "asked";
  if (protocol === "trpc") subscribe(c);
  if (protocol === "graphql-ws") putFrame(c, 1, '{"type":"connection_init"}');
  if (protocol === "ws") live(c);
  return blank + 4;
}

function takeWebSocket(c, data) {
  let at = 0;
  while (data.length - at >= 2 && c.state === "open") {
    const opcode = data[at] & 15;
    let length = data[at + 1] & 127;
    let head = 2;
    if (length === 126) {
      if (data.length - at < 4) break;
      length = data.readUInt16BE(at + 2);
      head = 4;
    } else if (length === 127) {
      if (data.length - at < 10) break;
      length = Number(data.readBigUInt64BE(at + 2));
      head = 10;
    }
    if (data.length - at < head + length) break;
    const payload = data.subarray(at + head, at + head + length);
    const last = (data[at] & 128) !== 0;
    at += head + length;
    if (opcode === 9) putFrame(c, 10, payload);
    else if (opcode === 8) lost(c, length >= 2 ? payload.readUInt16BE(0) : 1005);
    else if (opcode <= 2) {
      if (last && c.text.length === 0) onMessage(c, payload);
      else {
        c.text.push(Buffer.from(payload));
        if (last) onMessage(c, Buffer.concat(c.text.splice(0)));
      }
    }
  }
  return c.state === "open" ? at : data.length;
}

function takeNet(c, data) {
  let at = 0;
  while (data.length - at >= 4) {
    const length = data.readUInt32LE(at);
    if (data.length - at < 4 + length) break;
    onMessage(c, data.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return at;
}

function takeSse(c, data) {
  let at = 0;
  while (at < data.length) {
    if (c.chunkLeft === 0) {
      const line = data.indexOf("\r\n", at);
      if (line < 0) break;
      c.chunkLeft = Number.parseInt(data.toString("latin1", at, line), 16) + 2;
      if (c.chunkLeft === 2) {
        lost(c, "the response ended");
        return data.length;
      }
      at = line + 2;
      continue;
    }
    const take = Math.min(c.chunkLeft, data.length - at);
    const lineEnd = Math.max(0, 2 - (c.chunkLeft - take));
    if (take > lineEnd) c.text.push(data.toString("latin1", at, at + take - lineEnd));
    c.chunkLeft -= take;
    at += take;
  }
  const events = c.text.join("").split("\n\n");
  c.text = [events.pop()];
  for (const event of events) if (event !== "") onEvent(c, event);
  return at;
}

/** @returns how many bytes were taken: what is not whole yet comes again */
export function take(c, data) {
  let at = 0;
  if (c.state === "upgrading") {
    at = takeHttpHead(c, data);
    if (at === 0 || c.state !== "open") return at;
  }
  const rest = data.subarray(at);
  if (protocol === "net") return at + takeNet(c, rest);
  return at + (protocol === "sse" ? takeSse(c, rest) : takeWebSocket(c, rest));
}
