/** Stock tRPC clients of three ages, untouched, as hosts and their browsers have them. */
import * as newest from "@trpc/client";
import superjson from "superjson";
import { WebSocket } from "ws";
import * as middle from "../hosts/middle/trpc.ts";
import * as oldest from "../hosts/oldest/trpc.ts";

interface Handlers {
  onStarted?(): void;
  onData?(event: { id: string; data: unknown }): void;
  onError?(error: { data?: { code?: string } | null }): void;
}

/** What the tests call, of a client whose types come from another version than the router's. */
interface StockClient {
  whoami: { query(): Promise<unknown> };
  echo: { mutate(input: string): Promise<unknown> };
  ticks: { subscribe(input: undefined, handlers: Handlers): { unsubscribe(): void } };
}

export interface OpenClient {
  readonly trpc: StockClient;
  /** Every socket that it opened, in order. */
  readonly sockets: readonly WebSocket[];
  /** The reconnect notices that arrived. */
  notices(): number;
  close(): void;
}

interface StockOptions {
  readonly url: () => string;
  readonly token?: string;
}

interface Version {
  createWSClient(options: object): { close(): unknown };
  wsLink(options: object): unknown;
  createTRPCClient(options: object): unknown;
}

function opener(version: Version): (options: StockOptions) => OpenClient {
  return ({ url, token }) => {
    const sockets: WebSocket[] = [];
    let notices = 0;
    class Recorded extends WebSocket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        sockets.push(this);
        this.on("message", (data) => {
          if (String(data).includes('"method":"reconnect"')) notices++;
        });
      }
    }
    const client = version.createWSClient({
      url,
      WebSocket: Recorded,
      ...(token !== undefined && { connectionParams: { token } }),
    });
    const link = version.wsLink({ client, transformer: superjson });
    const trpc = version.createTRPCClient({ links: [link] }) as StockClient;
    return { trpc, sockets, notices: () => notices, close: () => void client.close() };
  };
}

export const STOCK_CLIENTS: readonly (readonly [
  version: string,
  open: (options: StockOptions) => OpenClient,
])[] = [
  ["11.9.0", opener(oldest as unknown as Version)],
  ["11.22.1", opener(middle as unknown as Version)],
  ["11.25.2", opener(newest as unknown as Version)],
];
