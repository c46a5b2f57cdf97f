/** The connections of the load client: what each is, and how it says hello and goodbye. */
import { counters } from "./counters.mjs";
import { options, protocol } from "./options.mjs";

export const all = Array.from({ length: options.connections }, (_, index) => ({
  index,
  scope: index % options.scopes,
  socket: undefined,
  state: "closed", // closed, connecting, upgrading, open
  subscription: "none", // none, asked, live, stopping
  slow: Math.floor((index + 1) * options.stalled + 1e-9) > Math.floor(index * options.stalled + 1e-9),
  stalled: false,
  counted: false,
  opening: false,
  failed: false,
  requestId: 0,
  newest: 0,
  newestOf: new Uint32Array(options.keys),
  rest: undefined,
  text: [],
  chunkLeft: 0,
  position: "",
}));
let opening = 0;
let lastDistinctId = 0;
let resumeKind = "valid";

/** What a connection that comes back says of its position: `valid`, `foreign` or `none`. */
export function resumeAs(kind) {
  resumeKind = kind;
}

/** How many have been asked for, and neither subscribed nor failed yet. */
export const openingNow = () => opening;

export function beginOpening(c) {
  if (!c.opening) opening += 1;
  c.opening = true;
  c.failed = false;
}

function endOpening(c, failed) {
  if (!c.opening) return;
  opening -= 1;
  c.opening = false;
  c.failed = failed;
}

export function closeNow(c) {
  endOpening(c, false);
  const { socket } = c;
  c.socket = undefined;
  if (socket?.connecting) socket.destroy();
  else socket?.resetAndDestroy();
  Object.assign(c, {
    state: "closed",
    subscription: "none",
    stalled: false,
    counted: false,
    rest: undefined,
    text: [],
    chunkLeft: 0,
  });
}

export function lost(c, why) {
  counters.closed += 1;
  counters.firstError ||= `connection lost: ${why}`;
  endOpening(c, true);
  closeNow(c);
}

const MASK = Buffer.from([0x37, 0x1a, 0x5b, 0x2e]);

export function putFrame(c, opcode, payload) {
  const body = Buffer.from(payload);
  const head =
    body.length < 126
      ? [0x80 | opcode, 0x80 | body.length]
      : [0x80 | opcode, 0x80 | 126, body.length >> 8, body.length & 255];
  for (let at = 0; at < body.length; at += 1) body[at] ^= MASK[at % 4];
  c.socket.write(Buffer.concat([Buffer.from(head), MASK, body]));
}

export function positionToSay(c) {
  if (c.position === "" || resumeKind === "none") return "";
  return resumeKind === "foreign" ? `AAAAAAAAAAAA${c.position.slice(12)}` : c.position;
}

function nextId(c) {
  if (options.ids === "same") return 1;
  if (options.ids === "distinct") {
    lastDistinctId += 1;
    return lastDistinctId;
  }
  return c.requestId + 1;
}

export const inputOf = (c) => ({ json: { projectId: `bench-${c.scope}` } });

export function subscribe(c) {
  c.subscription = "asked";
  c.requestId = nextId(c);
  if (protocol === "graphql-ws") {
    const payload = { query: "subscription { change }" };
    putFrame(c, 1, JSON.stringify({ id: String(c.requestId), type: "subscribe", payload }));
    live(c);
    return;
  }
  const position = positionToSay(c);
  const params = {
    path: options.procedure,
    input: inputOf(c),
    ...(position === "" ? {} : { lastEventId: position }),
  };
  putFrame(c, 1, JSON.stringify({ id: c.requestId, method: "subscription", params }));
}

export function live(c) {
  if (c.subscription === "live") return;
  c.subscription = "live";
  endOpening(c, false);
}
