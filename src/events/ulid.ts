/**
 * ULIDs: 48 bits of milliseconds, 80 random bits, as 26 characters of Crockford's base 32. Two of one generator never
 * tie and never go back: inside a millisecond, or when the clock goes back, the last one is counted up.
 * @see https://github.com/ulid/spec
 */
import { randomBytes } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_CHARACTERS = 10;
const RANDOM_BYTES = 10;
const MAX_TIME = 2 ** 48 - 1;

export interface UlidOptions {
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: () => number;
  /** So many random bytes. */
  readonly random?: (bytes: number) => Uint8Array;
}

export function createUlid({ now = Date.now, random = randomBytes }: UlidOptions = {}): () => string {
  let time = -1;
  let entropy: Uint8Array = new Uint8Array(RANDOM_BYTES);
  return () => {
    const reading = Math.min(MAX_TIME, Math.max(0, Math.floor(now())));
    if (reading > time) {
      time = reading;
      entropy = Uint8Array.from(random(RANDOM_BYTES));
    } else if (!countUp(entropy)) {
      time += 1; // 2^80 in one millisecond: the next one
    }
    return timeText(time) + entropyText(entropy);
  };
}

/** @returns false when it wrapped around to zero */
function countUp(bytes: Uint8Array): boolean {
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    bytes[at] = ((bytes[at] ?? 0) + 1) & 0xff;
    if (bytes[at] !== 0) return true;
  }
  return false;
}

function timeText(time: number): string {
  let text = "";
  let rest = time;
  for (let at = 0; at < TIME_CHARACTERS; at += 1) {
    text = (ALPHABET[rest % 32] ?? "") + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

/** 80 bits are 16 characters of 5. */
function entropyText(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >>> bits) & 31];
      held &= (1 << bits) - 1;
    }
  }
  return text;
}
