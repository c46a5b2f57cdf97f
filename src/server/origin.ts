/**
 * Who may speak to us at all, before it is asked who they are.
 *
 * A page on any site can open a WebSocket to any address, and a name under its control can be made to resolve to
 * 127.0.0.1. So: an Origin must be our own or listed. Without tokens everybody who gets through is the local admin, and
 * then the peer must be on this machine and the Host must be a name of this machine.
 */
import type { IncomingMessage } from "node:http";
import { SnapwireError } from "../protocol/errors.ts";
import { isLoopback, isNamed, parseHost } from "./address.ts";
import type { Refusal } from "./refusal.ts";

export interface OriginRules {
  /** Origins of other sites that may use `/trpc`, like `https://board.example.com`. */
  readonly allowedOrigins?: readonly string[] | undefined;
  /** Further names for the Host header while no tokens are configured, as `name` or `name:port`. */
  readonly allowedHosts?: readonly string[] | undefined;
  /** True when `authenticate` is configured. */
  readonly hasTokens: boolean;
}

export interface OriginGuard {
  /** For every route. */
  host(request: IncomingMessage): Refusal | undefined;
  /** For `/trpc`; comes after {@link OriginGuard.host}. */
  origin(request: IncomingMessage): Refusal | undefined;
  /** The Origin of a request from another site that is listed; it gets CORS headers. */
  crossOrigin(request: IncomingMessage): string | undefined;
}

const BAD_HOST: Refusal = { status: 400, message: "The Host header is not valid." };
const NOT_LOCAL: Refusal = {
  status: 403,
  message: "No token is configured, so only this machine may connect. Configure tokens to serve others.",
};
const FOREIGN_HOST: Refusal = {
  status: 403,
  message: "No token is configured, so the Host must be localhost, 127.0.0.1, [::1] or one of allowedHosts.",
};
const FOREIGN_ORIGIN: Refusal = {
  status: 403,
  message: "This Origin is neither our own nor one of allowedOrigins.",
};

export function createOriginGuard(rules: OriginRules): OriginGuard {
  const listed = new Set((rules.allowedOrigins ?? []).map(normaliseOrigin));
  const hosts = rules.allowedHosts ?? [];
  const isListed = (origin: string): boolean => listed.has(origin.toLowerCase());

  return {
    host(request) {
      const header = request.headers.host;
      const host = parseHost(header);
      if (host === undefined || header === undefined) return BAD_HOST;
      if (rules.hasTokens) return undefined;
      const peer = request.socket.remoteAddress;
      if (peer !== undefined && !isLoopback(peer)) return NOT_LOCAL; // none on a Unix socket: that is local
      return isNamed(host, header, hosts) ? undefined : FOREIGN_HOST;
    },
    origin(request) {
      const origin = request.headers.origin;
      if (origin === undefined || isListed(origin) || isSameHost(origin, request.headers.host))
        return undefined;
      return FOREIGN_ORIGIN;
    },
    crossOrigin(request) {
      const origin = request.headers.origin;
      return origin !== undefined && isListed(origin) ? origin : undefined;
    },
  };
}

/** Same host and port. The scheme is left out: behind a proxy that ends TLS we see another one than the browser. */
function isSameHost(origin: string, host: string | undefined): boolean {
  try {
    const { protocol, host: from } = new URL(origin);
    if (protocol !== "http:" && protocol !== "https:") return false;
    return from === new URL(`${protocol}//${host}`).host;
  } catch {
    return false;
  }
}

function normaliseOrigin(text: string): string {
  const origin = text.toLowerCase().replace(/\/$/, "");
  // Not by `URL.origin`: that is "null" for the schemes of desktop shells, like `tauri://localhost`.
  if (/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(origin)) return origin;
  throw new SnapwireError(
    "invalid-input",
    `allowedOrigins must hold origins like "https://board.example.com", without a path; "${text}" is none.`,
  );
}

/**
 * Refuses to listen where others can connect while nobody has to show a token.
 * @throws {@link SnapwireError} `invalid-input`, with the command that fixes it.
 */
export function assertSafeBind({ host, hasTokens }: { host: string | undefined; hasTokens: boolean }): void {
  if (hasTokens || (host !== undefined && isLoopback(host))) return;
  const asked = host === undefined || host === "" ? "all addresses" : host;
  throw new SnapwireError(
    "invalid-input",
    `Refused to listen on ${asked} without a token: everybody who can reach it would be admin. ` +
      "Make a token first: `snapwire token create --role admin`; or stay local: `--host 127.0.0.1`.",
  );
}
