/** Rights of live subscriptions, looked at again while they live: one timer for all, none when there are none. */
import type { Logger } from "../log.ts";
import { toTRPCError } from "./errors.ts";
import type { AuthorizeRequest, ProcedureRoom } from "./procedures.ts";

export interface RightsSweepOptions {
  /** Milliseconds. @defaultValue 60_000 */
  readonly everyMs?: number;
  readonly logger?: Logger;
}

interface Watched {
  /** False: revoked. Throws: not known at the moment, the subscription goes on. */
  readonly allowed: () => Promise<boolean>;
  readonly revoke: () => void;
}

export const RIGHTS_EVERY_MS = 60_000;

export class RightsSweep {
  readonly #everyMs: number;
  readonly #logger: Logger | undefined;
  readonly #watched = new Set<Watched>();
  /** Those whose last look has not been answered yet: one look at a time, and none waits for another's. */
  readonly #looking = new Set<Watched>();
  /** Those that were to be looked at while a look was under way: what that one saw may be older than why. */
  readonly #again = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ everyMs = RIGHTS_EVERY_MS, logger }: RightsSweepOptions) {
    this.#everyMs = everyMs;
    this.#logger = logger;
  }

  get size(): number {
    return this.#watched.size;
  }

  /** @returns how to stop watching. */
  watch(watched: Watched): () => void {
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => void this.sweep(), this.#everyMs).unref();
    return () => {
      this.#watched.delete(watched);
      if (this.#watched.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  /** Looks at every watched subscription now. */
  async sweep(): Promise<void> {
    for (const watched of this.#looking) this.#again.add(watched);
    const due = [...this.#watched].filter((watched) => !this.#looking.has(watched));
    await Promise.all(due.map((watched) => this.#look(watched)));
  }

  async #look(watched: Watched): Promise<void> {
    this.#looking.add(watched);
    try {
      if (!(await watched.allowed())) watched.revoke();
    } catch (error) {
      this.#logger?.warn({ error }, "the rights of a subscription could not be looked at; it goes on");
    } finally {
      this.#looking.delete(watched);
    }
    if (this.#again.delete(watched) && this.#watched.has(watched)) await this.#look(watched);
  }
}

/** A refused identity is an answer; a failing look is none, and the subscription goes on. @param what - "read" unless it says so. */
export async function stillAllowed<Entry>(
  room: ProcedureRoom<Entry>,
  ctx: object,
  what: Partial<Omit<AuthorizeRequest<object>, "ctx" | "recheck">> = {},
): Promise<boolean> {
  try {
    return await room.allowed({ action: "read", ...what, ctx, recheck: true });
  } catch (error) {
    const { code } = toTRPCError(error);
    if (code === "UNAUTHORIZED" || code === "FORBIDDEN") return false;
    throw error;
  }
}
