/** Reads what a caller sends; what does not fit is refused by a stable reason, in words for a person. */
import type { z } from "zod";
import { SnapwireError } from "../protocol/errors.ts";

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
