/** A stream that somebody purged, or took messages out of, under nodes that run: it is another order, and that is said. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { silentLogger } from "../src/log.ts";
import { watching } from "./helpers/cluster.ts";
import { type NatsServer, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";
import { natsNodes, PATIENCE } from "./helpers/nodes-nats.ts";

describe.skipIf(NO_NATS_SERVER)(natsTitle("a stream that was edited"), { timeout: 60_000 }, () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await natsServer();
  });
  afterAll(async () => server?.[Symbol.asyncDispose]());

  test.each(["purged", "robbed of one record"])(
    "R19 that was %s is a new epoch for every node and client once somebody writes, and writes go on",
    async (how) => {
      await using nodes = natsNodes(server);
      const said: string[] = [];
      const logger = { ...silentLogger, error: (_: object, message: string) => void said.push(message) };
      const one = await nodes.node({}, { logger });
      const two = await nodes.node();
      await one.live.workspaces.upsert("w", { projectId: "p", name: "w" });
      await one.live.workspaces.upsert("kept", { projectId: "p", name: "kept" });
      await vi.waitFor(() => expect(two.live.workspaces.getByProjectId("p")).toHaveLength(2), PATIENCE);
      const watchers = [await watching(one, "p"), await watching(two, "p")];
      for (const watcher of watchers) watcher.take();

      const connection = await connect({ servers: server.url });
      const { streams } = await jetstreamManager(connection);
      const stream = nodes.options.stateStream ?? "";
      if (how === "purged") await streams.purge(stream);
      else {
        const sequence = one.live.workspaces.getByWorkspaceId("w")?.version ?? 0;
        await streams.deleteMessage(stream, sequence);
      }
      await connection.close();

      // What is to be found is gone with the records; a writer says again what it knows.
      await vi.waitFor(() => one.live.workspaces.upsert("w", { projectId: "p", name: "again" }), PATIENCE);
      const expected = how === "purged" ? ["w"] : ["kept", "w"];
      for (const { live } of [one, two])
        await vi.waitFor(() => {
          const entries = live.workspaces.getByProjectId("p");
          expect(entries.map(({ workspaceId }) => workspaceId).sort()).toEqual(expected);
          expect(live.workspaces.getByWorkspaceId("w")?.name).toBe("again");
        }, PATIENCE);
      for (const watcher of watchers) {
        const told = watcher.told();
        expect(told[0]).toMatch(/full epoch-changed/);
        expect(told.join()).not.toMatch(/full (first|trimmed|ahead|invalid)/);
      }
      expect(said.filter((one) => one.includes("purged or edited"))).toHaveLength(1);
    },
  );
});
