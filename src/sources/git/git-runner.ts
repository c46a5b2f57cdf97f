/**
 * Starts git: fixed arguments, no shell, a bounded number at a time over all repositories, a bounded time each.
 */
import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { parse } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pLimit from "p-limit";
import { untilAborted } from "./flight.ts";
import { GIT_SWITCHES, type GitSettings, gitEnvironment, withSettings } from "./git-environment.ts";

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const LONGEST_DEATH_MS = 1_000;
const MAX_MESSAGE_CHARACTERS = 500;

export type GitFailureKind = "missing" | "exit" | "timeout" | "too-much-output" | "cannot-start";

/** One git that did not answer. Stays inside this room: callers of the source see rows, or a `SnapwireError`. */
export class GitFailure extends Error {
  override readonly name = "GitFailure";
  readonly kind: GitFailureKind;
  readonly exitCode: number | null;

  constructor(kind: GitFailureKind, message: string, exitCode: number | null = null) {
    super(message);
    this.kind = kind;
    this.exitCode = exitCode;
  }
}

export interface GitRunnerOptions {
  /** Git processes at a time. */
  readonly concurrency: number;
  /** After this long a git is killed, in milliseconds. */
  readonly timeoutMs: number;
  /** @defaultValue "git", found on PATH */
  readonly executable?: string | undefined;
}

interface GitCommand {
  readonly args: readonly string[];
  /** Configuration that counts for this command only. */
  readonly settings?: GitSettings | undefined;
  /** Exit codes that are answers. @defaultValue [0] */
  readonly answers?: readonly number[] | undefined;
  /**
   * What the command looks at. While a killed git of the same subject has not died (a file server that is away), no
   * further one is started for it: they would only pile up.
   */
  readonly subject?: string | undefined;
}

interface GitAnswer {
  readonly exitCode: number;
  readonly output: string;
}

export interface GitRunner {
  /** @throws {@link GitFailure}, or the signal's reason when it was aborted. */
  run(command: GitCommand, signal?: AbortSignal): Promise<GitAnswer>;
  counts(): { readonly processes: number; readonly running: number };
  /** Resolves when every git that was killed is dead, or after a second: some cannot die while a disk is away. */
  buried(): Promise<void>;
}

export function createGitRunner(options: GitRunnerOptions): GitRunner {
  const executable = options.executable ?? "git";
  const environment = gitEnvironment(process.env);
  const limit = pLimit(options.concurrency);
  const undead = new Set<string>();
  const dying = new Set<Promise<void>>();
  // Our own folder may be deleted while we run, and git refuses to start in one that is gone.
  const cwd = parse(process.execPath).root;
  let processes = 0;
  let running = 0;

  function start(command: GitCommand, signal: AbortSignal | undefined): Promise<GitAnswer> {
    signal?.throwIfAborted();
    const subject = command.subject ?? "";
    if (subject !== "" && undead.has(subject)) {
      throw new GitFailure("timeout", "an earlier git still hangs there; waiting for it to end");
    }
    processes += 1;
    running += 1;
    return new Promise<GitAnswer>((resolve, reject) => {
      let child: ChildProcess | undefined;
      let alive = true;
      const died = (): void => {
        if (alive) running -= 1;
        alive = false;
        undead.delete(subject);
      };
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
      };
      const cut = (reason: unknown): void => {
        settle();
        reject(reason);
        if (!alive || child?.pid === undefined) return;
        if (reason instanceof GitFailure) undead.add(subject);
        const death = once(child, "exit").then(() => void dying.delete(death));
        dying.add(death);
        child.kill("SIGKILL");
        // Whoever inherited the pipes must not keep us waiting for their end.
        child.stdout?.destroy();
        child.stderr?.destroy();
      };
      const onAbort = (): void => cut(signal?.reason);
      const timer = setTimeout(() => {
        cut(new GitFailure("timeout", `git gave no answer within ${options.timeoutMs} ms and was killed`));
      }, options.timeoutMs);
      signal?.addEventListener("abort", onAbort, { once: true });
      const spawnOptions = {
        cwd,
        env: withSettings(environment, command.settings),
        encoding: "buffer",
        maxBuffer: MAX_OUTPUT_BYTES,
        windowsHide: true,
      } as const;
      try {
        child = execFile(executable, [...GIT_SWITCHES, ...command.args], spawnOptions, (error, out, err) => {
          settle();
          died();
          const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : null;
          if (exitCode !== null && (command.answers ?? [0]).includes(exitCode)) {
            resolve({ exitCode, output: out.toString("utf8") });
          } else {
            reject(failureOf(error, exitCode, err.toString("utf8"), executable));
          }
        });
      } catch (error) {
        settle();
        died();
        reject(failureOf(error, null, "", executable));
        return;
      }
      child.once("exit", died);
      child.stdin?.on("error", () => {});
      child.stdin?.end();
    });
  }

  return {
    run: (command, signal) =>
      untilAborted(
        limit(() => start(command, signal)),
        signal,
      ),
    counts: () => ({ processes, running }),
    async buried() {
      const wait = new AbortController();
      const longest = sleep(LONGEST_DEATH_MS, undefined, { ref: false, signal: wait.signal });
      await Promise.race([Promise.all(dying), longest.catch(() => {})]);
      wait.abort();
    },
  };
}

function failureOf(error: unknown, exitCode: number | null, stderr: string, executable: string): GitFailure {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT")
    return new GitFailure("missing", `no program ${JSON.stringify(executable)} was found`);
  if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") {
    return new GitFailure("too-much-output", `git wrote more than ${MAX_OUTPUT_BYTES} bytes`);
  }
  const said = stderr.trim().slice(0, MAX_MESSAGE_CHARACTERS);
  if (exitCode !== null)
    return new GitFailure("exit", said === "" ? `git ended with ${exitCode}` : said, exitCode);
  return new GitFailure("cannot-start", said === "" ? String(error) : said);
}
