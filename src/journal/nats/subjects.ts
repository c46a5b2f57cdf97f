/**
 * Where things stand in a stream. One token per name, so that no name can be a prefix, a wildcard or a separator:
 *
 *     <prefix>.<s|e>.<collection>.k.<key>     the newest record of a key
 *     <prefix>.<s|e>.<collection>.f.<scope>   the floor of a scope, `~` for the one of absent scopes
 *     <prefix>.<s|e>.<collection>.m           a mark: a place in the order, nothing else
 *     <prefix>.<s|e>.meta.epoch               the name of this life of the order
 *     <prefix>.live.<s|e>.>                   the same again, as the server repeats each message once it is stored
 */
import { SnapwireError } from "../../protocol/errors.ts";

export type Place =
  | { readonly kind: "record"; readonly collection: string; readonly key: string }
  | { readonly kind: "floor"; readonly collection: string; readonly scope: string | null }
  | { readonly kind: "mark"; readonly collection: string }
  | { readonly kind: "epoch" };

/** None of these stands in the alphabet of base64url. */
const EMPTY = "=";
/** In front of a name that is no text, such as half a surrogate pair: its code units. */
const UNITS = "==";
const ABSENT = "~";
const META = "meta";
/** A server's line is 4 KiB by default, and the reply subject and sizes stand in it too. */
const MAX_SUBJECT_BYTES = 3_072;
const COLLECTION = /^[a-z][a-z0-9-]{0,31}$/;

export function encodeToken(name: string): string {
  if (name === "") return EMPTY;
  const bytes = Buffer.from(name, "utf8");
  if (bytes.toString("utf8") === name) return bytes.toString("base64url");
  return UNITS + Buffer.from(name, "utf16le").toString("base64url");
}

export function decodeToken(token: string): string {
  if (token === EMPTY) return "";
  if (token.startsWith(UNITS)) return Buffer.from(token.slice(UNITS.length), "base64url").toString("utf16le");
  return Buffer.from(token, "base64url").toString("utf8");
}

export interface Subjects {
  /** What the stream takes. */
  readonly all: string;
  /** Where the server repeats it. */
  readonly live: string;
  readonly epoch: string;
  /** @throws {@link SnapwireError} `invalid-input` for a key that is too long to be a subject. */
  record(collection: string, key: string): string;
  floor(collection: string, scope: string | null): string;
  mark(collection: string): string;
  /** Everything of one collection. */
  collection(collection: string): string;
  /** `undefined` for a subject that is not ours: a newer version's, perhaps. */
  parse(subject: string): Place | undefined;
}

export function subjectsOf(prefix: string, stream: "s" | "e"): Subjects {
  const root = `${prefix}.${stream}`;
  const bounded = (subject: string, what: string): string => {
    if (subject.length <= MAX_SUBJECT_BYTES) return subject;
    throw new SnapwireError(
      "invalid-input",
      `${what} is too long: ${MAX_SUBJECT_BYTES / 2} bytes is about the most.`,
    );
  };
  return {
    all: `${root}.>`,
    live: `${prefix}.live.${stream}.>`,
    epoch: `${root}.${META}.epoch`,
    record: (collection, key) => bounded(`${root}.${collection}.k.${encodeToken(key)}`, "A key"),
    floor: (collection, scope) =>
      bounded(
        `${root}.${collection}.f.${scope === null ? ABSENT : encodeToken(scope)}`,
        "The name of a scope",
      ),
    mark: (collection) => `${root}.${collection}.m`,
    collection: (collection) => `${root}.${collection}.>`,
    parse: (subject) => {
      if (!subject.startsWith(`${root}.`)) return undefined;
      const [collection = "", kind, token, ...more] = subject.slice(root.length + 1).split(".");
      if (more.length > 0) return undefined;
      if (collection === META) return kind === "epoch" && token === undefined ? { kind: "epoch" } : undefined;
      if (kind === "m" && token === undefined) return { kind: "mark", collection };
      if (token === undefined) return undefined;
      if (kind === "k") return { kind: "record", collection, key: decodeToken(token) };
      if (kind === "f")
        return { kind: "floor", collection, scope: token === ABSENT ? null : decodeToken(token) };
      return undefined;
    },
  };
}

/** Collections are named by this package, not by its callers: plain words that can be read in a subject. */
export function assertCollection(name: string): void {
  if (COLLECTION.test(name) && name !== META) return;
  throw new SnapwireError("invalid-input", `${JSON.stringify(name)} cannot be the name of a collection.`);
}
