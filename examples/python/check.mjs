/** `node check.mjs`: runs both programs against a server, restarts it under them, and looks at what they print. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createSnapwire, createSnapwireRouter } from "snapwire";
import { createSnapwireServer, plainEndpoints } from "snapwire/server";
import { until } from "../until.mjs";

const python = process.env.PYTHON ?? "/usr/bin/python3";
const at = (name) => fileURLToPath(new URL(name, import.meta.url));

async function start(port) {
  const live = createSnapwire();
  await live.start();
  const plain = plainEndpoints(live);
  const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }), plain });
  const url = await server.listen(port);
  const stop = async () => {
    await server.close();
    await live.stop();
  };
  return { live, url, stop };
}

const children = [];
function run(script, ...args) {
  const child = spawn(python, [at(script), ...args], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines = [];
  child.stdout.on("data", (chunk) => lines.push(...String(chunk).split("\n").filter(Boolean)));
  return lines;
}

try {
  const first = await start();
  await first.live.workspaces.upsert("app/w", { projectId: "app", status: "READY", isWorking: true });
  const ws = first.url.replace("http", "ws");
  const shown = run("snapshots.py", `${ws}/snapshots?projectId=app`);
  const done = run("agent.py", `${ws}/agent/ws`, "Desk-1");
  await until(() => assert.match(shown.at(-1) ?? "", /"app\/w"/), "the workspace is there");
  await until(() => assert.deepEqual(first.live.agents.devices(), ["desk-1"]), "the device is there");
  const send = (live, text, clientKey) => live.agents.send({ deviceId: "desk-1", text, clientKey });
  assert.equal((await send(first.live, "one", "1")).status, "delivered");
  await first.live.workspaces.remove("app/w");
  await until(() => assert.equal(shown.at(-1), "{}"), "and gone when it is removed");

  await first.stop();
  const second = await start(Number(new URL(first.url).port));
  await second.live.workspaces.upsert("app/x", { projectId: "app", status: "READY" });
  assert.equal((await send(second.live, "two", "2")).status, "queued");
  await until(
    () => assert.match(shown.at(-1) ?? "", /"app\/x"/),
    "after a restart it is what the server has",
  );
  await until(
    () => assert.deepEqual(done, ["one", "two"]),
    "and the device has done each message once, in order",
  );
  await second.stop();
} finally {
  for (const child of children) child.kill();
}
