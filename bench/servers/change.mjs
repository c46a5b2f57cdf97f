/**
 * What is published: the `n`th change of a run, to the entry of one key. It says so in a mark that the load client finds
 * without parsing: `@@<key>,<n>,<us>@@`, where `us` is CLOCK_MONOTONIC in microseconds.
 */
export const nowUs = () => Math.round(Number(process.hrtime.bigint() / 1000n));

export const markOf = (key, n) => `@@${key},${n},${nowUs()}@@`;

const MARK = /@@(\d+),(\d+),/;

/** @returns [key, n] */
export function readMark(text) {
  const [, key, n] = MARK.exec(text) ?? [];
  return [Number(key), Number(n)];
}

export const workspaceIdOf = (key) => `w-${key}`;
export const scopeNameOf = (scope) => `bench-${scope}`;

/** Makes an entry some 4 KB larger: what fills buffers in few changes. */
export const PADDING = `https://example.org/${"x".repeat(4_000)}`;

/** The frame of a peer that has no store: the same entry, of the same size, as Snapwire sends. */
export function frameOf(entry, { key, n, mark, padded }) {
  return {
    type: "snapshot_changed",
    workspaceId: workspaceIdOf(key),
    entry: {
      ...entry,
      workspaceId: workspaceIdOf(key),
      version: n,
      branchName: mark,
      ...(padded ? { prUrl: PADDING } : {}),
    },
  };
}
