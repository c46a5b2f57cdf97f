/** Puts Snapwire on an HTTP server: wires the parts of this room and owns their lifetimes. */
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import { WebSocketServer } from "ws";
import type { TransportStats } from "../health.ts";
import { silentLogger } from "../log.ts";
import { createConnections } from "./connections.ts";
import { drainConnections, endConnections, planDrain } from "./drain.ts";
import { createHealthEndpoints } from "./health-endpoints.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { createBuildContext } from "./host-context.ts";
import { createHttp } from "./http.ts";
import { createIdentify } from "./identify.ts";
import { intercept } from "./intercept.ts";
import { resolveLimits } from "./limits.ts";
import { createMetricsEndpoint } from "./metrics-endpoint.ts";
import type { MountOptions, SnapwireMount } from "./options.ts";
import { createOriginGuard } from "./origin.ts";
import { createPlainRequests } from "./plain/requests.ts";
import { createPlainUpgrades } from "./plain/upgrade.ts";
import { logProcedureErrors } from "./procedure-errors.ts";
import { Pumps } from "./pump/pumps.ts";
import { ClosingSocket } from "./served-socket.ts";
import { createSockets } from "./sockets.ts";
import { checkBasePath, isSocketPath, parseTarget, routeOf } from "./target.ts";
import { createUpgrade } from "./upgrade.ts";

/**
 * Serves `/trpc` (HTTP, SSE and WebSocket), `/livez`, `/readyz` and `/api/health` on a server of the host's, whose other
 * paths stay its own. Takes effect at once and until `close`, whether the server listens already or not.
 * @throws SnapwireError `invalid-input` for options that make no sense.
 */
export function mountSnapwire(httpServer: HttpServer | HttpsServer, options: MountOptions): SnapwireMount {
  return mountWith(httpServer, options);
}

/** @param otherwise - takes all other requests too, after the Host check; without it they are the host's. */
export function mountWith(
  httpServer: HttpServer | HttpsServer,
  options: MountOptions,
  otherwise?: (request: IncomingMessage, response: ServerResponse) => void,
): SnapwireMount {
  const { live, router, logger = silentLogger, ownUpgrades = true } = options;
  const basePath = checkBasePath(options.basePath ?? "/trpc");
  const limits = resolveLimits(options.limits);
  const guard = createOriginGuard({
    allowedOrigins: options.allowedOrigins,
    allowedHosts: options.allowedHosts,
    hasTokens: options.authenticate !== undefined,
  });
  const connections = createConnections(limits);
  const heartbeat = createHeartbeat(limits);
  const wss = new WebSocketServer({
    noServer: true,
    WebSocket: ClosingSocket,
    clientTracking: false,
    maxPayload: limits.maxPayloadBytes,
    ...{ closeTimeout: limits.closeMs }, // newer than its types
  });
  const onProcedureError = logProcedureErrors(logger);
  const pumps = new Pumps({
    serialize: (data) => router._def._config.transformer.output.serialize(data),
    limits,
  });
  const identify = createIdentify({
    authenticate: options.authenticate,
    identityMs: limits.identityMs,
    isRevoked: (identity) => live.isRevoked?.(identity) ?? false,
    logger,
  });
  const buildContext = createBuildContext({
    identify,
    createContext: options.createContext,
    highWaterBytes: limits.highWaterBytes,
    logger,
  });

  let draining: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  const isDraining = (): boolean => draining !== undefined || closing !== undefined;

  const accept = createSockets({
    router,
    wss,
    limits,
    logger,
    connections,
    heartbeat,
    buildContext,
    onProcedureError,
    pumps,
  });
  const plainUpgrades =
    options.plain && createPlainUpgrades({ plain: options.plain, identify, connections, limits, logger });
  const plainRequests =
    options.plain &&
    createPlainRequests({
      plain: options.plain,
      identify,
      maxBodyBytes: limits.maxBodyBytes,
      logger,
    });
  const handleUpgrade = createUpgrade({
    basePath,
    wss,
    guard,
    connections,
    accept,
    plain: plainUpgrades,
    isDraining,
    logger,
  });
  const handleRequest = createHttp({
    basePath,
    router,
    maxBodyBytes: limits.maxBodyBytes,
    guard,
    connections,
    buildContext,
    healthEndpoints: createHealthEndpoints({ live, isDraining }),
    metrics: createMetricsEndpoint({ live, pumps, identify }),
    plain: plainRequests,
    isDraining,
    onProcedureError,
    logger,
    otherwise: otherwise ?? (() => undefined),
  });

  const isOurs = (path: string): boolean =>
    routeOf(path, basePath) !== undefined || plainRequests?.serves(path) === true;
  const stopIntercepting = intercept(httpServer, {
    request(request, response) {
      const target = parseTarget(request.url);
      if (!otherwise && !(target && isOurs(target.path))) return false;
      handleRequest(request, response);
      return true;
    },
    upgrade(request, socket, head) {
      const target = parseTarget(request.url);
      const isSocket =
        target !== undefined && (isSocketPath(target.path, basePath) || plainUpgrades?.serves(target.path));
      if (!isSocket && !ownUpgrades) return false;
      handleUpgrade(request, socket, head);
      return true;
    },
  });
  const stats = (): TransportStats => {
    const { encodes, writes, bytes } = pumps.report();
    return { ...connections.stats(), encodes, writes, sentBytes: bytes };
  };
  const removeTransport = live.addTransport({ stats, clients: (limit) => connections.clients(limit) });

  const drain: SnapwireMount["drain"] = (drainOptions) => {
    draining ??= drainConnections(connections, planDrain(drainOptions));
    return draining;
  };
  const close = (): Promise<void> => {
    closing ??= endConnections(connections, Math.min(limits.closeMs, 1_000)).finally(() => {
      stopIntercepting();
      heartbeat[Symbol.dispose]();
      plainUpgrades?.close();
      wss.close();
      removeTransport();
    });
    return closing;
  };
  return {
    drain,
    close,
    stats,
    pumpStats: () => pumps.report(),
    [Symbol.asyncDispose]: close,
  };
}
