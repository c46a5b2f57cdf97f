/** Plain HTTP requests: queries, mutations and SSE subscriptions of tRPC, and the health endpoints. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AnyRouter, TRPCError } from "@trpc/server";
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import type { Logger } from "../log.ts";
import { type Connections, responseConnection } from "./connections.ts";
import type { createHealthEndpoints } from "./health-endpoints.ts";
import type { BuildContext } from "./host-context.ts";
import type { OriginGuard } from "./origin.ts";
import type { PlainRequests } from "./plain/requests.ts";
import type { OnProcedureError } from "./procedure-errors.ts";
import { refuseRequest } from "./refusal.ts";
import { parseTarget, procedurePath, routeOf } from "./target.ts";

export interface HttpOptions {
  readonly basePath: string;
  readonly router: AnyRouter;
  readonly maxBodyBytes: number;
  readonly guard: OriginGuard;
  readonly connections: Connections;
  readonly buildContext: BuildContext;
  readonly healthEndpoints: ReturnType<typeof createHealthEndpoints>;
  readonly metrics: (request: IncomingMessage, response: ServerResponse) => void;
  /** The endpoints for clients without tRPC. */
  readonly plain: PlainRequests | undefined;
  readonly isDraining: () => boolean;
  readonly onProcedureError: OnProcedureError;
  readonly logger: Logger;
  /** Takes what is not ours, after the Host check. */
  readonly otherwise: (request: IncomingMessage, response: ServerResponse) => void;
}

export type HandleRequest = (request: IncomingMessage, response: ServerResponse) => void;

export function createHttp(options: HttpOptions): HandleRequest {
  const { basePath, guard, logger } = options;

  const route = (request: IncomingMessage, response: ServerResponse): void => {
    const refused = guard.host(request);
    if (refused) {
      logger.info({ status: refused.status, reason: refused.message }, "request refused");
      refuseRequest(response, refused);
      return;
    }
    const target = parseTarget(request.url);
    const found = target && routeOf(target.path, basePath);
    if (target && !found && options.plain?.serves(target.path)) servePlain(target.path, request, response);
    else if (!target || !found) options.otherwise(request, response);
    else if (found === "trpc") serveTrpc(target.path, request, response);
    else if (found === "metrics") options.metrics(request, response);
    else options.healthEndpoints(found, request, response);
  };

  const servePlain = (path: string, request: IncomingMessage, response: ServerResponse): void => {
    if (!options.plain?.isSigned(path) && refusedByOrigin(request, response)) return;
    if (options.isDraining()) response.setHeader("connection", "close");
    response.once("close", options.connections.add(responseConnection(response)));
    options.plain?.handle(path, request, response);
  };

  const refusedByOrigin = (request: IncomingMessage, response: ServerResponse): boolean => {
    const foreign = guard.origin(request);
    if (!foreign) return false;
    logger.info({ status: foreign.status, reason: foreign.message }, "request refused");
    refuseRequest(response, foreign);
    return true;
  };

  const serveTrpc = (path: string, request: IncomingMessage, response: ServerResponse): void => {
    if (refusedByOrigin(request, response)) return;
    const origin = guard.crossOrigin(request);
    if (origin !== undefined) {
      response.setHeader("access-control-allow-origin", origin);
      response.setHeader("vary", "origin");
      if (request.method === "OPTIONS") {
        response.writeHead(204, PREFLIGHT).end();
        return;
      }
    }
    if (options.isDraining()) {
      // A status would end an EventSource for good; a lost connection makes it come again, then elsewhere.
      if (request.headers.accept?.includes("text/event-stream")) {
        response.destroy();
        return;
      }
      response.setHeader("connection", "close");
    }
    response.once("close", options.connections.add(responseConnection(response)));
    callTrpc(path, request, response);
  };

  const callTrpc = (path: string, request: IncomingMessage, response: ServerResponse): void => {
    nodeHTTPRequestHandler({
      router: options.router,
      req: request,
      res: response,
      path: procedurePath(path, basePath),
      maxBodySize: options.maxBodyBytes,
      onError: options.onProcedureError,
      createContext: () => contextOf(request, response),
    }).catch((error: unknown) => fail(error, response));
  };

  /** Over HTTP a throw here is the typed error of the call. `connectionParams` would come from the URL: not taken. */
  const contextOf = async (request: IncomingMessage, response: ServerResponse): Promise<object> => {
    const outcome = await options.buildContext(request, response, null);
    if (outcome.kind === "built") return outcome.context;
    if (outcome.kind === "refused") throw new TRPCError(outcome.words);
    throw new TRPCError({
      code: "SERVICE_UNAVAILABLE",
      message: "It cannot be told now who you are; try again.",
    });
  };

  const fail = (error: unknown, response: ServerResponse): void => {
    logger.error({ err: error }, "a request could not be handled");
    refuseRequest(response, { status: 500, message: "Internal server error." });
  };

  return (request, response) => {
    response.on("error", (error) => logger.debug({ reason: error.message }, "response error"));
    try {
      route(request, response);
    } catch (error) {
      fail(error, response);
    }
  };
}

const PREFLIGHT = {
  "access-control-allow-methods": "GET, POST",
  "access-control-allow-headers": "authorization, content-type, last-event-id, trpc-accept, x-trpc-source",
  "access-control-max-age": "600",
};
