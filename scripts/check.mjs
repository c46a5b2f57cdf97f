/** `npm run check`: format and lint, types, floating promises, unused code. All at once; prints what failed. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = (name) => `${root}node_modules/.bin/${name}`;
const looks = [
  ["format and lint", bin("biome"), "check", "."],
  ["types", bin("tsc"), "--noEmit"],
  ["promises", bin("oxlint"), "--type-aware", "src", "client", "test"],
  ["unused", bin("knip")],
  ["client size", process.execPath, "scripts/client-size.mjs"],
];

const started = performance.now();
const failed = [];
await Promise.all(
  looks.map(
    ([name, command, ...args]) =>
      new Promise((resolve) => {
        const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
        let output = "";
        child.stdout.on("data", (chunk) => (output += chunk));
        child.stderr.on("data", (chunk) => (output += chunk));
        child.on("error", (error) => (output += `${error.message}\n`));
        child.on("close", (code) => {
          if (code !== 0) {
            failed.push(name);
            process.stdout.write(`--- ${name}\n${output}`);
          }
          resolve();
        });
      }),
  ),
);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(
  failed.length ? `check failed: ${failed.join(", ")} (${seconds} s)` : `check passed (${seconds} s)`,
);
process.exit(failed.length ? 1 : 0);
