/** `npm run check`: builds and starts the application, and looks at its page and, through the same port, at a replica. */
import assert from "node:assert/strict";
import { createProjectReplica, createSnapwireClient } from "snapwire/client";
import { until } from "../until.mjs";
import { live, start } from "./server.mjs";

const { url, stop } = await start({ port: 0, dev: false });
const page = await (await fetch(url)).text();
assert.match(page, /<output>connecting<\/output>/);
console.log("ok: the markup of the server is that of connecting");
const scripts = [...page.matchAll(/src="([^"]+\.js)"/g)].map(([, path]) => path);
const texts = await Promise.all(scripts.map(async (path) => (await fetch(new URL(path, url))).text()));
assert.ok(texts.some((text) => text.includes("snapshot_changed")));
console.log("ok: the client is in the scripts of the page");

const client = createSnapwireClient({ url });
const replica = createProjectReplica(client.trpc.snapshots, { projectId: "shop" });
await until(() => assert.equal(replica.status, "live"), "the project is live on the port of the pages");
await live.workspaces.upsert("shop/cart", { projectId: "shop", name: "cart" });
await until(() => assert.equal(replica.getSnapshot().entries[0]?.name, "cart"), "and follows");

await replica.close();
await client.close();
await stop();
console.log("next: passed");
process.exit(); // Next leaves workers
