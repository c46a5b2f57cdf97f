/** The ladder as a picture: deliveries per second at 1,000 subscribers, one bar per server and burst, on a log scale. */
import { SERVERS } from "../servers/catalogue.mjs";
import { count } from "./format.mjs";

const ROW = 46;
const LEFT = 250;
const WIDTH = 860;
const BAR = WIDTH - LEFT - 110;
const LOW = 1_000;

const plain = (title) => title.replaceAll("*", "").replaceAll("`", "");
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("'", "&#39;");

/** @returns the picture; undefined when nothing was measured with so many subscribers */
export function drawLadder(rows, subscribers) {
  const of = (server, perTurn) =>
    rows.find((row) => row.server === server && row.perTurn === perTurn && row.subscribers === subscribers)
      ?.deliveriesPerSecond.median;
  const servers = [
    ...new Set(rows.filter((row) => row.subscribers === subscribers).map(({ server }) => server)),
  ]
    .map((server) => ({ server, one: of(server, 1), many: of(server, 16) }))
    .sort((a, b) => (b.one ?? b.many ?? 0) - (a.one ?? a.many ?? 0));
  if (servers.length === 0) return undefined;
  const high = Math.max(...servers.flatMap(({ one = 0, many = 0 }) => [one, many]));
  const length = (value) => Math.max(2, (Math.log(value / LOW) / Math.log(high / LOW)) * BAR);
  const bar = (value, y, kind) =>
    value === undefined
      ? ""
      : `<rect class="${kind}" x="${LEFT}" y="${y}" width="${length(value).toFixed(1)}" height="14" rx="2"/>` +
        `<text x="${(LEFT + length(value) + 8).toFixed(1)}" y="${y + 11.5}">${count(value)}/s</text>`;
  const lines = servers.map(({ server, one, many }, at) => {
    const y = 62 + at * ROW;
    const name = `<text class="name${SERVERS[server].ours ? " own" : ""}" x="${LEFT - 12}" y="${y + 19}">${escaped(plain(SERVERS[server].title))}</text>`;
    return `<g>${name}${bar(one, y, "one")}${bar(many, y + 17, "many")}</g>`;
  });
  const height = 74 + servers.length * ROW;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="t d">
<title id="t">Deliveries per second to ${subscribers.toLocaleString("en")} subscribers, server on one core</title>
<desc id="d">${servers.map(({ server, one, many }) => escaped(`${plain(SERVERS[server].title)}: ${count(one)}, in bursts ${count(many)}`)).join("; ")}</desc>
<style>
text { font: 12px system-ui, sans-serif; fill: #334155 } .head { font-size: 15px; font-weight: 600 }
.name { text-anchor: end } .own { font-weight: 700 } .one { fill: #2563eb } .many { fill: #0d9488 }
@media (prefers-color-scheme: dark) { text { fill: #cbd5e1 } .one { fill: #60a5fa } .many { fill: #2dd4bf } }
</style>
<text class="head" x="12" y="22">Deliveries per second, ${subscribers.toLocaleString("en")} subscribers, server on one core (log scale)</text>
<rect class="one" x="12" y="34" width="12" height="12" rx="2"/><text x="30" y="44">1 change a turn</text>
<rect class="many" x="150" y="34" width="12" height="12" rx="2"/><text x="168" y="44">16 changes a turn</text>
${lines.join("\n")}
</svg>
`;
}
