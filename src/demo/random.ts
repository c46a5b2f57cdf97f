/** Random numbers that a seed repeats. */
export interface Random {
  /** A whole number from 0 to below `count`. */
  below(count: number): number;
  chance(share: number): boolean;
}

/** Mulberry32: small, and the same everywhere. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return { below: (count) => Math.floor(next() * count), chance: (share) => next() < share };
}
