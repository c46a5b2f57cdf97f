/** A source whose truth is a map, with everything that it was asked, and ways to be slow or to fail. */
import type { Source, SourceContext, SourceRow, UnreadableRow } from "../../src/index.ts";
import { latch } from "./store-parts.ts";

export interface FakeSource extends Source {
  /** The truth: which workspaces exist, and their rows. */
  readonly rows: Map<string, Omit<SourceRow, "workspaceId">>;
  /** When each `list` was asked, in milliseconds since 1970. */
  readonly lists: number[];
  /** What each `read` was asked for. */
  readonly reads: string[][];
  /** Reads that run now. */
  reading: number;
  /** The most that ever ran at once. */
  mostReading: number;
  /** What watching was given. */
  readonly context: () => SourceContext;
  readonly stops: () => number;
  /** Thrown by `list` while it is set. */
  listError: Error | undefined;
  /** Ids at which `read` throws. */
  readonly throwing: Set<string>;
  /** Ids that are answered as unreadable. */
  readonly unreadable: Set<string>;
  /** The next `list` waits after it has seen its list; the answer lets it go on. */
  holdList(): () => void;
  /** The next `read` waits after it has seen its rows; the answer lets it go on. */
  holdRead(): () => void;
  readonly signals: AbortSignal[];
}

export function fakeSource(
  name = "fake",
  rows: Readonly<Record<string, Omit<SourceRow, "workspaceId">>> = {},
): FakeSource {
  let context: SourceContext | undefined;
  let stops = 0;
  const listGates: Promise<void>[] = [];
  const readGates: Promise<void>[] = [];
  const hold = (gates: Promise<void>[]) => () => {
    const { promise, open } = latch();
    gates.push(promise);
    return open;
  };
  const source: FakeSource = {
    name,
    rows: new Map(Object.entries(rows)),
    lists: [],
    reads: [],
    reading: 0,
    mostReading: 0,
    listError: undefined,
    throwing: new Set(),
    unreadable: new Set(),
    signals: [],
    context: () => {
      if (!context) throw new Error("nobody watches");
      return context;
    },
    stops: () => stops,
    holdList: hold(listGates),
    holdRead: hold(readGates),
    watch: (given) => {
      context = given;
      return {
        stop: () => {
          stops += 1;
        },
      };
    },
    async list(signal) {
      source.lists.push(Date.now());
      source.signals.push(signal);
      if (source.listError) throw source.listError;
      const listed = [...source.rows.keys()];
      await listGates.shift();
      return listed;
    },
    async read(workspaceIds, signal) {
      source.reads.push([...workspaceIds]);
      source.signals.push(signal);
      source.reading += 1;
      source.mostReading = Math.max(source.mostReading, source.reading);
      try {
        const found = workspaceIds.map(rowOf);
        await readGates.shift();
        return found.flatMap((row) => (row === undefined ? [] : [row]));
      } finally {
        source.reading -= 1;
      }
    },
  };

  function rowOf(workspaceId: string): SourceRow | UnreadableRow | undefined {
    if (source.throwing.has(workspaceId)) throw new Error(`${workspaceId} breaks the read`);
    if (source.unreadable.has(workspaceId)) return { workspaceId, error: new Error("unreadable") };
    const row = source.rows.get(workspaceId);
    return row && { workspaceId, ...row };
  }

  return source;
}
