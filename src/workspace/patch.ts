/**
 * Reading a patch. What comes out shares nothing with what came in, and has only what was said: an explicit `undefined`
 * is absent. What is refused is named, with what was expected instead.
 */
import { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";
import type { WorkspaceEntry, WorkspaceField, WorkspaceFields } from "../protocol/workspace.ts";
import { frozenCopy } from "./frozen.ts";
import { workspacePatchSchema } from "./schema.ts";

/** What was observed of a workspace. Absent (or undefined) leaves a field as it is; null clears where null is allowed. */
export type WorkspacePatch = { readonly [Field in WorkspaceField]?: WorkspaceFields[Field] | undefined };

/** A patch as a caller may write it: of a session, what is not known can be left out. */
export type WorkspacePatchInput = z.input<typeof workspacePatchSchema>;

type NotAField = Exclude<keyof WorkspaceEntry, WorkspaceField>;

const FROM_FIELDS = "the server derives it from the fields; send those";
const FROM_COMMIT = "the server derives it from the commit";

/** The rest of the entry: a client that echoes an entry back must not be able to write it. */
const NOT_FIELDS: Readonly<Record<NotAField, string>> = {
  workspaceId: "the server takes it from the call, beside the patch",
  version: FROM_COMMIT,
  computedAt: FROM_COMMIT,
  source: "the server derives it from the source that is named in the call, beside the patch",
  sidebarStatus: FROM_FIELDS,
  kanbanColumn: FROM_FIELDS,
  flowPhase: FROM_FIELDS,
  ciObservation: FROM_FIELDS,
  ratchetButtonAnimated: FROM_FIELDS,
  statusReason: FROM_FIELDS,
  fieldTimestamps: "the server derives it from the time of each observation",
};

/** @throws SnapwireError `derived-field` or `invalid-input`. */
export function parseWorkspacePatch(input: unknown): WorkspacePatch {
  if (Object.prototype.toString.call(input) !== "[object Object]")
    throw invalid(`expected an object of workspace fields, received ${kindOf(input)}`);
  const said = Object.entries(input as object).filter(([, value]) => value !== undefined);
  for (const [key] of said) refuseDerived(key);
  // Own properties by fromEntries: assigning `__proto__` would not make a key that the schema can refuse.
  const patch = Object.fromEntries(said);
  const parsed = workspacePatchSchema.safeParse(patch);
  if (!parsed.success) throw invalid(describe(parsed.error.issues, patch));
  return frozenCopy(parsed.data);
}

function refuseDerived(key: string): void {
  if (!Object.hasOwn(NOT_FIELDS, key)) return;
  const because = NOT_FIELDS[key as NotAField];
  throw new SnapwireError("derived-field", `Not a workspace patch: ${key} cannot be set: ${because}.`);
}

function invalid(what: string): SnapwireError {
  return new SnapwireError("invalid-input", `Not a workspace patch: ${what}.`);
}

const SHOWN_ISSUES = 5;
const SHOWN_CHARACTERS = 300;

/** Bounded: whoever sends ten thousand wrong keys does not get them all back. */
function describe(issues: readonly z.core.$ZodIssue[], patch: unknown): string {
  const shown = issues.slice(0, SHOWN_ISSUES).map((issue) => describeIssue(issue, patch));
  if (issues.length > SHOWN_ISSUES) shown.push(`and ${issues.length - SHOWN_ISSUES} more`);
  return shown.join("; ");
}

function describeIssue(issue: z.core.$ZodIssue, patch: unknown): string {
  const where = issue.path.length > 0 ? `${z.core.toDotPath(issue.path)}: ` : "";
  const received = issue.path.reduce(partOf, patch);
  const got =
    typeof received === "string" && received.length <= 64 ? `, received ${JSON.stringify(received)}` : "";
  return where + clip(`${issue.message}${got}`, SHOWN_CHARACTERS);
}

function partOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}

function clip(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)} ...` : text;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? Object.prototype.toString.call(value).slice(8, -1) : typeof value;
}
