/** `/livez`, `/readyz`, `/api/health`: for probes and people, without authentication. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Health } from "../health.ts";
import type { MountedLive } from "./options.ts";
import { refuseRequest } from "./refusal.ts";
import type { Route } from "./target.ts";

export type HealthRoute = Exclude<Route, "trpc" | "metrics">;

export interface HealthEndpointsOptions {
  readonly live: Pick<MountedLive, "health" | "ready">;
  readonly isDraining: () => boolean;
}

export function createHealthEndpoints({ live, isDraining }: HealthEndpointsOptions) {
  const answers: Readonly<Record<HealthRoute, () => readonly [status: number, body: string | object]>> = {
    livez: () => [200, "ok"],
    readyz() {
      if (isDraining()) return [503, "draining"];
      return live.ready() ? [200, "ready"] : [503, ["not ready", ...reasons(live.health())].join("\n")];
    },
    health() {
      const health = live.health();
      return [health.status === "unhealthy" ? 503 : 200, health];
    },
  };

  return (route: HealthRoute, request: IncomingMessage, response: ServerResponse): void => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      refuseRequest(response, { status: 405, message: "GET or HEAD only.", headers: { allow: "GET, HEAD" } });
      return;
    }
    const [status, body] = answers[route]();
    const isText = typeof body === "string";
    response.writeHead(status, {
      "content-type": isText ? "text/plain; charset=utf-8" : "application/json",
      "cache-control": "no-store",
    });
    response.end(isText ? `${body}\n` : JSON.stringify(body)); // Node leaves the body out of the answer to a HEAD
  };
}

/** The checks by which a service is ready or not; the others only degrade it. */
const READINESS = ["service", "journal"];
const MOST_CHARACTERS = 300;

/** One line each, in words that `/api/health` says too. */
function reasons({ checks }: Health): string[] {
  return READINESS.flatMap((name) => {
    const check = checks[name];
    if (!check || check.ok) return [];
    const why = (check.detail ?? "not ok").replace(/\s+/g, " ");
    return [`${name}: ${why.slice(0, MOST_CHARACTERS)}`];
  });
}
