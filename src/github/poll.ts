/**
 * The poll: for those who cannot receive webhooks. It asks only for branches that have a workspace, and writes what it
 * hears as the same facts, so that both ways may run beside each other.
 */
import pLimit from "p-limit";
import { z } from "zod";
import type { Logger } from "../log.ts";
import type { Github } from "./github.ts";
import type { Observation, PullObservation } from "./observation.ts";
import {
  checkObservation,
  checkRunSchema,
  pullObservation,
  pullSchema,
  read,
  reviewObservations,
  reviewSchema,
  statusObservation,
  statusSchema,
  workflowObservations,
  workflowRunSchema,
} from "./payloads.ts";
import { type Answer, RateLimited, Rest } from "./rest.ts";

export interface GithubPollOptions {
  readonly github: Pick<Github, "branches" | "observe">;
  readonly token: string;
  /** From the end of one pass to the start of the next, in milliseconds. @defaultValue 60_000 */
  readonly everyMs?: number;
  readonly api?: string;
  readonly logger: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const EVERY_MS = 60_000;
const AT_ONCE = 4;
/** While GitHub cannot be asked. */
const LONGEST_BACK_OFF_MS = 15 * 60_000;
/** However long GitHub asks to wait: its limits are by the hour. */
const LONGEST_WAIT_MS = 65 * 60_000;
/** Checks, reviews and statuses are asked for a page at a time; more pages than this are not looked at. */
const PER_PAGE = 100;
const MAX_PAGES = 5;
/** Of a page: there may be another one. */
const FULL = "full";

type Asked<Said> =
  | { readonly kind: "said"; readonly observations: readonly Said[] }
  | Exclude<Answer, { readonly kind: "changed" }>;

export class GithubPoll {
  readonly #options: GithubPollOptions;
  readonly #abort = new AbortController();
  readonly #rest: Rest;
  /** What each branch was last seen with; only those that are asked for. */
  readonly #pullsOf = new Map<string, readonly PullObservation[]>();
  readonly #tips = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #pass: Promise<void> = Promise.resolve();
  #failures = 0;

  constructor(options: GithubPollOptions) {
    this.#options = options;
    const { token, now, api } = options;
    this.#rest = new Rest({ token, now, signal: this.#abort.signal, ...(api === undefined ? {} : { api }) });
  }

  start(): void {
    this.#schedule(0);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    clearTimeout(this.#timer);
    await this.#pass;
  }

  #schedule(delayMs: number): void {
    if (this.#abort.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#pass = this.#run();
    }, delayMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const { github, logger, everyMs = EVERY_MS } = this.#options;
    const limit = pLimit(AT_ONCE);
    let waitMs = everyMs;
    let failed = 0;
    const wanted = github.branches();
    this.#forgetAllBut(wanted);
    const asks = [...wanted].flatMap(([repository, branches]) =>
      branches.map((branch) =>
        limit(async () => {
          if (this.#abort.signal.aborted || waitMs > everyMs) return;
          try {
            await this.#look(repository, branch);
          } catch (error) {
            if (this.#abort.signal.aborted) return;
            failed += 1;
            if (error instanceof RateLimited) waitMs = Math.max(waitMs, error.waitMs);
            logger.warn(
              { repository, branch, error: String(error) },
              "GitHub could not be asked; what is known stays",
            );
          }
        }),
      ),
    );
    await Promise.all(asks);
    this.#failures = failed > 0 && failed === asks.length ? this.#failures + 1 : 0;
    const backOffMs = this.#failures === 0 ? 0 : everyMs * 2 ** Math.min(this.#failures, 6);
    this.#schedule(
      Math.max(everyMs, Math.min(waitMs, LONGEST_WAIT_MS), Math.min(backOffMs, LONGEST_BACK_OFF_MS)),
    );
  }

