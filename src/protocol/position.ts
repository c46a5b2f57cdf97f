/**
 * A position is `<tag>.<sequence>[.<kind>]`: where a subscriber stands in one scope of one collection.
 *
 * The tag is an opaque digest of (epoch, view revision, collection, scope), so that a position from another life of the
 * order, another model or another scope is seen as foreign. The sequence is the commit's. The kind keeps the ids of
 * control frames apart from those of deltas, because a client drops a frame whose id it has already seen.
 */
export interface Position {
  /** 12 characters of base64url. */
  readonly tag: string;
  /** An integer, 0 to 2^53 - 1. */
  readonly sequence: number;
  readonly kind?: PositionKind;
}

/** f full, r resumed, g gap, e ended, p progress, s status; a delta has none. */
export type PositionKind = "f" | "r" | "g" | "e" | "p" | "s";

export const POSITION_TAG_LENGTH = 12;

const PATTERN = /^([A-Za-z0-9_-]{12})\.(0|[1-9][0-9]{0,15})(?:\.([frgeps]))?$/;

export function formatPosition(tag: string, sequence: number, kind?: PositionKind): string {
  return kind === undefined ? `${tag}.${sequence}` : `${tag}.${sequence}.${kind}`;
}

/** Reads a position; `undefined` for anything that {@link formatPosition} could not have written. */
export function parsePosition(text: unknown): Position | undefined {
  if (typeof text !== "string") return undefined;
  const match = PATTERN.exec(text);
  if (!match) return undefined;
  const [, tag, digits, kind] = match;
  const sequence = Number(digits);
  if (tag === undefined || !Number.isSafeInteger(sequence)) return undefined;
  return kind === undefined ? { tag, sequence } : { tag, sequence, kind: kind as PositionKind };
}
