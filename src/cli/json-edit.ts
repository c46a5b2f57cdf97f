/**
 * Changes to a JSON text that leave every other character where it is: settings belong to somebody else, with their
 * indents, numbers and, where the program allows them, comments.
 */
export interface JsonMember {
  readonly key: string;
  /** Where the key begins. */
  readonly start: number;
  readonly value: JsonNode;
}

export type JsonNode = { readonly start: number; readonly end: number } & (
  | { readonly kind: "object"; readonly members: readonly JsonMember[] }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "scalar"; readonly value: unknown }
);

export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  readonly line: number;
  readonly column: number;

  constructor(text: string, at: number) {
    const before = text.slice(0, at).split("\n");
    super(`line ${before.length}, column ${(before.at(-1) ?? "").length + 1}`);
    this.line = before.length;
    this.column = (before.at(-1) ?? "").length + 1;
  }
}

const DEEPEST = 200;

/** Comments and commas after the last item are read over. @throws {@link JsonSyntaxError} where it is no JSON. */
export function readJson(text: string): JsonNode {
  const reader = new Reader(text);
  return reader.whole();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.startsWith("\ufeff")) this.#at = 1;
  }

  whole(): JsonNode {
    this.#skip();
    const node = this.#value(0);
    this.#skip();
    if (this.#at < this.#text.length) this.#fail();
    return node;
  }

  #fail(): never {
    throw new JsonSyntaxError(this.#text, this.#at);
  }

  #skip(): void {
    const blank = /(?:[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    blank.lastIndex = this.#at;
    blank.exec(this.#text);
    this.#at = blank.lastIndex;
  }

  #takes(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  #value(depth: number): JsonNode {
    if (depth > DEEPEST) this.#fail();
    const start = this.#at;
    if (this.#takes("{")) return { kind: "object", members: this.#members(depth), start, end: this.#at };
    if (this.#takes("[")) return { kind: "array", items: this.#items(depth), start, end: this.#at };
    return { kind: "scalar", value: this.#scalar(), start, end: this.#at };
  }

  #members(depth: number): JsonMember[] {
    const members: JsonMember[] = [];
    for (;;) {
      this.#skip();
      if (this.#takes("}")) return members;
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail();
      const key = this.#scalar();
      this.#skip();
      if (!this.#takes(":")) this.#fail();
      this.#skip();
      members.push({ key: String(key), start, value: this.#value(depth + 1) });
      this.#skip();
      if (!this.#takes(",") && this.#text[this.#at] !== "}") this.#fail();
    }
  }

  #items(depth: number): JsonNode[] {
    const items: JsonNode[] = [];
    for (;;) {
      this.#skip();
      if (this.#takes("]")) return items;
      items.push(this.#value(depth + 1));
      this.#skip();
      if (!this.#takes(",") && this.#text[this.#at] !== "]") this.#fail();
    }
  }

  #scalar(): unknown {
    const scalar = /"(?:[^"\\\n]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/y;
    scalar.lastIndex = this.#at;
    const found = scalar.exec(this.#text)?.[0];
    if (found === undefined) this.#fail();
    try {
      const value: unknown = JSON.parse(found);
      this.#at += found.length;
      return value;
    } catch {
      return this.#fail();
    }
  }
}

export function memberOf(node: JsonNode, key: string): JsonMember | undefined {
  // Of a key that stands there twice, programs take the last.
  return node.kind === "object" ? node.members.findLast((member) => member.key === key) : undefined;
}

export function plainValue(node: JsonNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "array") return node.items.map(plainValue);
  return Object.fromEntries(node.members.map(({ key, value }) => [key, plainValue(value)]));
}

/** Adds an item to an array, or a member to an object (with its key), after the last one. */
export function appended(text: string, container: JsonNode, value: unknown, key?: string): string {
  const { unit, newline } = styleOf(text);
  const outer = indentAt(text, container.start);
  const inner = outer + unit;
  const written = JSON.stringify(value, null, unit).replaceAll("\n", `${newline}${inner}`);
  const item = key === undefined ? written : `${JSON.stringify(key)}: ${written}`;
  const parts = partsOf(container);
  const last = parts.at(-1);
  if (last !== undefined)
    return `${text.slice(0, last.end)},${newline}${inner}${item}${text.slice(last.end)}`;
  const within = text.slice(container.start + 1, container.end - 1);
  const rest = within.trim() === "" ? `${newline}${outer}` : within;
  return `${text.slice(0, container.start + 1)}${newline}${inner}${item}${rest}${text.slice(container.end - 1)}`;
}

/** The first one outside of a comment. */
const COMMA = /^((?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*),/;

/** Takes the item or member at `index` away, and what parts it from its neighbour. */
export function removedAt(text: string, container: JsonNode, index: number): string {
  const parts = partsOf(container);
  const [part, before, after] = [parts[index], parts[index - 1], parts[index + 1]];
  if (part === undefined) return text;
  if (before !== undefined) {
    const between = text.slice(before.end, part.start);
    // Comments stay; only the comma goes.
    const kept = /^[\s,]*$/.test(between) ? "" : between.replace(COMMA, "$1").replace(/[ \t]+$/, "");
    return text.slice(0, before.end) + kept + text.slice(part.end);
  }
  if (after !== undefined) return text.slice(0, part.start) + text.slice(after.start);
  const rest = text.slice(part.end, container.end - 1).replace(/^\s*,/, "");
  const head = text.slice(0, container.start + 1);
  return `${head}${rest.trim() === "" ? "" : rest}${text.slice(container.end - 1)}`;
}

function partsOf(container: JsonNode): readonly { readonly start: number; readonly end: number }[] {
  if (container.kind === "array") return container.items;
  if (container.kind === "object")
    return container.members.map(({ start, value }) => ({ start, end: value.end }));
  return [];
}

function styleOf(text: string): { readonly unit: string; readonly newline: string } {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  return { unit: /^[ \t]+(?=")/m.exec(text)?.[0] ?? "  ", newline };
}

/** Of the line on which something begins. */
function indentAt(text: string, at: number): string {
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  return /^[ \t]*/.exec(line)?.[0] ?? "";
}
