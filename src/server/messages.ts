/**
 * Reads what a client sends over a WebSocket, message by message. tRPC throws a whole batch away when one message in it
 * is bad, without a word to the others' senders; and a reconnect sends all subscriptions as one batch. So each message
 * is looked at by itself first: a bad one gets its own answer, the good ones go on.
 */
import type { TRPC_ERROR_CODE_KEY } from "@trpc/server/rpc";

export type RequestId = string | number;

export type Message =
  | {
      readonly kind: "request";
      readonly id: RequestId;
      readonly subscription: boolean;
      readonly path: string;
      readonly jsonrpc: "2.0" | undefined;
      /** What the router's transformer made of it. */
      readonly input: unknown;
      readonly lastEventId: string | undefined;
    }
  | { readonly kind: "stop"; readonly id: RequestId }
  | {
      readonly kind: "bad";
      readonly id: RequestId | null;
      readonly path?: string;
      readonly code: TRPC_ERROR_CODE_KEY;
      readonly message: string;
    };

/** An id is echoed in every answer. */
const LONGEST_ID = 128;

/**
 * @param deserialize - the router's own input transformer; what it throws on is bad input here instead of a lost batch.
 */
export function readMessage(raw: unknown, deserialize: (input: unknown) => unknown): Message {
  if (!isRecord(raw)) return bad(null, "PARSE_ERROR", "A message must be an object.");
  const id = readId(raw.id);
  if (id === null)
    return bad(
      null,
      "PARSE_ERROR",
      `A message needs an id: a number, or a string of 1 to ${LONGEST_ID} characters.`,
    );
  if (raw.jsonrpc !== undefined && raw.jsonrpc !== "2.0")
    return bad(id, "PARSE_ERROR", 'jsonrpc must be "2.0".');
  if (raw.method === "subscription.stop") return { kind: "stop", id };
  if (raw.method !== "query" && raw.method !== "mutation" && raw.method !== "subscription")
    return bad(id, "PARSE_ERROR", "method must be query, mutation, subscription or subscription.stop.");
  const { params } = raw;
  if (!isRecord(params) || typeof params.path !== "string")
    return bad(id, "PARSE_ERROR", "params.path must be a string.");
  const { path } = params;
  if (params.lastEventId !== undefined && typeof params.lastEventId !== "string")
    return bad(id, "BAD_REQUEST", "params.lastEventId must be a string.", path);
  let input: unknown;
  try {
    input = deserialize(params.input);
  } catch {
    return bad(id, "BAD_REQUEST", "params.input is not what the router's transformer writes.", path);
  }
  const { jsonrpc } = raw;
  const { lastEventId } = params;
  return {
    kind: "request",
    id,
    subscription: raw.method === "subscription",
    path,
    jsonrpc,
    input,
    lastEventId,
  };
}

/** The connection parameters in the first frame; `undefined` when the frame is anything else. */
export function readConnectionParams(text: string): Record<string, string | undefined> | null | undefined {
  const frame = parseJson(text);
  if (!isRecord(frame) || frame.method !== "connectionParams") return undefined;
  if (frame.data === null) return null;
  if (!isRecord(frame.data)) return undefined;
  const params: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(frame.data)) {
    if (typeof value !== "string") return undefined;
    params[name] = value;
  }
  return params;
}

/** `undefined` for what is not JSON: no JSON text has that value. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readId(id: unknown): RequestId | null {
  if (typeof id === "string") return id.length > 0 && id.length <= LONGEST_ID ? id : null;
  return typeof id === "number" && Number.isFinite(id) ? id : null;
}

function bad(id: RequestId | null, code: TRPC_ERROR_CODE_KEY, message: string, path?: string): Message {
  return path === undefined ? { kind: "bad", id, code, message } : { kind: "bad", id, code, message, path };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
