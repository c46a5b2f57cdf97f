/** `node check.mjs`: builds the program, runs it against a server, cuts its connection, and looks at what it prints. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createSnapwire, createSnapwireRouter } from "snapwire";
import { createSnapwireServer, plainEndpoints } from "snapwire/server";
import { until } from "../until.mjs";

const folder = mkdtempSync(join(tmpdir(), "snapwire-go-"));
const program = join(folder, "events");
const debian = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOCACHE: join(folder, "cache") };
execFileSync("go", ["build", "-o", program, fileURLToPath(new URL("events.go", import.meta.url))], {
  env: { ...process.env, ...(process.env.GOPATH ? { GOCACHE: debian.GOCACHE } : debian) },
  stdio: "inherit",
});

const live = createSnapwire();
await live.start();
let server = createSnapwireServer({
  live,
  router: createSnapwireRouter({ live }),
  plain: plainEndpoints(live),
});
const url = await server.listen();
const child = spawn(program, [`${url.replace("http", "ws")}/hub/ws?projectId=app`], {
  stdio: ["ignore", "pipe", "ignore"],
});
const lines = [];
child.stdout.on("data", (chunk) => lines.push(...String(chunk).split("\n").filter(Boolean)));
const publish = (name, projectId = "app") =>
  live.events.publish({ type: "stream:created", payload: { projectId, streamId: name, name } });
const names = () => lines.flatMap((line) => /"name":"([^"]*)"/.exec(line)?.[1] ?? []);

try {
  await until(() => assert.match(lines[0] ?? "", /^connection:status/), "the status comes first");
  await publish("one");
  await publish("secret", "app-2");
  await until(
    () => assert.deepEqual(names(), ["one"]),
    "an event of the project arrives, another's does not",
  );
  await server.close();
  await publish("two");
  await publish("three");
  server = createSnapwireServer({
    live,
    router: createSnapwireRouter({ live }),
    plain: plainEndpoints(live),
  });
  await server.listen(Number(new URL(url).port));
  await until(() => assert.deepEqual(names(), ["one", "two", "three"]), "what was missed follows, each once");
  assert.ok(!lines.some((line) => line.startsWith("gap")), "and without a gap");
} finally {
  child.kill();
  await server.close();
  await live.stop();
  rmSync(folder, { recursive: true, force: true });
}
