/** Where results go: `results.json` (the newest of each claim), the tables in README.md between markers, the ladder. */
import { readFileSync, writeFileSync } from "node:fs";
import { table } from "./format.mjs";
import { drawLadder } from "./ladder.mjs";
import { measureTargets } from "./targets.mjs";

const at = (path) => new URL(`../${path}`, import.meta.url);

export function readResults() {
  try {
    return JSON.parse(readFileSync(at("results.json"), "utf8"));
  } catch {
    return { claims: {}, measured: {} };
  }
}

export function publish(results, claimModules) {
  writeFileSync(at("results.json"), `${JSON.stringify(results, null, 2)}\n`);
  const picture = results.claims.fanout && drawLadder(results.claims.fanout.rows, 1_000);
  if (picture) writeFileSync(at("ladder.svg"), picture);
  let readme = readFileSync(at("README.md"), "utf8");
  for (const { name, title, report } of claimModules) {
    const result = results.claims[name];
    if (!result) continue;
    const { command, day } = results.measured[name];
    const drawn = name === "fanout" && picture ? "![The ladder](ladder.svg)\n\n" : "";
    readme = replace(readme, name, `### ${title}\n\n\`${command}\`, ${day}\n\n${drawn}${report(result)}`);
  }
  writeFileSync(at("README.md"), replace(readme, "summary", describe(results)));
}

function replace(text, name, content) {
  const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`bench/README.md has lost its marker ${begin}`);
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

/** @returns a table of what has been measured; empty when nothing has */
export function describeTargets(claims) {
  const measured = measureTargets(claims).filter(({ met }) => met !== undefined);
  if (measured.length === 0) return "";
  const mark = (met) => (met ? "yes" : "**no**");
  return table(
    ["target", "what", "wanted", "measured", "met"],
    measured.map(({ id, what, wanted, shown, met }) => [id, what, wanted, shown, mark(met)]),
  );
}

export function describeSetting({ machine, versions, client, ids }) {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const clients =
    client === "cpp" ? "C++ (epoll)" : "Node: no C++ compiler was found, so it may be what is measured";
  return [
    `Machine: ${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.system}; ` +
      `${machine.pinned ? "server and load client on a core each" : "**nothing pinned to a core**"}; ` +
      `${(machine.busyBefore * 100).toFixed(0)} % busy before the run.`,
    `Versions: ${names.join(", ")}. Load client: ${clients}; request ids: ${ids}.`,
  ].join("\n\n");
}

const describe = (results) => `${describeSetting(results)}\n\n${describeTargets(results.claims)}`;
