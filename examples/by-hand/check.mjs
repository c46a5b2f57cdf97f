/** `node check.mjs`: speaks the wire to a server with tokens, drops the connection, resumes, and is refused without one. */
import assert from "node:assert/strict";
import { createSnapwire, createSnapwireRouter } from "snapwire";
import { adminToken, authenticateTokens, createSnapwireServer } from "snapwire/server";
import { until } from "../until.mjs";
import { follow } from "./wire.mjs";

const token = "a-token-for-this-check-only-0123456789";
const live = createSnapwire();
await live.start();
const server = createSnapwireServer({
  live,
  router: createSnapwireRouter({ live }),
  authenticate: authenticateTokens(adminToken(token)),
});
const url = (await server.listen()).replace("http", "ws");
await live.workspaces.upsert("app/w", { projectId: "app", name: "w" });

const told = [];
const types = () => told.map(({ frame }) => frame?.type);
const first = follow(url, "app", { token, onFrame: (one) => told.push(one) });
await until(() => assert.deepEqual(types(), ["snapshot_full"]), "the first frame is the full one");
await live.workspaces.upsert("app/w", { name: "changed" });
await until(() => assert.equal(told[1]?.frame.entry.name, "changed"), "a change arrives, with its position");
first.close();
await live.workspaces.upsert("app/v", { projectId: "app" });
const second = follow(url, "app", { token, position: told[1].position, onFrame: (one) => told.push(one) });
await until(
  () => assert.deepEqual(types().slice(2), ["snapshot_resumed", "snapshot_changed"]),
  "a new connection goes on from there",
);
second.stop();
second.close();
const refused = [];
const third = follow(url, "app", { onFrame: (one) => refused.push(one) });
await until(() => assert.equal(refused[0]?.error.data.code, "UNAUTHORIZED"), "without a token it is refused");
third.close();
await server.close();
await live.stop();
