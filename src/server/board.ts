/**
 * The board: a page that was built before, served as it is.
 *
 * It answers GET and HEAD and nothing else: the page to whoever accepts `text/html`, on paths that no endpoint owns, and its
 * own files by their exact names. A path on which a subscription or an API may stand is never answered with the page,
 * whether that endpoint is there or not: a client that expects frames must not get a document.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { SnapwireError } from "../protocol/errors.ts";
import { parseTarget } from "./target.ts";

export interface BoardOptions {
  /** Where the built files lie. @defaultValue beside our own code */
  readonly folder?: string | undefined;
  /** Where the page finds tRPC, as `/trpc`. @defaultValue `/trpc` */
  readonly basePath?: string | undefined;
}

export interface Board {
  /** False: the request is not for the board, and nothing was answered. */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

interface BoardFile {
  readonly body: Buffer;
  readonly packed: Buffer | undefined;
  readonly type: string;
  readonly etag: string;
  readonly immutable: boolean;
}

const PAGE = "index.html";
/** All files together are held in memory; more than this is not our build. */
const MAX_BYTES = 4 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** First segments of paths that belong to endpoints, present or not. */
const ENDPOINTS: ReadonlySet<string> = new Set([
  "api",
  "trpc",
  "snapshots",
  "events",
  "agent",
  "devices",
  "transcription",
  "health",
  "hooks",
  "hub",
  "webhooks",
  "ws",
  "livez",
  "readyz",
  "metrics",
  "assets",
]);

/** Nothing from elsewhere, nothing inline; `'self'` lets the page open its own WebSocket. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const SAFETY: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * @returns `undefined` when no board was built.
 * @throws {@link SnapwireError} `invalid-input` for a folder that is named and holds none.
 */
export function createBoard({ folder, basePath = "/trpc" }: BoardOptions = {}): Board | undefined {
  const root = folder ?? ownFolder();
  const files = root === undefined ? undefined : readFiles(root, basePath);
  const page = files?.get(`/${PAGE}`);
  if (!files || !page) {
    if (folder === undefined) return undefined;
    throw new SnapwireError("invalid-input", `There is no board in ${folder}: \`npm run build\` makes one.`);
  }
  files.delete(`/${PAGE}`);
  return {
    handle(request, response) {
      if (request.method !== "GET" && request.method !== "HEAD") return false;
      const target = parseTarget(request.url);
      if (!target) return false;
      const file = files.get(target.path);
      if (file) send(request, response, file);
      else if (isPagePath(target.path) && acceptsPage(request)) send(request, response, page);
      else return false;
      return true;
    },
  };
}

/** A path of the page has no extension, so that a file that is missing is missing. */
function isPagePath(path: string): boolean {
  const [, first = ""] = path.split("/");
  return !ENDPOINTS.has(first.toLowerCase()) && !/[.%\\]/.test(path);
}

function acceptsPage({ headers }: IncomingMessage): boolean {
  return (headers.accept ?? "").split(",").some((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return type === "text/html" && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

function send(request: IncomingMessage, response: ServerResponse, file: BoardFile): void {
  const headers = {
    ...SAFETY,
    etag: file.etag,
    "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    vary: "accept, accept-encoding",
  };
  if (request.headers["if-none-match"] === file.etag) {
    response.writeHead(304, headers).end();
    return;
  }
  const packed = acceptsGzip(request) ? file.packed : undefined;
  const body = packed ?? file.body;
  response.writeHead(200, {
    ...headers,
    "content-type": file.type,
    "content-length": body.length,
    ...(packed && { "content-encoding": "gzip" }),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

function acceptsGzip({ headers }: IncomingMessage): boolean {
  return /(^|,)\s*gzip\s*($|,|;(?!\s*q=0(\.0*)?\s*($|,)))/i.test(String(headers["accept-encoding"] ?? ""));
}

/** Built code stands in `dist/cli` or `dist/src/server`, the sources in `src/server`. */
function ownFolder(): string | undefined {
  return ["../board/", "../../board/", "../../dist/board/"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => statSync(join(path, PAGE), { throwIfNoEntry: false })?.isFile());
}

function readFiles(root: string, basePath: string): Map<string, BoardFile> {
  const files = new Map<string, BoardFile>();
  let bytes = 0;
  for (const entry of listed(root)) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(root, path).split(sep).join("/")}`;
    const raw = readFileSync(path);
    const body = name === `/${PAGE}` ? pageFor(raw, basePath) : raw;
    bytes += body.length;
    if (bytes > MAX_BYTES) throw new SnapwireError("invalid-input", `The board in ${root} is too large.`);
    const packed = gzipSync(body, { level: 9 });
    files.set(name, {
      body,
      packed: packed.length < body.length ? packed : undefined,
      type,
      etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`,
      immutable: name.startsWith("/assets/"),
    });
  }
  return files;
}

function listed(root: string) {
  try {
    return readdirSync(root, { recursive: true, withFileTypes: true });
  } catch {
    return [];
  }
}

/** The one thing that the page must be told, where nothing inline may run. */
function pageFor(raw: Buffer, basePath: string): Buffer {
  return Buffer.from(raw.toString("utf8").replace('content="/trpc"', () => `content="${basePath}"`));
}
