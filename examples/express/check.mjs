/** `npm run check`: starts the application, renames something over its own route, and looks at a replica. */
import assert from "node:assert/strict";
import { createProjectReplica, createSnapwireClient } from "snapwire/client";
import { until } from "../until.mjs";
import { start } from "./server.mjs";

const { url, stop } = await start(0);
const rename = async (title) => {
  const answer = await fetch(`${url}/workspaces/shop/cart`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ title }),
  });
  assert.equal(answer.status, 204);
};
assert.equal(await (await fetch(url)).text(), "the application's own page");

const ada = createSnapwireClient({ url, token: "ada" });
assert.equal(await ada.trpc.hello.query(), "hello ada");
const replica = createProjectReplica(ada.trpc.live.snapshots, { projectId: "shop" });
const names = () => replica.getSnapshot().entries.map(({ name }) => name);
await until(() => assert.equal(replica.status, "live"), "a project without workspaces is live");
await rename("cart");
await until(() => assert.deepEqual(names(), ["cart"]), "what a route of the application did is there");
await rename("basket");
await until(() => assert.deepEqual(names(), ["basket"]), "and every change after it");

const eve = createSnapwireClient({ url, token: "eve" });
const refused = createProjectReplica(eve.trpc.live.snapshots, { projectId: "shop" });
await until(() => assert.equal(refused.status, "denied"), "somebody else's project is denied");
assert.equal(refused.reason, "forbidden");
const nobody = createSnapwireClient({ url });
const stranger = createProjectReplica(nobody.trpc.live.snapshots, { projectId: "shop" });
await until(() => assert.equal(stranger.reason, "unauthorized"), "and so is everything to a stranger");

for (const each of [replica, refused, stranger, ada, eve, nobody]) await each.close();
await stop();
console.log("passed");
