/** Plain HTTP routes: one body, read whole below its limit, one answer. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../../log.ts";
import type { Identify } from "../identify.ts";
import { type Refusal, refuseRequest } from "../refusal.ts";
import type { PlainEndpoints, PlainRoute } from "./endpoint.ts";

export interface PlainRequestsOptions {
  readonly plain: PlainEndpoints;
  readonly identify: Identify;
  readonly maxBodyBytes: number;
  readonly logger: Logger;
}

export interface PlainRequests {
  serves(path: string): boolean;
  /** The body proves who sent it: from wherever it comes. */
  isSigned(path: string): boolean;
  /** After the checks of Host and Origin. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): void;
}

const UPGRADE_ONLY: Refusal = {
  status: 426,
  message: "This path speaks WebSocket.",
  headers: { upgrade: "websocket", connection: "upgrade" },
};
const UNKNOWN: Refusal = {
  status: 401,
  message: "A token is needed: Authorization: Bearer <token>.",
  headers: { "www-authenticate": "Bearer" },
};

const CROWDED: Refusal = {
  status: 503,
  message: "Too much is being received at once; try again later.",
  headers: { "retry-after": "10", connection: "close" },
};

const NOBODY = { identity: null } as const;

/** Of bodies whose sender is known only when they are whole, all together. */
const MAX_UNPROVEN_BYTES = 64 * 1024 * 1024;

export function createPlainRequests(options: PlainRequestsOptions): PlainRequests {
  const { plain, identify, maxBodyBytes, logger } = options;
  const unproven: Budget = { left: MAX_UNPROVEN_BYTES };

  const answer = async (
    route: PlainRoute,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> => {
    const isRead = route.method === "GET" && request.method === "HEAD";
    if (request.method !== route.method && !isRead)
      return refuseRequest(response, {
        status: 405,
        message: `${route.method} only.`,
        headers: { allow: route.method === "GET" ? "GET, HEAD" : route.method },
      });
    const context = route.isPublic ? NOBODY : await identify(request, null, undefined);
    if (!context)
      return refuseRequest(response, {
        status: 503,
        message: "It cannot be told now who you are; try again.",
      });
    if (!context.identity && !route.isPublic) return refuseRequest(response, UNKNOWN);
    const most = route.maxBodyBytes ?? maxBodyBytes;
    const body =
      route.method === "POST"
        ? await bodyOf(request, most, route.isSigned ? unproven : { left: Number.POSITIVE_INFINITY })
        : "";
    if (typeof body !== "string") return refuseRequest(response, body);
    return route.answer({ identity: context.identity, body, request, response });
  };

  return {
    isSigned: (path) => plain.routes.get(path)?.isSigned === true,
    serves: (path) => plain.routes.has(path) || plain.sockets.has(path),
    handle(path, request, response) {
      const route = plain.routes.get(path);
      if (!route) {
        refuseRequest(response, UPGRADE_ONLY);
        return;
      }
      answer(route, request, response).catch((error: unknown) => {
        logger.error({ err: error }, "a request could not be handled");
        refuseRequest(response, { status: 500, message: "Internal server error." });
      });
    },
  };
}

interface Budget {
  left: number;
}

async function bodyOf(request: IncomingMessage, maxBytes: number, budget: Budget): Promise<string | Refusal> {
  const tooLong: Refusal = {
    status: 413,
    message: `A body may have ${maxBytes} bytes.`,
    headers: { connection: "close" },
  };
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return tooLong;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      budget.left -= chunk.length;
      if (bytes > maxBytes) return tooLong;
      if (budget.left < 0) return CROWDED;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } finally {
    budget.left += bytes;
  }
}
