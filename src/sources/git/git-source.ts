/** The git source: every worktree of the given repositories is a workspace. */
import { sep } from "node:path";
import { type Logger, silentLogger } from "../../log.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import type { Source, SourceContext, SourceRow, SourceWatch, UnreadableRow } from "../source.ts";
import { createFlight, type Flight, withSharedSignal } from "./flight.ts";
import { exists } from "./git-files.ts";
import { createGitRunner } from "./git-runner.ts";
import { type FoundRepository, identifyRepository, refusal, requireGit } from "./identify.ts";
import type { Repository, Worktree } from "./repository.ts";
import { openRepository, type RepositoryState } from "./repository-state.ts";
import { startWatchSession, type WatchSession } from "./watch-session.ts";
import { type WatchDirectory, watchDirectory } from "./watch-set.ts";
import { folderName, nameProjects } from "./workspace-ids.ts";
import { isKnownToGit } from "./worktree-listing.ts";
import { rest, type WorktreeRecord } from "./worktree-record.ts";
import { readRow } from "./worktree-row.ts";

export interface GitSourceOptions {
  /** Any path inside a repository; the same repository given twice is one. */
  readonly repositories: readonly string[];
  /** From the end of one poll for unstaged edits to the start of the next. @defaultValue 10_000 */
  readonly pollEveryMs?: number | undefined;
  /** Git processes at a time, over all repositories. @defaultValue 10 */
  readonly concurrency?: number | undefined;
  /** After this long a git is killed. @defaultValue 15_000 */
  readonly timeoutMs?: number | undefined;
  readonly logger?: Logger | undefined;
  /** Milliseconds since 1970; compared with the times of files. */
  readonly now?: (() => number) | undefined;
  /** The git to run. @defaultValue "git", found on PATH */
  readonly executable?: string | undefined;
  /** How a directory is watched. @defaultValue `fs.watch` */
  readonly watchDirectory?: WatchDirectory | undefined;
}

export interface FoundProject {
  readonly projectId: string;
  readonly path: string;
  /** The name that another repository had first. */
  readonly renamedFrom?: string;
}

interface GitSourceStats {
  /** Worktrees read through `read`. */
  readonly reads: number;
  /** Git processes started, for whatever purpose. */
  readonly processes: number;
  /** Git processes at this moment. */
  readonly running: number;
  /** Directories watched now. */
  readonly watches: number;
  /** Watches ran out: polling in their place. */
  readonly polling: boolean;
}

export interface GitSource extends Source {
  readonly repositoriesFound: readonly FoundProject[];
  /** Where each project was cloned from, as its remote `origin` says; those without one are left out. As of the last list. */
  origins(): ReadonlyMap<string, string>;
  /** The workspace in whose folder a path is, links resolved; the innermost one. As of the last list. */
  workspaceAt(path: string): string | undefined;
  stats(): GitSourceStats;
}

type Row = SourceRow | UnreadableRow;

/**
 * @throws {@link SnapwireError} `invalid-input` for a path that is in no repository or that git refuses to read,
 * `unavailable` when there is no git, or one older than 2.36.
 */
