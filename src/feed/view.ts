/** What the feed walks: the list of one scope, whatever it is a list of. */
export interface FeedNode<Entry> {
  readonly key: string;
  /** Its commit. */
  readonly sequence: number;
  /** Null: a removal. */
  readonly entry: Entry | null;
  /** What is told of it, worded once by whoever tells it. */
  told: unknown;
}

export interface FeedView<Entry> {
  /** The tag of the positions in it. */
  readonly tag: string;
  /** A cursor below it may have missed something that is not in the list any more. */
  readonly floor: number;
  /** The newest sequence in the list; 0 when it never had one. */
  readonly latest: number;
  /** Counts what becomes visible in it. */
  readonly changes: number;
  /** The oldest node above `sequence`. @param hint - The node that the caller took last. */
  after(sequence: number, hint?: FeedNode<Entry>): FeedNode<Entry> | undefined;
}

/** Where the feed finds its scopes: a collection, or a log. */
export interface FeedSource<Entry> {
  readonly loaded: boolean;
  readonly head: number;
  tagOf(scope: string): string;
  floorOf(scope: string): number;
  view(scope: string): FeedView<Entry> | undefined;
  authoritativeHead(): Promise<number>;
  applied(sequence: number, signal?: AbortSignal): Promise<void>;
  /** Somebody watches the scope from now on; absent where views do not depend on it. */
  watched?(scope: string): void;
  /** Nobody does any more. */
  unwatched?(scope: string): void;
}
