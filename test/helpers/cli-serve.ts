/** `snapwire serve` inside the test, on a repository of its own. */
import { expect, vi } from "vitest";
import { createRemote, endpointOf } from "../../src/cli/remote.ts";
import { type CliWorld, type RunningCli, start } from "./cli-run.ts";
import { createRepository, type TestRepository } from "./git-repository.ts";

export interface ServedRepository extends AsyncDisposable {
  readonly running: RunningCli;
  readonly url: string;
  readonly repository: TestRepository;
  readonly remote: ReturnType<typeof createRemote>;
  /** Entry of a workspace, as anybody may ask. */
  entry(workspaceId: string): Promise<Record<string, unknown> | undefined>;
  shows(workspaceId: string, expected: object): Promise<void>;
}

/** @param prepare - before it is served: worktrees, remotes. */
export async function serveRepository(
  argv: readonly string[] = [],
  { prepare, token, ...world }: CliWorld & { prepare?: (made: TestRepository) => void; token?: string } = {},
): Promise<ServedRepository> {
  const repository = createRepository();
  prepare?.(repository);
  const running = start(["serve", "--port", "0", ...argv], { cwd: repository.path, ...world });
  await vi.waitFor(() => expect(running.stdout.text).toMatch(/Watch .*\n/), { timeout: 10_000 });
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(running.stdout.text)?.[0] ?? "";
  const remote = createRemote(endpointOf(url), token, new AbortController().signal);
  const entry = async (workspaceId: string) =>
    (await remote.snapshots.byWorkspace.query({ workspaceId }))?.entry as Record<string, unknown> | undefined;
  return {
    running,
    url,
    repository,
    remote,
    entry,
    shows: (workspaceId, expected) =>
      vi.waitFor(async () => expect(await entry(workspaceId)).toMatchObject(expected), { timeout: 10_000 }),
    async [Symbol.asyncDispose]() {
      running.signal("SIGTERM");
      await running.done;
      repository[Symbol.dispose]();
    },
  };
}
