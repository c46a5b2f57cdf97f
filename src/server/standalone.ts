/** Our own HTTP server around a mount, for those who do not bring one. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { SnapwireError } from "../protocol/errors.ts";
import type { Board } from "./board.ts";
import type { DrainOptions } from "./drain.ts";
import { mountWith } from "./mount.ts";
import type { MountOptions, SnapwireMount } from "./options.ts";
import { assertSafeBind } from "./origin.ts";
import { refuseRequest } from "./refusal.ts";

export interface SnapwireServerOptions extends MountOptions {
  /** The web page, on paths that nobody else owns: `createBoard()`. @defaultValue none */
  readonly board?: Board | undefined;
  /** Answers what is not ours, after the Host check. @defaultValue 404 in plain text */
  readonly fallback?: (request: IncomingMessage, response: ServerResponse) => void;
}

export interface SnapwireServer extends AsyncDisposable {
  /**
   * Begins to listen; port 0 takes a free one. Resolves with the URL.
   * @defaultValue port 0, host `127.0.0.1`
   * @throws {@link SnapwireError} `invalid-input`: others could reach it without a token, or the port is taken.
   */
  listen(port?: number, host?: string): Promise<string>;
  /** Where it listens, without a slash at the end; `undefined` before. */
  readonly url: string | undefined;
  readonly http: Server;
  /** Sends everybody elsewhere, in waves, then stops listening: at most `deadlineMs`. */
  drain(options?: DrainOptions): Promise<void>;
  /** Ends all connections now and stops listening. */
  close(): Promise<void>;
  stats: SnapwireMount["stats"];
  pumpStats: SnapwireMount["pumpStats"];
}

export function createSnapwireServer(options: SnapwireServerOptions): SnapwireServer {
  const http = createServer({ headersTimeout: 10_000, requestTimeout: 60_000 });
  const { board, fallback = notFound } = options;
  const mount = mountWith(http, options, (request, response) => {
    if (!board?.handle(request, response)) fallback(request, response);
  });
  let url: string | undefined;
  let stopping: Promise<void> | undefined;

  const stop = async (): Promise<void> => {
    if (!http.listening) return;
    const closed = new Promise<void>((resolve) => {
      http.close(() => resolve());
    });
    const timer = setTimeout(() => http.closeAllConnections(), HTTP_END_MS);
    await closed;
    clearTimeout(timer);
  };

  return {
    async listen(port = 0, host = "127.0.0.1") {
      assertSafeBind({ host, hasTokens: options.authenticate !== undefined });
      await listening(http, port, host);
      url = urlOf(http);
      return url;
    },
    get url() {
      return url;
    },
    http,
    async drain(drainOptions) {
      await mount.drain(drainOptions);
      stopping ??= stop();
      await stopping;
    },
    async close() {
      await mount.close();
      stopping ??= stop();
      await stopping;
    },
    stats: () => mount.stats(),
    pumpStats: () => mount.pumpStats(),
    async [Symbol.asyncDispose]() {
      await this.close();
    },
  };
}

/** For requests in flight, once no subscription is left, in milliseconds. */
const HTTP_END_MS = 500;

function notFound(_request: IncomingMessage, response: ServerResponse): void {
  refuseRequest(response, { status: 404, message: "Not found." });
}

function listening(http: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => {
      http.off("listening", done);
      const taken = `Port ${port} of ${host} is in use. Stop what uses it, or choose another: \`--port <number>\`.`;
      reject(
        error.code === "EADDRINUSE" ? new SnapwireError("invalid-input", taken, { cause: error }) : error,
      );
    };
    const done = (): void => {
      http.off("error", failed);
      resolve();
    };
    http.once("error", failed);
    http.once("listening", done);
    http.listen(port, host);
  });
}

function urlOf(http: Server): string {
  const address = http.address();
  if (address === null || typeof address === "string") return `unix:${address ?? ""}`;
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
