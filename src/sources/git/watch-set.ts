/**
 * A set of directories to be watched, each one directory deep. What cannot be watched now (it does not exist yet, or the
 * system has no watch left) stays wanted, and `mend` tries again.
 */
import { type FSWatcher, statSync, watch } from "node:fs";
import { basename } from "node:path";
import type { Logger } from "../../log.ts";

interface DirectoryWatch {
  close(): void;
}

/**
 * Watches one directory, not what is below it. Throws as `fs.watch` does.
 * @param onEvent the name that changed in it, or null when the system did not say
 */
export type WatchDirectory = (
  path: string,
  onEvent: (name: string | null) => void,
  onError: () => void,
) => DirectoryWatch;

export interface WatchSet {
  /** Replaces what is wanted: watches begin and end accordingly. */
  want(directories: ReadonlyMap<string, (name: string | null) => void>): void;
  /** Watches again what was replaced or came into being. */
  mend(): void;
  close(): void;
  readonly size: number;
  /** The system refused a watch for want of resources: events cannot be relied on. */
  readonly exhausted: boolean;
}

interface Wanted {
  onEvent: (name: string | null) => void;
  watch?: DirectoryWatch | undefined;
  /** Device and inode of the directory that is watched: a path can come to mean another one. */
  identity?: string | undefined;
}

/** Out of watches, out of watch instances, out of file descriptors. */
const EXHAUSTED: ReadonlySet<unknown> = new Set(["ENOSPC", "EMFILE", "ENFILE", "ENOMEM"]);

export const watchDirectory: WatchDirectory = (path, onEvent, onError) => {
  // Not persistent: a watch is no reason for the process to live on.
  const watcher: FSWatcher = watch(path, { persistent: false, recursive: false }, (_kind, name) =>
    onEvent(name),
  );
  watcher.on("error", onError);
  return { close: () => watcher.close() };
};

export function createWatchSet(open: WatchDirectory, logger: Logger): WatchSet {
  const wanted = new Map<string, Wanted>();
  let exhausted = false;

  function end(entry: Wanted): void {
    entry.watch?.close();
    entry.watch = undefined;
    entry.identity = undefined;
  }

  /** @returns whether it makes sense to try further ones. */
  function begin(path: string, entry: Wanted): boolean {
    const identity = identityOf(path);
    if (identity === undefined) return true;
    try {
      const onEvent = (name: string | null): void => {
        // The system's last word on a directory that goes away bears the directory's own name.
        if ((name === basename(path) || name === null) && identityOf(path) !== entry.identity) end(entry);
        entry.onEvent(name);
      };
      entry.watch = open(path, onEvent, () => {
        end(entry);
        entry.onEvent(null);
      });
      entry.identity = identity;
      return true;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (!EXHAUSTED.has(code)) {
        logger.debug({ path, error: String(error) }, "a git directory cannot be watched");
        return true;
      }
      if (!exhausted) {
        logger.warn(
          { code },
          "no watches left for git directories: polling instead; raise the system's limit to end it",
        );
      }
      exhausted = true;
      return false;
    }
  }

  function mend(): void {
    const refusedBefore = exhausted;
    for (const [path, entry] of wanted) {
      if (entry.watch !== undefined && identityOf(path) !== entry.identity) end(entry);
      if (entry.watch === undefined && !begin(path, entry)) return;
    }
    exhausted = false;
    if (refusedBefore) logger.info({}, "all git directories are watched again: no more polling");
  }

  return {
    want(directories) {
      for (const [path, entry] of wanted) {
        if (directories.has(path)) continue;
        end(entry);
        wanted.delete(path);
      }
      for (const [path, onEvent] of directories) {
        const entry = wanted.get(path) ?? { onEvent };
        entry.onEvent = onEvent;
        wanted.set(path, entry);
        if (entry.watch === undefined && !exhausted) begin(path, entry);
      }
    },
    mend,
    close() {
      for (const entry of wanted.values()) end(entry);
      wanted.clear();
    },
    get size() {
      return [...wanted.values()].filter((entry) => entry.watch !== undefined).length;
    },
    get exhausted() {
      return exhausted;
    },
  };
}

function identityOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}.${ino}`;
  } catch {
    return undefined;
  }
}
