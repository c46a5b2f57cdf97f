/**
 * Payloads as plain JSON: what a transformer has nothing to annotate, no reader trips over, and nobody can change
 * afterwards.
 */
import { SnapwireError } from "../protocol/errors.ts";
import type { JsonObject } from "../protocol/event-types.ts";

/** As JSON, in bytes. */
export const MAX_PAYLOAD_BYTES = 256 * 1024;
const MAX_DEPTH = 32;
/** Serialisers refuse them on the way out, where it would hit every subscriber. */
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

export interface PlainPayload {
  readonly payload: JsonObject;
  readonly bytes: number;
}

/** A frozen copy. @throws {@link SnapwireError} `invalid-input` */
export function plainPayload(type: string, value: unknown): PlainPayload {
  let text: string | undefined;
  try {
    assertPlain(type, value);
    text = JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof SnapwireError) throw cause;
    throw refused(type, "is not JSON", cause);
  }
  const bytes = text === undefined ? 0 : Buffer.byteLength(text);
  if (bytes > MAX_PAYLOAD_BYTES)
    throw refused(type, `has ${bytes} bytes; at most ${MAX_PAYLOAD_BYTES} fit. Refer to what is larger`);
  const payload: unknown = text === undefined ? undefined : JSON.parse(text);
  if (typeof payload !== "object" || payload === null || Array.isArray(payload))
    throw refused(type, "is not an object");
  return { payload: frozen(payload) as JsonObject, bytes };
}

/** Looks before anything else does: what recurses over a payload may rely on its depth. */
export function assertPlain(type: string, value: unknown, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth === MAX_DEPTH) throw refused(type, `is nested deeper than ${MAX_DEPTH} levels`);
  for (const [key, inner] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key)) throw refused(type, `has a key ${key}, which no receiver may take`);
    assertPlain(type, inner, depth + 1);
  }
}

export function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}

function refused(type: string, why: string, cause?: unknown): SnapwireError {
  return new SnapwireError("invalid-input", `The payload of ${type} ${why}.`, { cause });
}
