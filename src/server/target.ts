/**
 * What a request asks for, read without the Host header: a header like `Host: [` makes `new URL` throw, and here nothing
 * does.
 */
import { SnapwireError } from "../protocol/errors.ts";

export interface Target {
  /** As it came, not decoded; begins with a slash. */
  readonly path: string;
  /** Without the question mark; may hold secrets, so it is never logged. */
  readonly query: string;
}

export type Route = "trpc" | "livez" | "readyz" | "health" | "metrics";

const FIXED_ROUTES: Readonly<Record<string, Route>> = {
  "/livez": "livez",
  "/readyz": "readyz",
  "/api/health": "health",
  "/metrics": "metrics",
};

/** `undefined` for what is not a plain path: an absolute URL, `*`, a fragment, a blank. */
export function parseTarget(raw: string | undefined): Target | undefined {
  if (raw === undefined || !raw.startsWith("/") || raw.startsWith("//") || /[#\s]/.test(raw))
    return undefined;
  const mark = raw.indexOf("?");
  return mark < 0 ? { path: raw, query: "" } : { path: raw.slice(0, mark), query: raw.slice(mark + 1) };
}

export function routeOf(path: string, basePath: string): Route | undefined {
  if (path === basePath || path.startsWith(`${basePath}/`)) return "trpc";
  return Object.hasOwn(FIXED_ROUTES, path) ? FIXED_ROUTES[path] : undefined;
}

/** A WebSocket is asked for at the base path itself; the procedures are named inside its messages. */
export function isSocketPath(path: string, basePath: string): boolean {
  return path === basePath || path === `${basePath}/`;
}

/** The procedure path of an HTTP request: what follows the base path, without slashes around it. */
export function procedurePath(path: string, basePath: string): string {
  return path.slice(basePath.length).replace(/^\//, "").replace(/\/$/, "");
}

/** @throws {@link SnapwireError} `invalid-input` for a base path that would not be a path of its own. */
export function checkBasePath(basePath: string): string {
  if (/^(\/[A-Za-z0-9._~-]+)+$/.test(basePath) && !Object.hasOwn(FIXED_ROUTES, basePath)) return basePath;
  throw new SnapwireError(
    "invalid-input",
    `basePath must look like "/trpc" or "/api/trpc", without a slash at its end; it is "${basePath}".`,
  );
}
