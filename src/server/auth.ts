/** Who a connection is. Asked once per connection, and again by `recheck` while its subscriptions live. */
import type { IncomingMessage } from "node:http";
import type { Identity } from "../router/identity.ts";
import type { TokenStore } from "./tokens.ts";

export type ConnectionParams = Readonly<Record<string, string | undefined>> | null;

/**
 * Answers `null` for nobody; the operations of that connection then fail with UNAUTHORIZED. Throwing says that it cannot
 * be told now: a WebSocket is closed with 1013, an HTTP request gets SERVICE_UNAVAILABLE, and clients try again.
 * `connectionParams` come from the first frame of a WebSocket, and are null over HTTP: there they stand in the URL.
 */
export type Authenticate = (
  request: IncomingMessage,
  connectionParams: ConnectionParams,
) => Identity | null | Promise<Identity | null>;

/** While no tokens are configured: everybody who gets as far as this is on this machine. */
export const LOCAL_ADMIN: Identity = Object.freeze({ subject: "local", role: "admin", projects: "*" });

/** Takes `Authorization: Bearer <token>`, else `connectionParams.token`; never anything from a URL or a cookie. */
export function authenticateTokens(store: TokenStore): Authenticate {
  return (request, connectionParams) => {
    const token = presentedToken(request, connectionParams);
    return token === undefined ? null : store.find(token);
  };
}

/** The longest token that is looked at; ours have 47 characters. */
const LONGEST_TOKEN = 4_096;

/** `Authorization: Bearer <token>`, else `connectionParams.token`; `undefined` when neither is there. */
export function presentedToken(request: IncomingMessage, params: ConnectionParams): string | undefined {
  const bearer = /^bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  const token = bearer ?? params?.token;
  return token === undefined || token === "" || token.length > LONGEST_TOKEN ? undefined : token;
}
