/** Looks at a server, and at what stands between: does it answer, does a WebSocket get through, what may the token do. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TRPCClientError } from "@trpc/client";
import { WebSocket } from "ws";
import { type Finding, ok, problem } from "./doctor-check.ts";
import { createRemote, type Endpoint, remoteFailure, TOKEN_FIX, wordsOf } from "./remote.ts";

/** For one answer, in milliseconds. */
const ANSWER_MS = 5_000;

export interface ShownHealth {
  readonly status: string;
  readonly version: string;
}

/** @throws when nobody answers; undefined when it is not one of ours. */
export async function readHealth(origin: string): Promise<ShownHealth | undefined> {
  const response = await fetch(`${origin}/api/health`, { signal: AbortSignal.timeout(ANSWER_MS) });
  const body: unknown = await response.json().catch(() => undefined);
  if (typeof body !== "object" || body === null) return undefined;
  const { status, version, ws_clients }: Partial<Record<string, unknown>> = { ...body };
  if (typeof status !== "string" || typeof version !== "string" || typeof ws_clients !== "number")
    return undefined;
  return { status, version };
}

export async function serverCheck({ origin }: Endpoint): Promise<Finding> {
  let health: ShownHealth | undefined;
  try {
    health = await readHealth(origin);
  } catch (error) {
    return problem(
      `${origin} does not answer: ${wordsOf(error)}`,
      "Start a server there: npx snapwire. See that the url is right.",
    );
  }
  if (!health)
    return problem(
      `what answers at ${origin} is not a Snapwire server`,
      "See that the url is right, and that a proxy passes /api/health on.",
    );
  if (health.status === "unhealthy")
    return problem(
      `Snapwire ${health.version} at ${origin} is unhealthy`,
      `See what it says: curl ${origin}/api/health`,
    );
  return ok(`Snapwire ${health.version} at ${origin}, ${health.status}`);
}

/** A WebSocket is opened as any client does, and a word goes there and back. */
export async function upgradeCheck(endpoint: Endpoint): Promise<Finding> {
  const outcome = await tryUpgrade(endpoint.ws);
  switch (outcome.kind) {
    case "answered":
      return ok(`a WebSocket to ${endpoint.ws} gets through`);
    case "mute":
      return problem(
        `${endpoint.ws} was upgraded, and then nothing came back within ${ANSWER_MS / 1000} s`,
        "What stands between holds messages back: switch buffering off for this path.",
      );
    case "failed":
      return problem(
        `${endpoint.ws} cannot be reached: ${outcome.why}`,
        "Start a server there: npx snapwire. See that the url is right.",
      );
    case "refused":
      return await refusedUpgrade(endpoint, outcome);
  }
}

type Upgrade =
  | { readonly kind: "answered" | "mute" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "refused"; readonly status: number; readonly by: string | undefined };

function tryUpgrade(url: string): Promise<Upgrade> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { handshakeTimeout: ANSWER_MS });
    let timer: NodeJS.Timeout | undefined;
    const done = (upgrade: Upgrade): void => {
      clearTimeout(timer);
      resolve(upgrade);
      socket.terminate();
    };
    socket.on("open", () => {
      timer = setTimeout(() => done({ kind: "mute" }), ANSWER_MS);
      socket.send("PING");
    });
    socket.on("message", () => done({ kind: "answered" }));
    socket.on("unexpected-response", (_request, response) => {
      done({ kind: "refused", status: response.statusCode ?? 0, by: proxyOf(response) });
    });
    socket.on("error", (error) => done({ kind: "failed", why: wordsOf(error) }));
    socket.on("close", (code) => done({ kind: "failed", why: `closed with code ${code}` }));
  });
}

/** Our own server sends neither header. */
function proxyOf({ headers }: IncomingMessage): string | undefined {
  return headers.via ?? headers.server?.toString();
}

const NGINX = /nginx|openresty/i;