  #forgetAllBut(wanted: ReadonlyMap<string, readonly string[]>): void {
    for (const known of [this.#pullsOf, this.#tips])
      for (const where of [...known.keys()]) {
        const at = where.indexOf("#");
        if (!wanted.get(where.slice(0, at))?.includes(where.slice(at + 1))) known.delete(where);
      }
  }

  async #look(repository: string, branch: string): Promise<void> {
    const [owner = ""] = repository.split("/");
    const path = `/repos/${repository}`;
    const head = encodeURIComponent(`${owner}:${branch}`);
    const where = `${repository}#${branch}`;
    const listed = await this.#ask(
      repository,
      `${path}/pulls?state=all&head=${head}&sort=updated&direction=desc&per_page=5`,
      (body) => read(z.array(pullSchema), body).map((pull) => pullObservation(pull)),
    );
    if (listed.kind === "said") this.#pullsOf.set(where, listed.observations);
    const open = this.#pullsOf.get(where)?.find(({ state }) => state === "open");
    if (open) {
      const one = `${path}/pulls/${open.number}`;
      // Only the single one says whether it conflicts.
      const seenAt = this.#options.now();
      await this.#ask(repository, one, (body) => [pullObservation(read(pullSchema, body), seenAt)]);
      await this.#pages(repository, `${one}/reviews`, (body) =>
        read(z.array(reviewSchema), body).map((review) => reviewObservations(open.number, review)),
      );
      await this.#checks(repository, path, open.headSha);
      return;
    }
    const at = this.#options.now();
    await this.#ask(repository, `${path}/commits/${encodeURIComponent(branch)}?per_page=1`, (body) => {
      const { sha } = read(z.object({ sha: z.string().regex(/^[0-9a-f]{40,64}$/) }), body);
      this.#tips.set(where, sha);
      return [{ kind: "push", branch, at, sha }];
    });
    const tip = this.#tips.get(where);
    if (tip !== undefined) await this.#checks(repository, path, tip);
  }

  async #checks(repository: string, path: string, sha: string): Promise<void> {
    const at = this.#options.now();
    await this.#workflows(repository, path, sha);
    const runs = await this.#pages(repository, `${path}/commits/${sha}/check-runs`, (body) =>
      read(z.object({ check_runs: z.array(checkRunSchema) }), body).check_runs.map((run) => [
        checkObservation(run),
      ]),
    );
    const statuses = await this.#pages(repository, `${path}/commits/${sha}/status`, (body) =>
      read(z.object({ statuses: z.array(statusSchema) }), body).statuses.map((said) => [
        statusObservation(sha, said),
      ]),
    );
    if (runs || statuses) await this.#options.github.observe(repository, [{ kind: "listed", sha, at }]);
  }

  /** Which workflow a suite's checks belong to. A token that may not read Actions costs no more than that. */
  async #workflows(repository: string, path: string, sha: string): Promise<void> {
    try {
      await this.#pages(repository, `${path}/actions/runs?head_sha=${sha}`, (body) =>
        read(z.object({ workflow_runs: z.array(workflowRunSchema) }), body).workflow_runs.map((run) =>
          workflowObservations(run),
        ),
      );
    } catch (error) {
      if (error instanceof RateLimited || this.#abort.signal.aborted) throw error;
      this.#options.logger.debug(
        { repository, error: String(error) },
        "the workflows of a commit are not known",
      );
    }
  }

  /** @param observe - What each item of a page says; a page with room left is the last. */
  async #pages(
    repository: string,
    path: string,
    observe: (body: unknown) => readonly (readonly Observation[])[],
  ): Promise<boolean> {
    let hasChanged = false;
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const at = `${path}${path.includes("?") ? "&" : "?"}per_page=${PER_PAGE}&page=${page}`;
      let isFull = false;
      const asked = await this.#ask(repository, at, (body) => {
        const said = observe(body);
        isFull = said.length >= PER_PAGE;
        return said.flat();
      });
      if (asked.kind === "absent") break;
      if (asked.kind === "said") {
        hasChanged = true;
        if (isFull) this.#rest.note(at, FULL);
      } else isFull = asked.note === FULL;
      if (!isFull) break;
    }
    return hasChanged;
  }

  async #ask<Said extends Observation>(
    repository: string,
    path: string,
    observe: (body: unknown) => readonly Said[],
  ): Promise<Asked<Said>> {
    const answer = await this.#rest.get(path);
    if (answer.kind !== "changed") return answer;
    try {
      const observations = observe(answer.body);
      await this.#options.github.observe(repository, observations);
      return { kind: "said", observations };
    } catch (error) {
      this.#rest.forget(path);
      throw error;
    }
  }
}
