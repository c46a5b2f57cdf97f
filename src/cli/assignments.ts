/** `key=value` words to a patch. The schema decides what a value is: JSON where it fits, else the text as it stands. */

import { SnapwireError } from "../protocol/errors.ts";
import { WORKSPACE_FIELDS } from "../workspace/fields.ts";
import { parseWorkspacePatch, type WorkspacePatch } from "../workspace/patch.ts";
import { workspacePatchSchema } from "../workspace/schema.ts";
import { usageFailure } from "./exit-codes.ts";
import { suggestion } from "./nearest.ts";

/** @throws {@link CliFailure} with the code for usage, in the words that the server would use. */
export function readAssignments(words: readonly string[]): WorkspacePatch {
  const patch = new Map<string, unknown>();
  for (const word of words) {
    const [key, text] = split(word);
    if (patch.has(key)) throw usageFailure(`${key} is set twice. Leave one of them out.`);
    if (key === "projectId") throw usageFailure("projectId is set by --project. Leave it out of --set.");
    patch.set(key, readValue(key, text));
  }
  try {
    return parseWorkspacePatch(Object.fromEntries(patch));
  } catch (error) {
    if (error instanceof SnapwireError) throw usageFailure(withSuggestion(error, [...patch.keys()]));
    throw error;
  }
}

function split(word: string): readonly [key: string, text: string] {
  const mark = word.indexOf("=");
  if (mark > 0) return [word.slice(0, mark), word.slice(mark + 1)];
  throw usageFailure(`--set ${JSON.stringify(word)} must be key=value, as in --set prState=OPEN`);
}

/** `null` always clears: to mean the text, write it in quotes as JSON does. */
function readValue(key: string, text: string): unknown {
  const value = asJson(text);
  if (typeof value === "string" || value === null) return value;
  const { shape } = workspacePatchSchema;
  if (!Object.hasOwn(shape, key)) return value;
  const field = shape[key as keyof typeof shape];
  const fits = (one: unknown): boolean => field.safeParse(one).success;
  // A branch may be called 1.0, and a workspace 42.
  return !fits(value) && fits(text) ? text : value;
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function withSuggestion({ reason, message }: SnapwireError, keys: readonly string[]): string {
  if (reason !== "invalid-input") return message;
  const unknown = keys.filter((key) => !WORKSPACE_FIELDS.some((field) => field === key));
  const meant = unknown.map((key) => suggestion(key, WORKSPACE_FIELDS)).join("");
  const all = unknown.length > 0 && meant === "" ? ` Fields: ${WORKSPACE_FIELDS.join(", ")}.` : "";
  return `${message}${meant}${all}`;
}
