/**
 * `npm run bench [-- <claim> ...] [options]`: what Snapwire claims, measured.
 *
 *     npm run bench                      every claim but those on request; tables and results are written
 *     npm run bench -- fanout --json     one claim, as JSON on stdout
 *     npm run bench -- soak --minutes 10
 *
 * Every run ends with each replica compared with the store; when one differs, no number is printed.
 */
import { parseArgs } from "node:util";
import { prepareEntry } from "./lib/entry.mjs";
import { prepareLoadClient } from "./lib/load-process.mjs";
import { busyShare, describeMachine, describeVersions } from "./lib/machine.mjs";
import { buildPackage, installPeers } from "./lib/prepare.mjs";

const CLAIMS = ["fanout", "lag", "memory", "reconnect", "store", "wire"];
const ON_REQUEST = ["cluster", "engines", "restart", "soak", "sockets"];
const QUIET = 0.1;

const HELP = `npm run bench [-- <claim> ...] [options]

claims   ${CLAIMS.join(", ")}; on request: ${ON_REQUEST.join(", ")}
--json              results as JSON on stdout
--quick             seconds instead of minutes, few subscribers: shows that it works, measures nothing
--write             keep the results of single claims (README.md, results.json, ladder.svg); a full run always does
--server a,b        only these servers
--subscribers n     instead of the claim's own
--rounds n          instead of the claim's own
--rate n            changes a second where the rate is steady
--window n          turns on their way while saturated
--ids kind          request ids of tRPC clients: counting (each socket from 1), same, distinct
--client kind       cpp or node
--minutes n         of the soak
--seed n            of the soak
--dist folder       measure that build, as it is
`;

const log = (line) => process.stderr.write(`${line}\n`);
const number = (text) => (text === undefined ? undefined : Number(text));

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...Object.fromEntries(
      ["json", "quick", "write", "help"].map((name) => [name, { type: "boolean", default: false }]),
    ),
    ...Object.fromEntries(
      ["server", "subscribers", "rounds", "rate", "window", "ids", "client", "minutes", "seed", "dist"].map(
        (name) => [name, { type: "string" }],
      ),
    ),
  },
});

async function main() {
  if (given.help) return void process.stdout.write(HELP);
  const names = positionals.length > 0 ? positionals : CLAIMS;
  const unknown = names.find((name) => ![...CLAIMS, ...ON_REQUEST].includes(name));
  if (unknown !== undefined) throw new Error(`There is no claim "${unknown}".\n\n${HELP}`);

  installPeers(log);
  const dist = buildPackage(log, given.dist);
  const client = prepareLoadClient({ wanted: given.client, log });
  log(`load client: ${client.kind === "cpp" ? "C++" : "Node"}`);
  const { publish, readResults, describeSetting, describeTargets } = await import("./lib/publication.mjs");
  const { ratiosOf } = await import("./lib/targets.mjs");
  const modules = new Map();
  for (const name of [...CLAIMS, ...ON_REQUEST]) modules.set(name, await import(`./claims/${name}.mjs`));

  const busyBefore = await busyShare();
  if (busyBefore > QUIET)
    log(`the machine is not quiet: ${Math.round(busyBefore * 100)} % busy before the run`);
  const only = given.server?.split(",");
  const ids = given.ids ?? "counting";
  const bench = {
    dist,
    client,
    ids,
    ...(await prepareEntry(dist)),
    log,
    quick: given.quick,
    /** The servers of a claim, or those of them that were asked for. */
    servers: (own) => (only ? own.filter((name) => only.includes(name)) : own),
    subscribers: number(given.subscribers),
    rounds: number(given.rounds),
    rate: number(given.rate),
    window: number(given.window),
    minutes: number(given.minutes),
    seed: number(given.seed),
  };

  const setting = {
    machine: { ...describeMachine(), busyBefore },
    versions: describeVersions(),
    client: client.kind,
    ids,
  };
  const claims = {};
  const measured = {};
  const command = [
    "npm run bench",
    ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : []),
  ].join(" ");
  const started = performance.now();
  for (const name of names) {
    claims[name] = await modules.get(name).run(bench);
    measured[name] = { command, day: new Date().toISOString().slice(0, 10) };
  }
  const seconds = Math.round((performance.now() - started) / 1_000);
  log(`done in ${seconds} s; every replica equals the store`);

  const results = { ...setting, command, seconds, ratios: ratiosOf(claims), claims };
  if (given.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else {
    const parts = names.map(
      (name) => `## ${modules.get(name).title}\n\n${modules.get(name).report(claims[name])}`,
    );
    const note = given.quick
      ? ["**A quick run: it shows that everything works; its numbers mean nothing.**"]
      : [];
    const all = [...note, describeSetting(setting), ...parts, describeTargets(claims)];
    process.stdout.write(`${all.filter((part) => part !== "").join("\n\n")}\n`);
  }

  const partial = only !== undefined || given.quick || bench.subscribers !== undefined;
  if (given.write || (positionals.length === 0 && !partial)) {
    const kept = readResults();
    const all = { ...kept.claims, ...claims };
    // What stands above the targets is the setting of the run that measured them.
    const above = positionals.length === 0 || !kept.machine ? setting : { ...setting, machine: kept.machine };
    publish({ ...above, ratios: ratiosOf(all), measured: { ...kept.measured, ...measured }, claims: all }, [
      ...modules.values(),
    ]);
    log("written: bench/README.md, bench/results.json, bench/ladder.svg");
  }
  return claims.soak && !claims.soak.flat ? 1 : 0;
}

main().then(
  (code) => process.exit(code ?? 0),
  (error) => {
    const why = {
      ReplicasDiffer: "A replica differs from the store; no number of this run is printed.\n",
      NoNatsServer: "",
    }[error?.name];
    log(why === undefined ? String(error?.stack ?? error) : `${why}${error.message}`);
    process.exit(1);
  },
);
