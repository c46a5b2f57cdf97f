/** What a message means in each protocol. */
import { live, putFrame, subscribe } from "./connections.mjs";
import { counters, noteError } from "./counters.mjs";
import { protocol } from "./options.mjs";
import { onData } from "./replica.mjs";

function onTrpc(c, data) {
  if (data.length === 4 && data.toString("latin1") === "PING") return putFrame(c, 1, "PONG");
  const [, type] = /"type":"(\w+)"/.exec(data.toString("latin1", 0, 160)) ?? [];
  if (type === "data") return onData(c, data);
  if (type === "started") return live(c);
  if (type === "stopped") {
    c.subscription = "none";
    return;
  }
  noteError(data);
}

function onGraphql(c, data) {
  const [, type] = /"type":"(\w+)"/.exec(data.toString("latin1", 0, 120)) ?? [];
  if (type === "next") return onData(c, data);
  if (type === "connection_ack") return subscribe(c);
  if (type === "ping") return putFrame(c, 1, '{"type":"pong"}');
  noteError(data);
}

function onSocketIo(c, data) {
  const kind = data.toString("latin1", 0, 2);
  if (kind[0] === "2") return putFrame(c, 1, "3");
  if (kind[0] === "0") {
    c.subscription = "asked";
    return putFrame(c, 1, "40");
  }
  if (kind === "40") return live(c);
  if (kind === "42") return onData(c, data);
  noteError(data);
}

export function onMessage(c, data) {
  counters.messages += 1;
  if (protocol === "trpc") return onTrpc(c, data);
  if (protocol === "graphql-ws") return onGraphql(c, data);
  if (protocol === "socket.io") return onSocketIo(c, data);
  onData(c, data);
}

/** One event of a server-sent stream, without its empty line. */
export function onEvent(c, text) {
  counters.messages += 1;
  const [, event] = /^event: (\w+)/.exec(text) ?? [];
  if (event === "connected") return live(c);
  if (event === "ping") return;
  if (event !== undefined) return noteError(text);
  const [, id] = /^id: (.*)$/m.exec(text) ?? [];
  if (id !== undefined) c.position = id;
  if (text.includes("data:")) onData(c, Buffer.from(text, "latin1"));
}