export async function createGitSource(options: GitSourceOptions): Promise<GitSource> {
  const { pollEveryMs = 10_000, concurrency = 10, timeoutMs = 15_000, logger = silentLogger } = options;
  const now = options.now ?? Date.now;
  for (const [name, value] of Object.entries({ pollEveryMs, concurrency, timeoutMs })) {
    if (Number.isSafeInteger(value) && value > 0) continue;
    throw new SnapwireError("invalid-input", `${name} must be a whole number above 0, and is ${value}.`);
  }
  if (options.repositories.length === 0) {
    throw new SnapwireError(
      "invalid-input",
      "No repository was named. Name at least one folder that is in one.",
    );
  }
  const runner = createGitRunner({ concurrency, timeoutMs, executable: options.executable });
  await requireGit(runner);
  const found = new Map<string, FoundRepository>();
  for (const one of await Promise.all(options.repositories.map((path) => identifyRepository(runner, path)))) {
    const known = found.get(one.commonDir);
    // Of two paths into one repository the one that knows the main folder says more.
    if (known === undefined || known.mainPath === null) found.set(one.commonDir, one);
  }
  const ids = nameProjects([...found.values()].map((one) => one.path));

  const flights = new WeakMap<WorktreeRecord, Flight<Row | undefined>>();
  let session: WatchSession | undefined;
  let context: SourceContext | undefined;
  let reads = 0;

  const onReach = ({ repository, unreachable }: RepositoryState): void => {
    context?.setFresh(repository.projectId, unreachable === undefined, unreachable);
  };
  const states = await Promise.all(
    [...found.values()].map((one) => {
      const repository: Repository = { ...one, projectId: ids.get(one.path) ?? folderName(one.path) };
      return openRepository({ runner, repository, logger, now, onReach }).catch((cause: unknown) => {
        throw refusal(one.path, cause);
      });
    }),
  );
  const repositoriesFound = states.map(({ repository: { projectId, path } }): FoundProject => {
    const name = folderName(path);
    if (name === projectId) return { projectId, path };
    logger.info({ projectId, path }, `another repository is called ${JSON.stringify(name)} too`);
    return { projectId, path, renamedFrom: name };
  });

  function stateOf(workspaceId: string): RepositoryState | undefined {
    return states.find((state) => workspaceId.startsWith(`${state.repository.projectId}/`));
  }

  async function readOne(workspaceId: string, signal: AbortSignal): Promise<Row | undefined> {
    const state = stateOf(workspaceId);
    if (state === undefined) return undefined;
    // One that came after the last list: git is asked only when there is a directory of that name.
    if (state.find(workspaceId) === undefined && (await isKnownToGit(state.repository, workspaceId))) {
      await listAgain(state, signal);
    }
    const worktree = state.find(workspaceId);
    if (worktree === undefined) return await absent(state, workspaceId);
    const record = state.recordOf(worktree);
    const flight =
      flights.get(record) ??
      createFlight((joined) => readNow(state, state.find(workspaceId) ?? worktree, record, joined));
    flights.set(record, flight);
    return await flight(signal);
  }

  async function readNow(
    state: RepositoryState,
    worktree: Worktree,
    record: WorktreeRecord,
    signal: AbortSignal,
  ): Promise<Row | undefined> {
    reads += 1;
    const row = await readRow({ reads: state.reads, worktree, record, logger, signal });
    rest(record);
    if (row !== undefined) return row;
    // Not where it was listed: gone, unless git says that it was moved.
    await listAgain(state, signal);
    const again = state.find(worktree.workspaceId);
    if (again === undefined || state.unreachable !== undefined) {
      return await absent(state, worktree.workspaceId);
    }
    return await readRow({
      reads: state.reads,
      worktree: again,
      record: state.recordOf(again),
      logger,
      signal,
    });
  }

  /** Gone; but of a repository that cannot be reached nobody knows what is gone. */
  async function absent(state: RepositoryState, workspaceId: string): Promise<UnreadableRow | undefined> {
    if (!(await exists(state.repository.commonDir))) state.markGone();
    if (state.unreachable === undefined) return undefined;
    return {
      workspaceId,
      error: new Error(`${state.repository.path} cannot be reached: ${state.unreachable}`),
    };
  }

  async function listAgain(state: RepositoryState, signal: AbortSignal): Promise<void> {
    const others = await state.refresh(signal);
    session?.follow();
    for (const { workspaceId } of others) context?.invalidate(workspaceId, "chatter");
  }

  return {
    name: "git",
    repositoriesFound,
    projects: () => states.map((state) => state.repository.projectId),
    async list(signal) {
      await withSharedSignal(signal, async (shared) => {
        await Promise.all(states.map((state) => listAgain(state, shared)));
      });
      return states.flatMap((state) => state.listing.present.map((worktree) => worktree.workspaceId));
    },
    async read(workspaceIds, signal) {
      const rows = await withSharedSignal(signal, (shared) =>
        Promise.all(workspaceIds.map((id) => readOne(id, shared).catch(unreadable(id, shared)))),
      );
      return rows.filter((row) => row !== undefined);
    },
    watch(given): SourceWatch {
      context = given;
      const begun = startWatchSession({
        states,
        context: given,
        pollEveryMs,
        open: options.watchDirectory ?? watchDirectory,
        logger,
      });
      session = begun;
      for (const state of states) if (state.unreachable !== undefined) onReach(state);
      return {
        async stop() {
          if (session === begun) {
            session = undefined;
            context = undefined;
          }
          await begun.stop();
          await runner.buried();
        },
      };
    },
    origins: () =>
      new Map(
        states.flatMap(({ repository, origin }) =>
          origin === undefined ? [] : [[repository.projectId, origin] as const],
        ),
      ),
    workspaceAt(path) {
      let innermost: Worktree | undefined;
      for (const worktree of states.flatMap((state) => state.listing.present)) {
        const isInside = path === worktree.path || path.startsWith(worktree.path.replace(/\/?$/, sep));
        if (isInside && worktree.path.length > (innermost?.path.length ?? 0)) innermost = worktree;
      }
      return innermost?.workspaceId;
    },
    stats: () => ({
      reads,
      ...runner.counts(),
      watches: session?.watches ?? 0,
      polling: session?.polling ?? false,
    }),
  };
}

/** Whatever goes wrong with one worktree is that one's. */
function unreadable(workspaceId: string, signal: AbortSignal): (error: unknown) => UnreadableRow {
  return (error) => {
    signal.throwIfAborted();
    return { workspaceId, error };
  };
}
