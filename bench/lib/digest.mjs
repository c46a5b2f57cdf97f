/** One number for a whole replica: the sum over its keys, as the load clients make it (`digestOf` there). */
function mix(a, b) {
  let x = Math.imul(a, 0x9e3779b1) ^ b;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

const hex = (value) => (value >>> 0).toString(16).padStart(8, "0");

/** @param {Iterable<[key: number, n: number]>} newestOf  n = 0: no such key */
export function digestOf(newestOf) {
  let one = 0;
  let two = 0;
  let size = 0;
  for (const [key, n] of newestOf) {
    if (n === 0) continue;
    one = (one + mix(key + 1, n)) >>> 0;
    two = (two + mix(n, key + 0x51ed27)) >>> 0;
    size += 1;
  }
  return `${size}:${hex(one)}${hex(two)}`;
}
