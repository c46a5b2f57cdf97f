/** Where the server's tRPC endpoint is, from what a person writes. */
import { SnapwireError } from "../src/protocol/errors.ts";

const SCHEMES: Readonly<Record<string, "ws:" | "wss:">> = {
  "http:": "ws:",
  "https:": "wss:",
  "ws:": "ws:",
  "wss:": "wss:",
};
const DEFAULT_PATH = "/trpc";
const EXAMPLE = "write it like http://127.0.0.1:4747";

/**
 * `http://host` becomes `ws://host/trpc`, `https` becomes `wss`; a path that is given is kept. In a browser the address
 * may be relative to the page.
 * @throws {@link SnapwireError} `invalid-input` for anything that is not such an address, and for a secret in it.
 */
export function socketAddress(url: string | URL, base: string | undefined = pageAddress()): string {
  const address = read(url, base);
  const scheme = SCHEMES[address.protocol];
  if (!scheme) throw refused(`the url ${quote(url)} has the scheme "${address.protocol}"; ${EXAMPLE}`);
  if (address.hostname === "") throw refused(`the url ${quote(url)} names no host; ${EXAMPLE}`);
  if (address.username !== "" || address.password !== "" || address.searchParams.has("token"))
    throw refused("a url ends up in logs: leave credentials out of it and pass `token` instead");
  const path = address.pathname === "/" ? DEFAULT_PATH : address.pathname.replace(/\/+$/, "");
  return `${scheme}//${address.host}${path}${address.search}`;
}

function read(url: string | URL, base: string | undefined): URL {
  try {
    return new URL(url, base);
  } catch (cause) {
    throw refused(`the url ${quote(url)} cannot be read; ${EXAMPLE}`, cause);
  }
}

function quote(url: unknown): string {
  return typeof url === "string" || url instanceof URL ? JSON.stringify(String(url)) : `(${typeof url})`;
}

function pageAddress(): string | undefined {
  return typeof location === "undefined" ? undefined : location.href;
}

function refused(message: string, cause?: unknown): SnapwireError {
  return new SnapwireError("invalid-input", message, cause === undefined ? undefined : { cause });
}
