/** From a request to the context of the router. Never throws: each outcome is a value, and its meaning is the caller's. */
import type { IncomingMessage } from "node:http";
import { TRPCError } from "@trpc/server";
import type { Logger } from "../log.ts";
import type { SnapwireConnection, SnapwireContext } from "../router/context.ts";
import type { Identity } from "../router/identity.ts";
import { type Authenticate, type ConnectionParams, LOCAL_ADMIN } from "./auth.ts";

export interface IdentifyOptions {
  readonly authenticate: Authenticate | undefined;
  readonly identityMs: number;
  readonly isRevoked: (identity: Identity) => boolean;
  readonly logger: Logger;
}

/** `undefined`: it cannot be told now who this is. */
export type Identify = (
  request: IncomingMessage,
  params: ConnectionParams,
  connection: SnapwireConnection | undefined,
) => Promise<SnapwireContext | undefined>;

export function createIdentify({ authenticate, identityMs, isRevoked, logger }: IdentifyOptions): Identify {
  if (!authenticate)
    return (_request, _params, connection) =>
      Promise.resolve({ identity: LOCAL_ADMIN, ...(connection && { connection }) });

  const ask = async (request: IncomingMessage, params: ConnectionParams): Promise<Identity | null> => {
    try {
      const identity = await within(identityMs, authenticate(request, params));
      return identity && !isRevoked(identity) ? identity : null;
    } catch (error) {
      if (isRefusal(error)) return null;
      throw error;
    }
  };

  return async (request, params, connection) => {
    let identity: Identity | null;
    try {
      identity = await ask(request, params);
    } catch (error) {
      logger.error({ err: error }, "authenticate failed: it cannot be told who connects");
      return undefined;
    }
    let askedAt = performance.now();
    const identityWithin = async (maxAgeMs: number): Promise<Identity | null> => {
      if (identity && isRevoked(identity)) return null; // whatever is known besides, and however long that takes
      const isYoung = performance.now() - askedAt < maxAgeMs;
      try {
        if (!isYoung) {
          askedAt = performance.now();
          identity = await ask(request, params);
        }
      } catch (error) {
        logger.error(
          { err: error },
          "authenticate failed: live subscriptions keep their rights until it answers",
        );
      }
      return identity && !isRevoked(identity) && !hasEnded(identity) ? identity : null;
    };
    const context: SnapwireContext = {
      identity,
      recheck: () => identityWithin(0),
      identityWithin,
      ...(connection && { connection }),
    };
    if (identity) return context;
    const presented = request.headers.authorization !== undefined || params?.token !== undefined;
    const refused = presented ? "invalid" : "missing";
    logger.info({ address: request.socket.remoteAddress, refused }, "identity refused");
    return { ...context, refused };
  };
}

function hasEnded({ expiresAt }: Identity): boolean {
  return expiresAt !== undefined && expiresAt <= Date.now();
}

/** Some write `authenticate` so that it throws what tRPC's own middlewares throw. */
function isRefusal(error: unknown): boolean {
  return error instanceof TRPCError && (error.code === "UNAUTHORIZED" || error.code === "FORBIDDEN");
}

async function within<T>(ms: number, answer: T | Promise<T>): Promise<T> {
  if (!(answer instanceof Promise)) return answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}