async function refusedUpgrade(
  { ws, origin }: Endpoint,
  { status, by }: Extract<Upgrade, { kind: "refused" }>,
): Promise<Finding> {
  const named = by === undefined ? "" : ` (${by})`;
  if (status === 403)
    return problem(
      `${ws} refuses the upgrade (403)${named}`,
      "A server without tokens takes its own machine only, by its own names: make a token there, or start it with --allow-host.",
    );
  if (status === 503 || status === 429)
    return problem(
      `${ws} takes no connection now (${status})${named}`,
      "It is ending, or full: try again later.",
    );
  const behind = await readHealth(origin).catch(() => undefined);
  if (!behind)
    return problem(`${ws} answers ${status} in place of an upgrade${named}`, "See that the url is right.");
  const who = by === undefined ? "a proxy in between" : `the proxy in between (${by})`;
  const how = NGINX.test(by ?? "")
    ? 'For nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
    : "Let it pass the headers Upgrade and Connection on, over HTTP/1.1, for this path.";
  return problem(`the server answers, but the upgrade does not reach it (${status}): ${who} strips it`, how);
}

/** What is observed more than this ahead of the server's clock is taken back to it, in milliseconds. */
const CLAMP_MS = 5_000;

export async function remoteClockCheck({ origin }: Endpoint): Promise<Finding> {
  const asked = Date.now();
  let response: Response;
  try {
    response = await fetch(`${origin}/livez`, { signal: AbortSignal.timeout(ANSWER_MS) });
  } catch (error) {
    return problem(
      `${origin} does not answer: ${wordsOf(error)}`,
      "Start a server there: npx snapwire. See that the url is right.",
    );
  }
  const answered = Date.now();
  const said = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(said))
    return problem("the answer has no Date header", "A proxy takes it away: let it pass.");
  const apart = said + 500 - (asked + answered) / 2; // the header has whole seconds
  const uncertain = 500 + (answered - asked) / 2;
  const seconds = `${(Math.abs(apart) / 1000).toFixed(1)} s`;
  if (Math.abs(apart) - uncertain <= CLAMP_MS)
    return ok(
      Math.abs(apart) <= uncertain
        ? "the same as ours"
        : `${seconds} ${apart < 0 ? "behind" : "ahead of"} ours`,
    );
  return problem(
    `the server's clock is ${seconds} ${apart < 0 ? "behind" : "ahead of"} ours`,
    "Let both machines keep their clocks: sudo timedatectl set-ntp true.",
  );
}

/** There is no question "who am I": the role shows in what it may do. Nothing is written. */
export async function tokenCheck(
  endpoint: Endpoint,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  const remote = createRemote(endpoint, token, signal);
  const shown = token === undefined ? "no token was shown" : "the token is accepted";
  const listed = await attempt(remote.snapshots.projects.query());
  if (listed.kind === "refused" && listed.code === "UNAUTHORIZED")
    return problem(
      token === undefined ? "the server asks for a token, and none was shown" : "the token is not accepted",
      TOKEN_FIX,
    );
  if (listed.kind === "refused" && listed.code === "FORBIDDEN")
    return ok(`${shown}; role: agent (it may not read)`);
  if (listed.kind !== "answered") {
    const { message } = remoteFailure(listed.error, endpoint);
    return problem("it cannot be told what the token may do", message);
  }
  const { projects } = listed.answer;
  const sees = `sees ${projects.length} ${projects.length === 1 ? "project" : "projects"}`;
  if ((await attempt(remote.system.stats.query())).kind === "answered")
    return ok(`${shown}; role: admin, ${sees}`);
  // A first patch without a project is refused as such, but only to those who may write.
  const written = await attempt(remote.snapshots.upsert.mutate({ workspaceId: `doctor-${randomUUID()}` }));
  const mayWrite = written.kind === "refused" && written.code === "BAD_REQUEST";
  return ok(`${shown}; role: ${mayWrite ? "publisher" : "viewer"}, ${sees}`);
}

type Attempt<T> =
  | { readonly kind: "answered"; readonly answer: T }
  | { readonly kind: "refused"; readonly code: string; readonly error: unknown }
  | { readonly kind: "failed"; readonly error: unknown };

async function attempt<T>(call: Promise<T>): Promise<Attempt<T>> {
  try {
    return { kind: "answered", answer: await call };
  } catch (error) {
    const code: unknown = error instanceof TRPCClientError ? error.data?.code : undefined;
    return typeof code === "string" ? { kind: "refused", code, error } : { kind: "failed", error };
  }
}
