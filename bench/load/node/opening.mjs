/** Opens connections, and reads what arrives on them. */
import { connect as connectTo } from "node:net";
import { take } from "./bytes.mjs";
import { all, beginOpening, inputOf, live, lost, openingNow, positionToSay } from "./connections.mjs";
import { counters } from "./counters.mjs";
import { options, protocol } from "./options.mjs";

const toOpen = [];
let afterWork = () => undefined;

/** Called after whatever arrived. */
export function whenWorked(listener) {
  afterWork = listener;
}

export function openAll() {
  for (const c of all) if (c.state === "closed") toOpen.push(c.index);
  afterWork();
}

function onReadable(c, socket, bytes) {
  if (c.socket !== socket) return;
  counters.bytes += bytes.length;
  counters.reads += 1;
  const data = c.rest ? Buffer.concat([c.rest, bytes]) : bytes;
  const taken = take(c, data);
  if (c.socket === socket) c.rest = taken < data.length ? Buffer.from(data.subarray(taken)) : undefined;
  afterWork();
}

function onConnected(c, socket) {
  if (protocol === "net") {
    c.state = "open";
    live(c);
    return afterWork();
  }
  c.state = "upgrading";
  const position = positionToSay(c);
  const input = encodeURIComponent(JSON.stringify(inputOf(c)));
  const lines =
    protocol === "sse"
      ? [
          `GET ${options.path}/${options.procedure}?input=${input} HTTP/1.1`,
          "Accept: text/event-stream",
          ...(position === "" ? [] : [`Last-Event-ID: ${position}`]),
        ]
      : [
          `GET ${options.path} HTTP/1.1`,
          "Connection: Upgrade",
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
          ...(protocol === "graphql-ws" ? ["Sec-WebSocket-Protocol: graphql-transport-ws"] : []),
        ];
  socket.write(`${[...lines, `Host: ${options.host}:${options.port}`].join("\r\n")}\r\n\r\n`);
}

export function open(c) {
  if (options.ids === "counting" && c.position === "") c.requestId = 0;
  c.state = "connecting";
  beginOpening(c);
  const socket = connectTo({ host: options.host, port: options.port, noDelay: true });
  c.socket = socket;
  socket.on("connect", () => c.socket === socket && onConnected(c, socket));
  socket.on("data", (bytes) => onReadable(c, socket, bytes));
  socket.on("error", () => undefined);
  socket.on("close", () => {
    if (c.socket === socket) lost(c, "ended by the server");
    afterWork();
  });
}

/** As many at once as the server can be expected to take. */
export function openMore() {
  while (toOpen.length > 0 && openingNow() < options.concurrency) {
    const c = all[toOpen.shift()];
    if (c.state === "closed") open(c);
  }
}
