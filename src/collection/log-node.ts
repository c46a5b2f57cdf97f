/** One retained entry of a log. */
export interface LogNode<Entry> extends LogItem<Entry> {
  readonly key: string;
  readonly sequence: number;
  /** What is told of it, worded once by whoever tells it. */
  told: unknown;
  /** Trimmed: it still stands in lists that have not been tidied yet. */
  gone: boolean;
}

/** What the product makes of a record. */
export interface LogItem<Entry> {
  /** Frozen. */
  readonly entry: Entry;
  /** What it belongs to: retention counts by it; null = nothing known. */
  readonly scope: string | null;
  /** Floors are kept by scope and type. */
  readonly type: string;
  /** Further lists that it stands in. */
  readonly topics: readonly string[];
  /** When it was committed, in milliseconds since 1970. */
  readonly at: number;
  /** About what it takes, in bytes. */
  readonly bytes: number;
}

/** One of the things that a view is a union of. */
export type LogTarget =
  | { readonly of: "all" }
  | { readonly of: "scope"; readonly scope: string }
  /** Only what belongs to `scope`, where it is given. */
  | { readonly of: "topic"; readonly topic: string; readonly scope?: string };

export interface LogQuery {
  readonly targets: readonly LogTarget[];
  /** Absent: all of them. */
  readonly types?: ReadonlySet<string>;
}

/** Where a node stands: in the list of everything, of its scope, of its topics. */
export const ALL_LIST = "all";
export const scopeList = (scope: string | null): string => (scope === null ? "none" : `scope ${scope}`);
const topicList = (topic: string): string => `topic ${topic}`;

export function listOf(target: LogTarget): string {
  switch (target.of) {
    case "all":
      return ALL_LIST;
    case "scope":
      return scopeList(target.scope);
    case "topic":
      return topicList(target.topic);
  }
}

export function listsOf({ scope, topics }: Pick<LogItem<unknown>, "scope" | "topics">): readonly string[] {
  return [ALL_LIST, scopeList(scope), ...topics.map(topicList)];
}
