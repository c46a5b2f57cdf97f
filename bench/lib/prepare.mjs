/** What a run needs before it can begin: the peers, and the package as it is published. Says what it does, on stderr. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

function newestIn(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.mtimeMs ?? 0;
  return readdirSync(path).reduce((newest, name) => Math.max(newest, newestIn(`${path}/${name}`)), 0);
}

function run(what, command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  if (status !== 0) throw new Error(`${what} failed: ${error?.message ?? `exit code ${status}`}`);
}

export function installPeers(log) {
  const modules = at("bench/node_modules/.package-lock.json");
  if (newestIn(modules) >= newestIn(at("bench/package-lock.json"))) return;
  log("installing what Snapwire is compared with (npm ci in bench/)");
  run("npm ci", "npm", ["ci", "--no-audit", "--no-fund"], at("bench"));
}

/**
 * Builds `dist` when it is missing or older than the sources.
 * @param given  another build to measure; it is taken as it is
 * @returns where it lies, as a URL with a slash at the end
 */
export function buildPackage(log, given) {
  if (given !== undefined) {
    if (!existsSync(resolve(given, "src/index.js")))
      throw new Error(`${given} holds no build: src/index.js is missing`);
    return `${pathToFileURL(resolve(given)).href}/`;
  }
  const sources = ["src", "client", "package.json", "tsconfig.build.json"].map((path) => newestIn(at(path)));
  if (newestIn(at("dist/src/index.js")) < Math.max(...sources)) {
    log("building the package (dist is missing or older than the sources)");
    if (existsSync(at("src/cli/main.ts")))
      run("the build", process.execPath, [at("scripts/build.mjs")], at(""));
    else
      run(
        "the build",
        process.execPath,
        [at("node_modules/typescript/bin/tsc"), "-p", at("tsconfig.build.json")],
        at(""),
      );
  }
  return pathToFileURL(at("dist/")).href;
}
