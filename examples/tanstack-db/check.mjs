/** `node check.mjs`: starts a server, moves workspaces between the columns of a board, restarts the server, and looks. */
import assert from "node:assert/strict";
import { createSnapwire, createSnapwireRouter } from "snapwire";
import { createSnapwireClient } from "snapwire/client";
import { createSnapwireServer } from "snapwire/server";
import { until } from "../until.mjs";
import { createBoard } from "./board.mjs";

async function start(port) {
  const live = createSnapwire();
  await live.start();
  const server = createSnapwireServer({ live, router: createSnapwireRouter({ live }) });
  const url = await server.listen(port);
  const stop = async () => {
    await server.close();
    await live.stop();
  };
  return { live, url, stop };
}

const first = await start();
await first.live.workspaces.upsert("shop/cart", { projectId: "shop", name: "cart", status: "READY" });
await first.live.workspaces.upsert("shop/pay", {
  projectId: "shop",
  name: "pay",
  status: "READY",
  isWorking: true,
});

const client = createSnapwireClient({ url: first.url, retry: { floorMs: 10, capMs: 100 } });
const board = createBoard(client, "shop");
const names = (column) => column.toArray.map(({ name }) => name);
const sizes = [];
board.workspaces.subscribeChanges(() => sizes.push(board.workspaces.size));

await board.workspaces.preload();
await until(() => assert.deepEqual(names(board.working), ["pay"]), "a card stands where it belongs");
const cart = board.workspaces.get("shop/cart");
await first.live.workspaces.upsert("shop/pay", { isWorking: false });
await until(() => assert.ok(!names(board.working).includes("pay")), "a card moves when its state does");
assert.equal(board.workspaces.get("shop/cart"), cart, "and the other one is the same object");
await first.live.workspaces.upsert("shop/tax", { projectId: "shop", name: "tax" });
await until(() => assert.equal(board.workspaces.size, 3), "a new one appears");

sizes.length = 0;
await first.stop();
await until(() => assert.equal(board.workspaces.utils.getView().status, "reconnecting"), "the loss is told");
assert.equal(board.workspaces.size, 3, "and the cards stay");
const second = await start(Number(new URL(first.url).port));
await second.live.workspaces.upsert("shop/cart", { projectId: "shop", name: "cart", status: "READY" });
await until(
  () => assert.deepEqual(names(board.workspaces), ["cart"]),
  "after the restart it is what the server has",
);

await Promise.all([board.working, board.waiting, board.done].map((column) => column.cleanup()));
await board.workspaces.cleanup();
await client.close();
await second.stop();
console.log("tanstack-db: the board followed the server, also over a restart");
