/** The journal that several nodes share, from the one url that names it. */
import { hostname } from "node:os";
import type { Journal } from "../journal/journal.ts";
import { createNatsJournal, natsOptionsFromUrl } from "../journal/nats/index.ts";
import type { Logger } from "../log.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { usageFailure } from "./exit-codes.ts";

/** A change of leader takes some seconds; what our own sources saw meanwhile is better late than lost. */
const WRITE_WAIT_MS = 8_000;

/** @throws {@link CliFailure} with the code for usage, for a url that says what cannot be. */
export function sharedJournal(url: string | undefined, logger: Logger): Journal | undefined {
  if (url === undefined) return undefined;
  try {
    return createNatsJournal({ writeWaitMs: WRITE_WAIT_MS, ...natsOptionsFromUrl(url), logger });
  } catch (error) {
    if (error instanceof SnapwireError && error.reason === "invalid-input")
      throw usageFailure(`--journal: ${error.message}`);
    throw error;
  }
}

/** What this node is called among those that share the journal. */
export const nodeName = (url: string): string => natsOptionsFromUrl(url).name ?? hostname();

/**
 * Whose the worktrees are that git finds here. Each node removes what its own source has lost: those that see the same
 * folders share a name, all others need one of their own, and keep it over restarts.
 */
export function sourceName(url: string | undefined): string {
  if (url === undefined) return "git";
  return `git-${nodeName(url)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")}`;
}
