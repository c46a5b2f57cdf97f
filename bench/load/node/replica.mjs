/** What a frame changes in the replica of its connection. */
import { counters, noteError } from "./counters.mjs";
import { nowUs, protocol } from "./options.mjs";
import { advance } from "./progress.mjs";

/** The next mark at or after `from`, and where it ends; undefined when there is none. */
function nextMark(data, from) {
  const at = data.indexOf("@@", from);
  if (at < 0) return undefined;
  const end = data.indexOf("@@", at + 2);
  const [key, n, us] = data
    .toString("latin1", at + 2, end)
    .split(",")
    .map(Number);
  return { key, n, us, end: end + 2 };
}

function onFull(c, data) {
  counters.fulls += 1;
  c.newestOf.fill(0);
  for (let mark = nextMark(data, 0); mark; mark = nextMark(data, mark.end)) {
    c.newestOf[mark.key] = mark.n;
    advance(c, mark.n);
  }
}

function onRemoved(c, data) {
  const at = data.indexOf('"workspaceId":"w-') + 17;
  c.newestOf[Number.parseInt(data.toString("latin1", at, at + 12), 10)] = 0;
  counters.removed += 1;
}

/** A frame with a change, a full state, a removal, or news of the stream itself. */
export function onData(c, data) {
  if (protocol === "trpc") {
    const at = data.indexOf('"id":"');
    if (at >= 0) c.position = data.toString("latin1", at + 6, data.indexOf('"', at + 6));
  }
  const head = data.toString("latin1", 0, 300);
  const kind = head.indexOf("snapshot_");
  if (kind >= 0) {
    const word = head.slice(kind + 9, kind + 12);
    if (word === "ful") return onFull(c, data);
    if (word === "rem") return onRemoved(c, data);
    if (word === "res") {
      counters.resumed += 1;
      return;
    }
    if (word !== "cha") return;
  }
  const mark = nextMark(data, 0);
  if (!mark) return noteError(data);
  const { key, n, us } = mark;
  const known = c.newestOf[key];
  if (n < known) counters.regressions += 1;
  if (n === known) counters.duplicates += 1;
  c.newestOf[key] = n;
  counters.deliveries += 1;
  if (!c.slow) counters.lag.add(nowUs() - us);
  advance(c, n);
}
