/**
 * A tRPC client over one WebSocket, and the care that the stock one leaves to its user: attempts with a floor and
 * jitter, half-open sockets noticed, a token read anew for each connection, an end that leaves nothing behind. Over a
 * client of your own none of this is needed: a replica takes any tRPC client.
 */
import { createTRPCClient, createWSClient, TRPCClientError, type TRPCLink, wsLink } from "@trpc/client";
import type { AnyTRPCRouter } from "@trpc/server";
import { observable } from "@trpc/server/observable";
import superjson from "superjson";
import type { SnapwireRouter } from "../src/router/index.ts";
import { socketAddress } from "./address.ts";
import { backoffOf, type RetryOptions } from "./backoff.ts";
import type { ClientConnection, ConnectionState } from "./connection-state.ts";
import { Credentials, type TokenSource } from "./credentials.ts";
import { guardedEncoder } from "./encoder.ts";
import { ClientClosedError } from "./failure.ts";
import { Line } from "./line.ts";
import { warnOnConsole } from "./listeners.ts";
import { GuardedSocket } from "./socket.ts";
import { type Surroundings, surroundingsOf } from "./wake.ts";
import { findWebSocket, type WebSocketClass } from "./websocket.ts";

/** The router whose types the client has, unless another one is named. */
type ClientRouter = SnapwireRouter;

export interface SnapwireClientOptions {
  /** `http://127.0.0.1:4747`, or with a path where the tRPC endpoint is not `/trpc`. */
  readonly url: string | URL;
  /** A token, or a function that is asked before each connection. */
  readonly token?: TokenSource | undefined;
  /** For runtimes without one. In Node the `ws` package is found by itself. */
  readonly WebSocket?: WebSocketClass | undefined;
  /** As the server's. @defaultValue superjson */
  readonly transformer?: ClientTransformer | undefined;
  readonly retry?: RetryOptions | undefined;
  readonly onConnectionChange?: ((state: ConnectionState) => void) | undefined;
  /** What is wrong but harms nothing: a listener that threw. @defaultValue console.error */
  readonly onWarning?: ((message: string, cause?: unknown) => void) | undefined;
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: (() => number) | undefined;
  /** @defaultValue the page, if there is one */
  readonly surroundings?: Surroundings | undefined;
}

interface ClientTransformer {
  serialize(value: unknown): unknown;
  deserialize(value: unknown): unknown;
}

type SnapwireTRPCClient<Router extends AnyTRPCRouter> = ReturnType<typeof createTRPCClient<Router>>;

export interface SnapwireClient<Router extends AnyTRPCRouter = ClientRouter> extends AsyncDisposable {
  /** The stock client: queries, mutations and subscriptions, typed by the router. */
  readonly trpc: SnapwireTRPCClient<Router>;
  readonly connection: ClientConnection;
  /** Waits up to 1 s for mutations in flight, then ends the connection. Resolves when nothing is left; may be called again. */
  close(): Promise<void>;
}

const IN_FLIGHT_MS = 1_000;

/**
 * Connects at once, and keeps trying.
 * @throws {@link SnapwireError} `invalid-input` for an unusable url, or when the runtime has no WebSocket.
 */
export function createSnapwireClient<Router extends AnyTRPCRouter = ClientRouter>(
  options: SnapwireClientOptions,
): SnapwireClient<Router> {
  const credentials = new Credentials(options.token === "" ? undefined : options.token);
  const warn = options.onWarning ?? warnOnConsole;
  const line = new Line({
    address: socketAddress(options.url),
    WebSocket: findWebSocket(options.WebSocket),
    credentials,
    backoff: backoffOf(options.retry),
    surroundings: options.surroundings ?? surroundingsOf(),
    now: options.now ?? Date.now,
    warn,
  });
  const { onConnectionChange } = options;
  if (onConnectionChange) line.subscribe(() => onConnectionChange(line.getState()));
  const sockets = createWSClient({
    url: () => line.nextAddress(),
    retryDelayMs: () => 0, // the line waits, where it can be woken
    experimental_encoder: guardedEncoder,
    WebSocket: class extends GuardedSocket {
      constructor(url: string) {
        super(url, line);
      }
    } as unknown as typeof WebSocket,
    ...(credentials.given ? { connectionParams: () => credentials.params } : {}),
  });
  const transport = wsLink<Router>({
    client: sockets,
    transformer: options.transformer ?? superjson,
  } as unknown as Parameters<typeof wsLink<Router>>[0]); // which transformer fits is known per router only
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= closeBoth(sockets, line);
    return closing;
  };
  return {
    trpc: createTRPCClient<Router>({
      links: [refuseWhenClosed<Router>(() => closing !== undefined), transport],
    }),
    connection: line,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** tRPC would open a closed client again at the next operation. */
function refuseWhenClosed<Router extends AnyTRPCRouter>(isClosed: () => boolean): TRPCLink<Router> {
  return () =>
    ({ op, next }) =>
      observable((observer) => {
        if (!isClosed()) return next(op).subscribe(observer);
        const closed = new ClientClosedError();
        observer.error(TRPCClientError.from(closed));
        return undefined;
      });
}

async function closeBoth(sockets: ReturnType<typeof createWSClient>, line: Line): Promise<void> {
  const closed = sockets.close(); // from here on tRPC makes no new attempt
  line.stopTrying();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, IN_FLIGHT_MS);
  });
  await Promise.race([closed, late]);
  clearTimeout(timer);
  await line.close(); // fails what is still in flight
  await closed;
}
