/**
 * One stretch of watching, from `watch` to `stop`: turns what the file system says into "read this again" and "list
 * again", and polls for what it does not say.
 */

import type { Logger } from "../../log.ts";
import { Coalescer } from "../coalescer.ts";
import type { SourceContext } from "../source.ts";
import type { BaseAnswer } from "./base-branch.ts";
import { manyListeners } from "./flight.ts";
import { type PollOptions, pollGitDirs, pollListing, pollWorkTrees } from "./poll.ts";
import type { Worktree } from "./repository.ts";
import type { RepositoryState } from "./repository-state.ts";
import { createWatchSet, type WatchDirectory } from "./watch-set.ts";
import { isBase, meaningOf, type WatchedDirectory, watchedDirectories } from "./watched-directories.ts";
import { wake } from "./worktree-record.ts";

/** Without watches HEAD and index are looked at this often, at least. */
const POLL_WITHOUT_WATCHES_MS = 2_000;

export interface WatchSessionOptions {
  readonly states: readonly RepositoryState[];
  readonly context: SourceContext;
  readonly pollEveryMs: number;
  readonly open: WatchDirectory;
  readonly logger: Logger;
}

export interface WatchSession {
  /** Watches what is listed now. Before a new worktree is read first, so that no change falls between. */
  follow(): void;
  stop(): Promise<void>;
  readonly watches: number;
  readonly polling: boolean;
}

export function startWatchSession(options: WatchSessionOptions): WatchSession {
  const { states, context, logger } = options;
  const stopping = manyListeners(new AbortController());
  const watches = createWatchSet(options.open, logger);
  const bases = new Map<RepositoryState, BaseAnswer>();
  const work = new Set<Promise<void>>();
  const byProject = new Map(states.map((state) => [state.repository.projectId, state]));
  /** A fetch writes many refs in a row: they are one look. */
  const soon = new Coalescer({
    flush(projectId) {
      const state = byProject.get(projectId);
      if (state !== undefined) track(recheck(state));
    },
  });

  function track(running: Promise<void>): void {
    const tracked: Promise<void> = running
      .catch((error: unknown) => {
        if (!stopping.signal.aborted)
          logger.warn({ error: String(error) }, "watching git met an error; it goes on");
      })
      .finally(() => work.delete(tracked));
    work.add(tracked);
  }

  function touch(state: RepositoryState, worktree: Worktree): void {
    wake(state.recordOf(worktree));
    context.invalidate(worktree.workspaceId, "chatter");
  }

  function touchAll(state: RepositoryState): void {
    for (const worktree of state.listing.present) touch(state, worktree);
  }

  /** Whether the default branch moved, which moves the numbers of every worktree. */
  async function recheck(state: RepositoryState): Promise<void> {
    follow();
    if (state.unreachable !== undefined) return;
    const now = await state.reads.base(stopping.signal).catch(() => undefined);
    if (now === undefined || stopping.signal.aborted) return;
    const before = bases.get(state);
    bases.set(state, now);
    if (before !== undefined && sameBase(before, now)) return;
    follow();
    if (before !== undefined) touchAll(state);
  }

  function onEvent(state: RepositoryState, directory: WatchedDirectory, name: string | null): void {
    if (stopping.signal.aborted) return;
    const { place, worktree } = directory;
    switch (meaningOf(place, name)) {
      case "nothing":
        return;
      case "worktree":
        // HEAD of a bare repository names its default branch.
        if (worktree === undefined) soon.mark(state.repository.projectId);
        else touch(state, state.find(worktree.workspaceId) ?? worktree);
        return;
      case "list":
        context.invalidateList();
        return;
      case "base":
      case "directories":
        soon.mark(state.repository.projectId);
        return;
      case "branch":
        for (const one of state.listing.present) {
          if (state.recordOf(one).branch === name) touch(state, one);
        }
        if (isBase(bases.get(state)?.base ?? null, name ?? "")) soon.mark(state.repository.projectId);
        return;
      case "everything":
        context.invalidateList();
        soon.mark(state.repository.projectId);
        touchAll(state);
        return;
    }
  }

  function follow(): void {
    if (stopping.signal.aborted) return;
    const wanted = new Map<string, (name: string | null) => void>();
    for (const state of states) {
      const base = bases.get(state)?.base ?? null;
      for (const directory of watchedDirectories(state.repository, state.listing.present, base)) {
        wanted.set(directory.path, (name) => onEvent(state, directory, name));
      }
    }
    watches.want(wanted);
  }

  const poll: PollOptions = {
    context,
    logger,
    toldLists: new Map(),
    onUnreachable: (state) => state.markGone(),
  };
  let sinceLooks = 0;

  async function tick(elapsedMs: number): Promise<void> {
    watches.mend();
    sinceLooks += elapsedMs;
    for (const state of states) {
      if (stopping.signal.aborted) return;
      await pollListing(state, poll);
      await recheck(state);
      if (watches.exhausted) await pollGitDirs(state, poll);
    }
    if (sinceLooks < options.pollEveryMs) return;
    sinceLooks = 0;
    await pollWorkTrees(states, poll, stopping.signal);
  }

  let timer: NodeJS.Timeout | undefined;
  function schedule(): void {
    if (stopping.signal.aborted) return;
    const { pollEveryMs } = options;
    const waitMs = watches.exhausted ? Math.min(pollEveryMs, POLL_WITHOUT_WATCHES_MS) : pollEveryMs;
    timer = setTimeout(() => track(tick(waitMs).finally(schedule)), waitMs).unref();
  }

  follow();
  for (const state of states) track(recheck(state));
  schedule();

  return {
    follow,
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      soon.clear();
      watches.close();
      while (work.size > 0) await Promise.all(work);
    },
    get watches() {
      return watches.size;
    },
    get polling() {
      return watches.exhausted;
    },
  };
}

function sameBase(a: BaseAnswer, b: BaseAnswer): boolean {
  return (
    a.base?.ref === b.base?.ref && a.base?.commit === b.base?.commit && a.historyStamp === b.historyStamp
  );
}
