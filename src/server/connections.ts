/** The open connections of a mount: how many, from where, how full, and when the last one is gone. */
import type { ServerResponse } from "node:http";
import { createUlid } from "../events/ulid.ts";
import type { ClientReport, TransportStats } from "../health.ts";
import { isLoopback } from "./address.ts";

/** A connection that a drain ends. */
export interface Drainable {
  /** Asks the client to move, once. */
  notify(): void;
  /** Ends it properly. */
  close(): void;
  /** Ends it at once. */
  terminate(): void;
}

export interface OpenConnection extends Drainable {
  readonly kind: "socket" | "response";
  readonly address: string | undefined;
  buffered(): number;
  /** Somebody waits until it takes more. */
  stalled(): boolean;
  /** Whether it is known who this is. */
  identified: boolean;
  /** Live subscriptions, where they are counted. */
  readonly subscriptions?: number;
}

/** What is known of the connections by themselves. */
type ConnectionStats = Pick<TransportStats, "sockets" | "bufferedBytes" | "stalledSockets">;

export interface Connections {
  add(connection: OpenConnection): () => void;
  all(): readonly OpenConnection[];
  hasRoomFor(address: string | undefined): boolean;
  /** Resolves when none is open. */
  empty(): Promise<void>;
  stats(): ConnectionStats;
  /** The sockets of those who are known, the oldest first. */
  clients(limit: number): readonly ClientReport[];
}

export function createConnections(
  limits: { readonly socketsPerAddress: number; readonly highWaterBytes: number },
  now: () => number = Date.now,
): Connections {
  /** And since when, in milliseconds since 1970. */
  const open = new Map<OpenConnection, number>();
  /** Named when somebody asks for the first time. */
  const ids = new WeakMap<OpenConnection, string>();
  const perAddress = new Map<string, number>();
  let waiters: (() => void)[] = [];

  const count = (address: string | undefined, by: 1 | -1): void => {
    if (address === undefined) return;
    const sum = (perAddress.get(address) ?? 0) + by;
    if (sum > 0) perAddress.set(address, sum);
    else perAddress.delete(address);
  };

  return {
    add(connection) {
      open.set(connection, now());
      if (connection.kind === "socket") count(connection.address, 1);
      return () => {
        if (!open.delete(connection)) return;
        if (connection.kind === "socket") count(connection.address, -1);
        if (open.size > 0) return;
        for (const wake of waiters.splice(0)) wake();
      };
    },
    all: () => [...open.keys()],
    hasRoomFor(address) {
      if (address === undefined || isLoopback(address)) return true;
      return (perAddress.get(address) ?? 0) < limits.socketsPerAddress;
    },
    empty() {
      if (open.size === 0) return Promise.resolve();
      return new Promise((resolve) => {
        waiters = [...waiters, resolve];
      });
    },
    stats() {
      let sockets = 0;
      let bufferedBytes = 0;
      let stalledSockets = 0;
      for (const connection of open.keys()) {
        const buffered = connection.buffered();
        bufferedBytes += buffered;
        if (connection.stalled() || buffered > limits.highWaterBytes) stalledSockets++;
        if (connection.kind === "socket" && connection.identified) sockets++;
      }
      return { sockets, bufferedBytes, stalledSockets };
    },
    clients(limit) {
      const clients: ClientReport[] = [];
      for (const [connection, since] of open) {
        if (connection.kind !== "socket" || !connection.identified) continue;
        if (clients.length >= limit) break;
        const id = ids.get(connection) ?? createUlid({ now: () => since })();
        ids.set(connection, id);
        clients.push({
          id,
          connectedAt: new Date(since).toISOString(),
          address: connection.address ?? null,
          subscriptions: connection.subscriptions ?? null,
          buffered: connection.buffered(),
          stalled: connection.stalled(),
        });
      }
      return clients;
    },
  };
}

/**
 * A response. A stream is ended by cutting it: its client reconnects, as after any lost connection. Any other one is
 * left to finish, for as long as there is time.
 */
export function responseConnection(response: ServerResponse): OpenConnection {
  const cut = (): void => {
    response.destroy();
  };
  const cutStream = (): void => {
    if (String(response.getHeader("content-type")).startsWith("text/event-stream")) cut();
  };
  return {
    kind: "response",
    address: response.socket?.remoteAddress,
    identified: true,
    buffered: () => response.writableLength,
    stalled: () => false,
    notify: cutStream,
    close: cutStream,
    terminate: cut,
  };
}
