/** A server, asked once: over HTTP, where one that is not there is told at once. And what its failures mean for a person. */
import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import superjson from "superjson";
import { socketAddress } from "../../client/address.ts";
import { deadlineOf } from "../deadline.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { SnapwireRouter } from "../router/index.ts";
import { CliFailure, EXIT, usageFailure } from "./exit-codes.ts";
import { safeText } from "./safe-text.ts";

/** How long a server may take to answer, in milliseconds. */
const ANSWER_MS = 15_000;

/** Where tRPC is, over both protocols. */
export interface Endpoint {
  readonly http: string;
  readonly ws: string;
  /** Without the path: where `/livez` and `/api/health` are. */
  readonly origin: string;
}

/** Of this machine, as people write it; elsewhere it has to be said whether it is http or https. */
const NEAR = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?(\/|$)/i;

/** @throws {@link CliFailure} with the code for usage. */
export function endpointOf(url: string): Endpoint {
  try {
    const ws = socketAddress(NEAR.test(url) ? `http://${url}` : url, undefined);
    const http = ws.replace(/^ws/, "http");
    return { http, ws, origin: new URL(http).origin };
  } catch (error) {
    if (error instanceof SnapwireError) throw usageFailure(`${capital(error.message)}.`);
    throw error;
  }
}

/** Not in JSON, so not of tRPC: a proxy, a refusal before tRPC begins, another program. */
class ForeignAnswer extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`an answer with status ${status} that is not JSON`);
    this.status = status;
  }
}

export function createRemote(endpoint: Endpoint, token: string | undefined, signal: AbortSignal) {
  return createTRPCClient<SnapwireRouter>({
    links: [
      httpLink({
        url: endpoint.http,
        transformer: superjson,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        fetch: async (input, init) => {
          const deadline = deadlineOf(ANSWER_MS, signal);
          try {
            const given = { ...(init as RequestInit), signal: deadline.signal };
            const response = await fetch(input as string, given);
            const { status, headers } = response;
            if (!headers.get("content-type")?.includes("json")) throw new ForeignAnswer(status);
            return new Response(await response.text(), { status, headers });
          } finally {
            deadline[Symbol.dispose]();
          }
        },
      }),
    ],
  });
}

/** What a failed call means: a line, and a code. */
export function remoteFailure(error: unknown, { http }: Endpoint): CliFailure {
  const fail = (exitCode: CliFailure["exitCode"], message: string): CliFailure =>
    new CliFailure(exitCode, message, { cause: error });
  if (!(error instanceof TRPCClientError)) return fail(EXIT.failure, wordsOf(error));
  const said = safeText(error.message);
  const code: unknown = error.data?.code;
  const status = statusOf(error);
  if (code === "UNAUTHORIZED") return fail(EXIT.denied, `${said} ${TOKEN_FIX}`);
  if (code === "FORBIDDEN") return fail(EXIT.denied, `${said} ${ROLE_FIX}`);
  if (code === "BAD_REQUEST") return fail(EXIT.usage, said);
  if (typeof code === "string") return fail(EXIT.failure, `The server could not do it (${code}): ${said}`);
  if (status === 403)
    return fail(EXIT.denied, `${http} refuses this machine or this name of it (403). ${HOST_FIX}`);
  if (status !== undefined)
    return fail(
      EXIT.cannotConnect,
      `${http} answers (${status}), but not as a Snapwire server does. See that the url is right.`,
    );
  return cannotConnect(http, wordsOf(error.cause ?? error), error);
}

export const TOKEN_FIX =
  "Show a token: SNAPWIRE_TOKEN=<token>, or --token. Make one where the server runs: snapwire token create.";
export const ROLE_FIX =
  "This token is not for that. Make another where the server runs: snapwire token create --role <role> --project <id>.";
const HOST_FIX =
  "Without tokens a server takes connections from its own machine only; make one there: snapwire token create --role admin.";

export function cannotConnect(url: string, why: string, cause?: unknown): CliFailure {
  return new CliFailure(
    EXIT.cannotConnect,
    `Cannot connect to ${safeText(url)}: ${safeText(why.replace(/ \(1006\)$/, ""))}. Start a server there (npx snapwire), or name another: --url <url>.`,
    { cause },
  );
}

/** Undefined: nobody answered. */
function statusOf({ cause, meta }: TRPCClientError<SnapwireRouter>): number | undefined {
  if (cause instanceof ForeignAnswer) return cause.status;
  const response: unknown = meta?.response;
  return response instanceof Response ? response.status : undefined;
}

/** `fetch failed` says nothing; what it was caused by does. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${ANSWER_MS / 1000} s`;
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error && cause.message !== "" ? cause.message : error.message;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
