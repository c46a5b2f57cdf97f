/** Nodes as processes, one address in front of them, and clients that only know that address. */
import { connect, createServer, type Socket } from "node:net";
import type { SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import { launch, type Process } from "./cli-process.ts";
import { freePort } from "./nats-server.ts";

export interface FleetNode {
  readonly port: number;
  readonly url: string;
  process: Process;
  start(): Promise<void>;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<number | string>;
}

/** @param program - the bundled `nats-node.ts` */
export async function fleetNode(program: string, folder: string, journal: object): Promise<FleetNode> {
  const port = await freePort();
  const begin = (): Process =>
    launch(process.execPath, [program, JSON.stringify({ port, ...journal })], {
      cwd: folder,
      env: { PATH: process.env.PATH },
    });
  const node: FleetNode = {
    port,
    url: `http://127.0.0.1:${port}`,
    process: begin(),
    start: async () => {
      if (node.process.child.exitCode !== null || node.process.child.signalCode !== null)
        node.process = begin();
      const { process: child } = node;
      for (let patience = 0; !child.out().includes("listening"); patience += 1) {
        if (child.child.exitCode !== null || patience > 1_200)
          throw new Error(`the node does not start: ${child.out()} ${child.err()}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    kill: (signal) => {
      node.process.child.kill(signal);
      return node.process.done;
    },
  };
  return node;
}

export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** How many connections a node has now. */
  connections(port: number): number;
}

/** Gives each connection to the next node that takes it: what a load balancer does that knows nothing of what it carries. */
export async function balancer(ports: readonly number[]): Promise<Balancer> {
  let turn = 0;
  /** And the node that each is connected to, or 0. */
  const sockets = new Map<Socket, number>();
  const server = createServer((client) => {
    sockets.set(client, 0);
    client.on("close", () => sockets.delete(client));
    client.on("error", () => client.destroy());
    turn += 1;
    const from = turn;
    const attempt = (tried: number): void => {
      const port = ports[(from + tried) % ports.length];
      if (port === undefined || tried === ports.length || client.destroyed) return void client.destroy();
      const upstream = connect(port, "127.0.0.1");
      const refused = (): void => attempt(tried + 1);
      upstream.once("error", refused);
      upstream.once("connect", () => {
        upstream.off("error", refused);
        if (client.destroyed) return void upstream.destroy();
        sockets.set(client, port);
        for (const [socket, other] of [
          [client, upstream],
          [upstream, client],
        ] as const) {
          socket.on("error", () => other.destroy());
          socket.on("close", () => other.destroy());
        }
        client.pipe(upstream).pipe(client);
      });
    };
    attempt(0);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    connections: (port) => [...sockets.values()].filter((other) => other === port).length,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.keys()) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Why a client had to begin from the start, each time. */
export function fulls(frames: readonly TrackedFrame<SnapshotFrame>[]): string[] {
  return frames.flatMap(({ data }) => (data.type === "snapshot_full" ? [data.reason] : []));
}
