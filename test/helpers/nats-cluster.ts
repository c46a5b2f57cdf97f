/** Three NATS servers that are one, each of which can be killed, frozen and started again. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { freePort, type NatsServer, natsServer } from "./nats-server.ts";

export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly NatsServer[];
  /** For a client: all of them. */
  readonly urls: readonly string[];
  /** The one that decides for a stream now. */
  leaderOf(stream: string): Promise<NatsServer>;
}

export async function natsCluster(size = 3): Promise<NatsCluster> {
  const routes = await Promise.all(Array.from({ length: size }, () => freePort()));
  const all = routes.map((port) => `nats://127.0.0.1:${port}`).join(",");
  const servers = await Promise.all(
    routes.map((port, index) =>
      natsServer({
        arguments: [
          ...["--name", `n${index}`, "--cluster_name", "snapwire-test"],
          ...["--cluster", `nats://127.0.0.1:${port}`, "--routes", all],
        ],
      }),
    ),
  );
  const urls = servers.map(({ url }) => url);
  return {
    servers,
    urls,
    leaderOf: async (stream) => {
      const connection = await connect({ servers: urls, timeout: 2_000 });
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false });
        const { cluster } = await manager.streams.info(stream);
        const leader = servers[Number(cluster?.leader?.slice(1))];
        if (!leader) throw new Error("no leader");
        return leader;
      } finally {
        await connection.close();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const server of servers) await server[Symbol.asyncDispose]();
    },
  };
}
