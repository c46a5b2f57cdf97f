/**
 * Frames as bytes: a change is turned into JSON once, however many subscribers get it, and into a ready WebSocket frame
 * once for all sockets that use the same request id.
 *
 * What is kept is bounded: bodies by bytes (the oldest go first), ready frames by the number of request ids.
 */
import type { TrackedFrame } from "../../protocol/frames.ts";

/** Turns the data of a frame into what the router's transformer sends. */
export type Serialize = (data: unknown) => unknown;

export interface EncoderStats {
  /** Frames that were turned into JSON. */
  encodes: number;
  /** Bytes of bodies that are kept for others who need them. */
  keptBytes: number;
}

/** Bodies kept for subscribers that have not got them yet, in bytes, per mount. */
const KEEP_BYTES = 16 * 1024 * 1024;

export class FrameEncoder {
  readonly #serialize: Serialize;
  readonly #keepBytes: number;
  /** The newest body per slot, oldest first. */
  readonly #bodies = new Map<object, { readonly frame: TrackedFrame<unknown>; readonly body: Buffer }>();
  readonly stats: EncoderStats = { encodes: 0, keptBytes: 0 };

  constructor(serialize: Serialize, keepBytes = KEEP_BYTES) {
    this.#serialize = serialize;
    this.#keepBytes = keepBytes;
  }

  /**
   * What follows the request id in tRPC's message: `{"type":"data","data":...,"id":"..."}}`. The same bytes that tRPC
   * itself would have sent.
   * @param slot - Keeps one body: what a newer frame of the same slot says takes the place of the older.
   */
  body(frame: TrackedFrame<unknown>, slot: object): Buffer {
    const known = this.#bodies.get(slot);
    if (known?.frame === frame) return known.body;
    const { id, data } = frame;
    const json = JSON.stringify(this.#serialize({ id, data }));
    const body = Buffer.from(`{"type":"data","data":${json},"id":${JSON.stringify(id)}}}`);
    this.stats.encodes += 1;
    this.#keep(slot, frame, body);
    return body;
  }

  #keep(slot: object, frame: TrackedFrame<unknown>, body: Buffer): void {
    this.stats.keptBytes += body.length - (this.#bodies.get(slot)?.body.length ?? 0);
    this.#bodies.delete(slot);
    this.#bodies.set(slot, { frame, body });
    for (const [oldest, { body: dropped }] of this.#bodies) {
      if (this.stats.keptBytes <= this.#keepBytes || oldest === slot) break;
      this.#bodies.delete(oldest);
      this.stats.keptBytes -= dropped.length;
    }
  }
}

const FINAL_TEXT_FRAME = 0x81;
const TWO_BYTES = 126;
const EIGHT_BYTES = 127;

/**
 * One buffer with one WebSocket text frame per body, each `prefix + body`.
 * @see RFC 6455, section 5.2: a server's frames are not masked.
 */
export function textFrames(prefix: string, bodies: readonly Buffer[]): Buffer {
  const before = Buffer.byteLength(prefix);
  let total = 0;
  for (const body of bodies) total += headerBytes(before + body.length) + before + body.length;
  const frames = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const body of bodies) {
    at = writeHeader(frames, at, before + body.length);
    at += frames.write(prefix, at);
    at += body.copy(frames, at);
  }
  return frames;
}

function headerBytes(length: number): number {
  if (length < TWO_BYTES) return 2;
  return length < 65_536 ? 4 : 10;
}

function writeHeader(frames: Buffer, at: number, length: number): number {
  frames[at] = FINAL_TEXT_FRAME;
  if (length < TWO_BYTES) {
    frames[at + 1] = length;
    return at + 2;
  }
  if (length < 65_536) {
    frames[at + 1] = TWO_BYTES;
    return frames.writeUInt16BE(length, at + 2);
  }
  frames[at + 1] = EIGHT_BYTES;
  return frames.writeBigUInt64BE(BigInt(length), at + 2);
}
