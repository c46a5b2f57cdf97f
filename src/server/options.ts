/** What a mount takes and gives. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AnyRouter } from "@trpc/server";
import type { WebSocket } from "ws";
import type { Health, SnapwireStats, Transport, TransportStats } from "../health.ts";
import type { Logger } from "../log.ts";
import type { SnapwireContext } from "../router/context.ts";
import type { Identity } from "../router/identity.ts";
import type { Authenticate, ConnectionParams } from "./auth.ts";
import type { DrainOptions } from "./drain.ts";
import type { Limits } from "./limits.ts";
import type { PlainEndpoints } from "./plain/endpoint.ts";
import type { PumpReport } from "./pump/pumps.ts";

/** The service, as far as a mount needs it. */
export interface MountedLive {
  health(): Health;
  stats(): SnapwireStats;
  /** Tells the service of a transport; returns what takes it back. */
  addTransport(transport: Transport): () => void;
  /** False while it cannot serve yet. */
  ready(): boolean;
  /** Whether the rights of an identity ended before its token does. */
  isRevoked?(identity: Identity): boolean;
}

/** What a host's own `createContext` gets. */
export interface HostContextOptions {
  readonly req: IncomingMessage;
  readonly res: WebSocket | ServerResponse;
  readonly connectionParams: ConnectionParams;
  /** What our own router has as its context. */
  readonly snapwire: SnapwireContext;
}

export interface MountOptions {
  readonly live: MountedLive;
  readonly router: AnyRouter;
  /** Who a connection is. Without it only this machine may connect, and is admin. */
  readonly authenticate?: Authenticate | undefined;
  /** Where tRPC is served: HTTP, SSE and WebSocket. @defaultValue `/trpc` */
  readonly basePath?: string;
  /** Origins of other sites that may use it. @defaultValue none: same host only */
  readonly allowedOrigins?: readonly string[];
  /** Further names for the Host header while there is no `authenticate`: `name` or `name:port`. */
  readonly allowedHosts?: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly logger?: Logger;
  /** Forwarding headers are not believed: an address is the socket's. */
  readonly trustProxy?: false;
  /**
   * For a host's router with a context of its own. What it throws is the typed error of each operation; it never closes
   * a connection. @defaultValue our own context as it is
   */
  readonly createContext?: (options: HostContextOptions) => object | Promise<object>;
  /** Endpoints for clients without tRPC: `plainEndpoints(live)`. @defaultValue none */
  readonly plain?: PlainEndpoints;
  /** False leaves upgrades on other paths to other listeners; true answers them with 404. @defaultValue true */
  readonly ownUpgrades?: boolean;
}

export interface SnapwireMount extends AsyncDisposable {
  /** Sends everybody elsewhere, in waves, and ends what is left: at most `deadlineMs`. The host's server stays open. */
  drain(options?: DrainOptions): Promise<void>;
  /** Ends all connections now and gives the paths back to the host. */
  close(): Promise<void>;
  stats(): TransportStats;
  pumpStats(): PumpReport;
}
