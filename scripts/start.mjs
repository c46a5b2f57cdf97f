/** `npm start`: builds when `dist` is missing or older than a source file, then runs `snapwire serve`. */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

function newestIn(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestIn(`${path}/${name}`)), 0);
}

const built = statSync(at("dist/cli/snapwire.mjs"), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const changed = Math.max(...["src", "client", "scripts", "package.json"].map((path) => newestIn(at(path))));
if (built < changed) {
  process.stderr.write("snapwire: building (dist is missing or older than the sources)\n");
  const { status } = spawnSync(process.execPath, [at("scripts/build.mjs")], { stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}
// npm runs scripts in the package's folder; the repository that the user stands in is INIT_CWD.
const cwd = process.env.INIT_CWD ?? process.cwd();
const child = spawn(process.execPath, [at("dist/cli/snapwire.mjs"), ...process.argv.slice(2)], {
  stdio: "inherit",
  cwd,
});
// A terminal sends Ctrl-C and its own end to the child as well: passed on, one press would be two.
const byTerminal = process.stdin.isTTY ? ["SIGINT", "SIGHUP"] : [];
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.on(signal, () => {
    if (!byTerminal.includes(signal)) child.kill(signal);
  });
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
