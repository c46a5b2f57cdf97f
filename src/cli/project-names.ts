/** What is said of a project in which no workspace is known: most often its name is mistyped. */
import { suggestion } from "./nearest.ts";
import { safeText } from "./safe-text.ts";

const SHOWN = 8;

/** ` Did you mean app? There is: app, site.` */
export function knownProjects(asked: string | undefined, known: readonly string[]): string {
  if (known.length === 0) return " There is no project yet.";
  const more = known.length > SHOWN ? ` and ${known.length - SHOWN} more` : "";
  const shown = known.slice(0, SHOWN).map(safeText).join(", ");
  const meant = asked === undefined ? "" : suggestion(asked, known, safeText);
  return `${meant} There is: ${shown}${more}.`;
}
