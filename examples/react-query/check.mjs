/** `node check.mjs`: starts a server, shows the page without a browser, changes things, and looks at the page. */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Window } from "happy-dom";
import { rolldown } from "rolldown";
import { createSnapwire, createSnapwireRouter } from "snapwire";
import { createSnapwireClient } from "snapwire/client";
import { createSnapwireServer } from "snapwire/server";
import { until } from "../until.mjs";

const window = new Window({ url: "http://127.0.0.1/" });
Object.assign(globalThis, { window, document: window.document });
globalThis.navigator ??= window.navigator; // Node has one of its own from 21 on

const live = createSnapwire();
await live.start();
const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
const url = await server.listen();
const client = createSnapwireClient({ url });
await live.workspaces.upsert("shop/cart", { projectId: "shop", name: "cart", status: "READY" });

const { App } = await built("app.tsx");
const { createElement, StrictMode } = await import("react");
const { createRoot } = await import("react-dom/client");
const { QueryClient } = await import("@tanstack/react-query");
const queryClient = new QueryClient();
let fetches = 0;
queryClient.getQueryCache().subscribe(({ type, action }) => {
  if (type === "updated" && action.type === "fetch") fetches += 1;
});
const container = window.document.createElement("div");
window.document.body.append(container);
const root = createRoot(container);
root.render(createElement(StrictMode, null, createElement(App, { client, queryClient, projectId: "shop" })));
const rows = () => [...container.querySelectorAll("li")].map((row) => row.textContent?.split(":")[0]);

await until(() => assert.deepEqual(rows(), ["cart"]), "the page shows the first view");
assert.equal(live.stats().subscriptions, 1, "the hook and the query share one subscription");
const before = fetches;
await live.workspaces.upsert("shop/pay", { projectId: "shop", name: "pay" });
await live.workspaces.upsert("shop/cart", { name: "basket" });
await until(() => assert.deepEqual(rows(), ["basket", "pay"]), "changes are in the cache and on the page");
await live.workspaces.remove("shop/cart");
await until(() => assert.deepEqual(rows(), ["pay"]), "what is removed is gone");
assert.equal(fetches, before, "nothing was fetched again");
assert.equal(container.querySelector("output")?.textContent, "live");

root.unmount();
await client.close();
await server.close();
await live.stop();
queryClient.clear();
await window.happyDOM.close();
console.log("react-query: the page followed every change without a refetch");

/** The page as a bundler would make it; packages stay where they are. */
async function built(name) {
  const file = fileURLToPath(new URL(`.built-${process.pid}.mjs`, import.meta.url));
  const bundle = await rolldown({
    input: fileURLToPath(new URL(name, import.meta.url)),
    external: /^[^./]/,
    transform: { jsx: "react-jsx" },
  });
  await bundle.write({ file, format: "esm" });
  await bundle.close();
  try {
    return await import(file);
  } finally {
    await rm(file);
  }
}
