/** Reads what a caller sends; what does not fit is refused by a stable reason, in words for a person. */
import { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";

/** Names a project, a workspace, a session... */
export const id = z.string().min(1).max(512);
/** Who says so. */
export const source = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "a kebab-case name of at most 64 characters")
  .optional();
/** tRPC merges the resume point into the input before validation: it must be declared, or resume is dropped silently. */
export const lastEventId = z.string().nullish();
export const observedAt = z.number().min(0).optional();

const SHOWN_ISSUES = 5;

/** A parser for `procedure.input`. */
export function reading<Schema extends z.ZodType>(schema: Schema): (input: unknown) => z.output<Schema> {
  return (input) => {
    const parsed = schema.safeParse(input);
    if (parsed.success) return parsed.data;
    const { issues } = parsed.error;
    const shown = issues
      .slice(0, SHOWN_ISSUES)
      .map(({ path, message }) => [path.map(String).join("."), message].filter(Boolean).join(": "));
    if (issues.length > SHOWN_ISSUES) shown.push(`and ${issues.length - SHOWN_ISSUES} more`);
    throw new SnapwireError("invalid-input", `Not the input of this procedure: ${shown.join("; ")}.`);
  };
}
