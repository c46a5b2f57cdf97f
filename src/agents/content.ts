/** Reads what is to be sent: plain JSON, a copy of its own, of bounded size and depth. */
import { createHash, randomUUID } from "node:crypto";
import type { Json } from "../journal/journal.ts";
import { SnapwireError } from "../protocol/errors.ts";

export interface MessageContent {
  readonly payload: Json;
  readonly text: string | null;
  readonly bytes: number;
}

const MAX_DEPTH = 64;
const MAX_CLIENT_KEY_LENGTH = 512;

/** @throws SnapwireError `invalid-input`: neither payload nor text, not JSON, too deep or too large. */
export function readContent(
  { payload, text }: { readonly payload?: unknown; readonly text?: string | undefined },
  maxBytes: number,
): MessageContent {
  if (payload === undefined && text === undefined) throw refused("A message needs a payload or a text.");
  if (text !== undefined && typeof text !== "string") throw refused("The text of a message must be a text.");
  const json = payload === undefined ? "null" : textOf(payload);
  const bytes = (payload === undefined ? 0 : Buffer.byteLength(json)) + Buffer.byteLength(text ?? "");
  if (bytes > maxBytes)
    throw refused(`A message may hold ${maxBytes} bytes of JSON; this one holds ${bytes}.`);
  if (isDeeperThan(MAX_DEPTH, json)) throw refused(`A payload may be ${MAX_DEPTH} levels deep.`);
  return { payload: JSON.parse(json) as Json, text: text ?? null, bytes };
}

function textOf(payload: unknown): string {
  try {
    const json: string | undefined = JSON.stringify(payload);
    if (json !== undefined) return json;
  } catch {
    // a cycle, a bigint, or deeper than the stack
  }
  throw refused("The payload of a message must be plain JSON.");
}

function isDeeperThan(limit: number, json: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (inText) {
      if (char === "\\") at += 1;
      else if (char === '"') inText = false;
    } else if (char === '"') inText = true;
    else if (char === "[" || char === "{") {
      depth += 1;
      if (depth > limit) return true;
    } else if (char === "]" || char === "}") depth -= 1;
  }
  return false;
}

/** The same for the same key of the same sender to the same device, on every node; without a key a new one each time. */
export function messageIdOf(deviceId: string, sender: string, clientKey: string | undefined): string {
  if (clientKey === undefined) return randomUUID();
  if (clientKey.length === 0 || clientKey.length > MAX_CLIENT_KEY_LENGTH)
    throw refused(`A clientKey must be a text of 1 to ${MAX_CLIENT_KEY_LENGTH} characters.`);
  const digest = createHash("sha256").update(JSON.stringify([deviceId, sender, clientKey]));
  return digest.digest("base64url").slice(0, 32);
}

function refused(message: string): SnapwireError {
  return new SnapwireError("invalid-input", message);
}
