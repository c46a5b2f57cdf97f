/** Tickets come, change and go, and the entries follow. After `npm run build`: `node examples/own-source/check.mjs`. */
import assert from "node:assert/strict";
import { createSnapwire } from "../../dist/src/index.js";
import { until } from "../until.mjs";
import { Tickets, ticketSource } from "./source.mjs";

const tickets = new Tickets();
tickets.set("T-1", { title: "Fix the login", branch: "fix-login", isOpen: true });
const live = createSnapwire({ sources: [ticketSource(tickets)] });
await live.start();
const names = () => live.workspaces.getByProjectId("tracker").map(({ name }) => name);

await until(() => assert.deepEqual(names(), ["Fix the login"]), "a ticket is a workspace");
assert.equal(live.workspaces.getByWorkspaceId("T-1").branchName, "fix-login");
tickets.set("T-2", { title: "Dark mode", branch: null, isOpen: true });
await until(() => assert.ok(names().includes("Dark mode")), "one that comes is there");
tickets.set("T-1", { title: "Fix the login page", branch: "fix-login", isOpen: true });
await until(() => assert.ok(names().includes("Fix the login page")), "one that changes is read again");
tickets.delete("T-2");
await until(() => assert.deepEqual(names(), ["Fix the login page"]), "one that is deleted is gone");
await live.stop();
assert.equal(tickets.listenerCount("change"), 0);
