/**
 * `node examples/run-all.mjs [name ...]`: runs the check of each example, after `npm run build`. One with packages of its own
 * is copied to a temporary folder, gets them (`npm ci`), and this repository's Snapwire as it would be published.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "..");
const given = process.argv.slice(2);
const names = given.length
  ? given
  : readdirSync(here).filter((name) => existsSync(join(here, name, "check.mjs")));

const work = mkdtempSync(join(tmpdir(), "snapwire-examples-"));
try {
  let tarball;
  for (const name of names) {
    console.log(`--- ${name}`);
    const example = join(here, name);
    if (!existsSync(join(example, "package.json"))) {
      run(process.execPath, [join(example, "check.mjs")], root);
      continue;
    }
    tarball ??= packed();
    const copy = join(work, name);
    cpSync(example, copy, { recursive: true, filter: (path) => !path.includes("node_modules") });
    cpSync(join(here, "until.mjs"), join(work, "until.mjs"));
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    run("npm", ["ci", ...quiet], copy);
    run("npm", ["install", "--no-save", "--ignore-scripts", ...quiet, tarball], copy);
    run("npm", ["run", "--silent", "check"], copy);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

function packed() {
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", work];
  const [{ filename }] = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8" }));
  return join(work, filename);
}

function run(command, args, cwd) {
  execFileSync(command, args, {
    cwd,
    stdio: "inherit",
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" },
  });
}
