/**
 * What a hook costs the agent that waits for it: wall time of `snapwire hook` from spawn to exit, with the server up,
 * down, hanging, refusing, beside `node -e 0`, the least that any program of Node costs. `npm run build` first.
 * `node bench/claims/hook.mjs [runs]`; the runs of all cases take turns.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const runs = Number(process.argv[2] ?? 100);
const command = fileURLToPath(new URL("../../dist/cli/snapwire.mjs", import.meta.url));
const direct = fileURLToPath(new URL("../../dist/cli/snapwire-hook.mjs", import.meta.url));
const input = JSON.stringify({
  session_id: "s",
  hook_event_name: "PreToolUse",
  cwd: "/work",
  tool_name: "Bash",
  tool_input: { command: "x".repeat(2_000) },
});

async function listening(onSocket) {
  const server = createServer(onSocket).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

const answer = (status) => (socket) => {
  socket.on("error", () => undefined);
  socket.once("data", () => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\n{}`));
};
const up = await listening(answer("202 Accepted"));
const refusing = await listening(answer("403 Forbidden"));
const hanging = await listening((socket) => socket.pause().on("error", () => undefined));
const down = await listening(() => undefined);
down.server.close();

const cases = {
  "node -e 0": ["-e", "0"],
  "hook, server up": [command, "hook", "--agent", "claude", "--url", up.url],
  "hook, server down": [command, "hook", "--agent", "claude", "--url", down.url],
  "hook, server hanging": [command, "hook", "--agent", "claude", "--url", hanging.url],
  "hook, server refusing": [command, "hook", "--agent", "claude", "--url", refusing.url],
  "its own file, server up": [direct, "--agent", "claude", "--url", up.url],
};

async function timed(args) {
  const began = performance.now();
  const child = spawn(process.execPath, args, { stdio: ["pipe", "ignore", "ignore"] });
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}`);
  return performance.now() - began;
}

const times = Object.fromEntries(Object.keys(cases).map((name) => [name, []]));
for (let run = 0; run < runs + 3; run += 1)
  for (const [name, args] of Object.entries(cases)) {
    const ms = await timed(args);
    if (run >= 3) times[name].push(ms); // the first ones read files from disk
  }
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
console.log(`${runs} runs each, ms from spawn to exit`);
console.log("case".padEnd(26), "p50".padStart(8), "p99".padStart(8), "p50 beyond node".padStart(17));
const least = at(
  [...times["node -e 0"]].sort((a, b) => a - b),
  0.5,
);
for (const [name, all] of Object.entries(times)) {
  const sorted = all.sort((a, b) => a - b);
  const [p50, p99] = [at(sorted, 0.5), at(sorted, 0.99)];
  console.log(
    name.padEnd(26),
    p50.toFixed(1).padStart(8),
    p99.toFixed(1).padStart(8),
    (p50 - least).toFixed(1).padStart(17),
  );
}
process.exit(0);
