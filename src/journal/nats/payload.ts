/** What stands in a message: JSON with the number of its format, so that an older node can tell what it cannot read. */
import { SnapwireError } from "../../protocol/errors.ts";
import type { Json } from "../journal.ts";

const FORMAT = 1;
/** The largest record, in bytes. A server takes 1 MiB unless told otherwise. */
const MAX_RECORD_BYTES = 512 * 1024;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** @throws {@link SnapwireError} `invalid-input` for a record above the limit. */
export function encodeRecord(key: string, body: Json): Uint8Array {
  const bytes = Buffer.from(JSON.stringify({ format: FORMAT, body }), "utf8");
  if (bytes.length <= MAX_RECORD_BYTES) return bytes;
  throw new SnapwireError(
    "invalid-input",
    `The record of ${key.slice(0, 100)} has ${bytes.length} bytes; ${MAX_RECORD_BYTES} is the most that is stored. Keep what is large elsewhere, and a reference to it here.`,
  );
}

/** `undefined` for what is not ours, or of a newer format. */
export function decodeRecord(bytes: Uint8Array): { readonly body: Json } | undefined {
  const read = parse(bytes);
  if (read?.format !== FORMAT || read.body === undefined) return undefined;
  return { body: read.body };
}

export function encodeFloor(floor: number): Uint8Array {
  return Buffer.from(JSON.stringify({ format: FORMAT, floor }), "utf8");
}

export function decodeFloor(bytes: Uint8Array): number | undefined {
  const floor = parse(bytes)?.floor;
  return typeof floor === "number" && Number.isSafeInteger(floor) && floor >= 0 ? floor : undefined;
}

export function encodeEpoch(epoch: string): Uint8Array {
  return Buffer.from(JSON.stringify({ format: FORMAT, epoch }), "utf8");
}

export function decodeEpoch(bytes: Uint8Array): string | undefined {
  const epoch = parse(bytes)?.epoch;
  return typeof epoch === "string" && epoch !== "" ? epoch : undefined;
}

function parse(bytes: Uint8Array): { readonly [key: string]: Json } | undefined {
  try {
    const read: unknown = JSON.parse(decoder.decode(bytes));
    return typeof read === "object" && read !== null && !Array.isArray(read)
      ? (read as { readonly [key: string]: Json })
      : undefined;
  } catch {
    return undefined;
  }
}
