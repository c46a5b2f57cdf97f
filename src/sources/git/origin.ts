/** Where a repository was cloned from. Believed as long as its configuration has not changed. */
import { join } from "node:path";
import { createFlight, type Flight } from "./flight.ts";
import { stampOf } from "./git-files.ts";
import type { GitRunner } from "./git-runner.ts";
import { inRepository, type Repository } from "./repository.ts";

/** Undefined: there is no remote `origin`, or git cannot say; never a reason to know less of the rest. */
export function createOrigin(runner: GitRunner, repository: Repository): Flight<string | undefined> {
  let cached: { readonly stamp: string; readonly origin: string | undefined } | undefined;
  return createFlight(async (signal) => {
    const stamp = await stampOf(join(repository.commonDir, "config"));
    if (cached?.stamp === stamp) return cached.origin;
    // Not `remote get-url`: what `insteadOf` makes of it is where to fetch from, not what the forge calls it.
    const args = inRepository(repository, "config", "--get", "remote.origin.url");
    try {
      const { output } = await runner.run({ args, answers: [0, 1], subject: repository.commonDir }, signal);
      cached = { stamp, origin: output.trim().split("\n")[0] || undefined };
    } catch (error) {
      signal.throwIfAborted();
      cached = undefined;
      if (error instanceof Error) return undefined;
      throw error;
    }
    return cached.origin;
  });
}
