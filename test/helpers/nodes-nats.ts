/** Services in this process over one NATS server, each a node with a connection of its own that can be cut. */
import { randomUUID } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import type { Journal } from "../../src/journal/journal.ts";
import { createNatsJournal, type NatsJournalOptions } from "../../src/journal/nats/index.ts";
import { createSnapwire, type Snapwire, type SnapwireOptions } from "../../src/snapwire.ts";
import type { NatsServer } from "./nats-server.ts";

/** For `vi.waitFor`: what a loaded machine may need. */
export const PATIENCE = { timeout: 20_000, interval: 10 };

export interface NatsNode {
  readonly live: Snapwire;
  readonly journal: Journal;
  /** Its connection ends without a word, and nobody says goodbye: what others see of a process that died. */
  die(): Promise<void>;
}

export interface NatsNodes extends AsyncDisposable {
  /** Streams of this group alone. */
  readonly options: NatsJournalOptions;
  node(options?: SnapwireOptions, journal?: Partial<NatsJournalOptions>): Promise<NatsNode>;
}

/** Streams and subjects of their own, on one server. */
export function natsNames(server: NatsServer): NatsJournalOptions {
  const name = randomUUID();
  return { servers: server.url, subjectPrefix: name, stateStream: `s-${name}`, eventsStream: `e-${name}` };
}

export function natsNodes(server: NatsServer): NatsNodes {
  const options = natsNames(server);
  const nodes: NatsNode[] = [];
  return {
    options,
    node: async (given = {}, more = {}) => {
      const journal = createNatsJournal({ ...options, ...more });
      const live = createSnapwire({ journal, ...given });
      const node: NatsNode = { live, journal, die: () => journal.close() };
      nodes.push(node);
      await live.start();
      return node;
    },
    async [Symbol.asyncDispose]() {
      for (const { live } of nodes.reverse()) await live.stop();
    },
  };
}

export interface Wire extends AsyncDisposable {
  readonly url: string;
  /** Nothing goes through any more, and nothing new begins. */
  cut(): void;
  mend(): void;
}

/** A wire to a port, which can be cut and mended. */
export async function wireTo(port: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => other.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      other.destroy();
    });
  };
  const server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(port, "127.0.0.1");
    keep(client, upstream);
    keep(upstream, client);
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `nats://127.0.0.1:${address.port}`,
    cut,
    mend: () => {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
