/** P7 What was accepted for a device, on the engine that keeps it on disk, over the end of a process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createEmbeddedJournal } from "../src/journal/embedded/embedded.ts";
import { online, openRoom } from "./helpers/agents.ts";
import { until } from "./helpers/store-until.ts";

const D = "desk";
let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "snapwire-agents-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("P7 lanes, attempts, client keys and dead letters are there in the next life, and devices are offline", async () => {
  const journal = createEmbeddedJournal({ folder });
  const first = await openRoom({ journal });
  const device = await online(first, D);
  const send = (text: string) => ({ deviceId: D, text, clientKey: text, sender: "me", waitMs: 0 });
  const bad = await first.agents.send(send("bad"));
  await until(() => expect(device.texts).toEqual(["bad@1"]));
  await device.ackLast("failed", "no");
  const sent = [];
  for (const text of ["a", "b", "c"]) sent.push(await first.agents.send(send(text)));
  await until(() => expect(device.texts).toEqual(["bad@1", "a@1"]));
  const { lease } = device.inbox;
  await journal.close(); // nobody said goodbye: the room still believes that it serves
  await first.agents.close();

  const reopened = createEmbeddedJournal({ folder });
  await using second = await openRoom({ journal: reopened });
  expect(second.agents.list()).toMatchObject([
    { deviceId: D, online: false, lease, waiting: 2, inFlight: 1, deadLetters: 1 },
  ]);
  expect(await second.agents.send(send("b"))).toMatchObject({ messageId: sent[1]?.messageId, position: 2 });
  expect(second.agents.deadLetters()).toMatchObject([{ messageId: bad.messageId, error: "no" }]);
  const again = await online(second, D, { acks: true });
  expect(again.inbox.lease).toBeGreaterThan(lease);
  await until(() => expect(again.texts).toEqual(["a@2", "b@1", "c@1"]));
  expect(again.messages.map(({ id }) => id)).toEqual(sent.map(({ messageId }) => messageId));
  await second.agents.close();
  await reopened.close();
});
