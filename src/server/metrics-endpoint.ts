/** `/metrics` over HTTP: for an admin token, or without tokens for this machine. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { mayAct } from "../router/identity.ts";
import type { Identify } from "./identify.ts";
import { renderMetrics } from "./metrics.ts";
import type { MountedLive } from "./options.ts";
import type { Pumps } from "./pump/pumps.ts";
import { type Refusal, refuseRequest } from "./refusal.ts";

export interface MetricsEndpointOptions {
  readonly live: Pick<MountedLive, "health" | "stats">;
  readonly pumps: Pick<Pumps, "report">;
  readonly identify: Identify;
}

export function createMetricsEndpoint({ live, pumps, identify }: MetricsEndpointOptions) {
  const refusalOf = async (request: IncomingMessage): Promise<Refusal | undefined> => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      return { status: 405, message: "GET or HEAD only.", headers: { allow: "GET, HEAD" } };
    }
    const context = await identify(request, null, undefined);
    if (!context) return { status: 503, message: "It cannot be told now who you are; try again." };
    if (!context.identity) {
      return {
        status: 401,
        message: "An admin token is needed: Authorization: Bearer <token>.",
        headers: { "www-authenticate": "Bearer" },
      };
    }
    if (!mayAct(context.identity, "administer"))
      return { status: 403, message: "Metrics are for admin tokens." };
    return undefined;
  };

  return (request: IncomingMessage, response: ServerResponse): void => {
    refusalOf(request)
      .then((refused) => {
        if (refused) {
          refuseRequest(response, refused);
          return;
        }
        response.writeHead(200, {
          "content-type": "text/plain; version=0.0.4; charset=utf-8",
          "cache-control": "no-store",
        });
        response.end(renderMetrics(live.stats(), pumps.report(), live.health().uptime));
      })
      .catch(() => refuseRequest(response, { status: 500, message: "Internal server error." }));
  };
}
