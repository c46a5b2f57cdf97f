/** The REST API, asked with a token and entity tags: what has not changed costs neither bytes nor rate limit. */
import { z } from "zod";
import { deadlineOf } from "../deadline.ts";

/** GitHub says to wait. */
export class RateLimited extends Error {
  override readonly name = "RateLimited";
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`GitHub asks to wait ${Math.ceil(waitMs / 1_000)} s`);
    this.waitMs = waitMs;
  }
}

export interface RestOptions {
  /** @defaultValue `https://api.github.com` */
  readonly api?: string;
  /** A token that may read pull requests, checks and statuses. */
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** `unchanged`: as at the last question. `absent`: there is no such thing. */
export type Answer =
  | { readonly kind: "changed"; readonly body: unknown }
  | { readonly kind: "unchanged"; readonly note: string | undefined }
  | { readonly kind: "absent" };

const TIMEOUT_MS = 10_000;
/** After this long everything is asked for again: it may have been forgotten here. */
const TAG_FOR_MS = 3_600_000;
/** Tags kept; the ones asked for longest ago go first. */
const MAX_TAGS = 5_000;
const LONGEST_BODY = 16 * 1024 * 1024;
const DEFAULT_WAIT_MS = 60_000;

interface Tag {
  readonly tag: string;
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
  note?: string;
}

export class Rest {
  readonly #options: RestOptions;
  readonly #tags = new Map<string, Tag>();

  constructor(options: RestOptions) {
    this.#options = options;
  }

  /**
   * @throws {@link RateLimited} when GitHub asks to wait; Error for what it refuses or cannot say.
   */
  async get(path: string): Promise<Answer> {
    const deadline = deadlineOf(TIMEOUT_MS, this.#options.signal);
    try {
      return await this.#ask(path, deadline.signal);
    } finally {
      deadline[Symbol.dispose]();
    }
  }

  async #ask(path: string, signal: AbortSignal): Promise<Answer> {
    const { api = "https://api.github.com", token, now } = this.#options;
    const kept = this.#tags.get(path);
    const known = kept && now() - kept.since < TAG_FOR_MS ? kept : undefined;
    const response = await fetch(`${api}${path}`, {
      headers: {
        accept: "application/vnd.github+json",
        authorization: `Bearer ${token}`,
        "user-agent": "snapwire",
        "x-github-api-version": "2022-11-28",
        ...(known && { "if-none-match": known.tag }),
      },
      redirect: "error", // a token is not carried elsewhere
      signal,
    });
    const { status, headers } = response;
    if (status === 304) {
      await response.body?.cancel();
      return { kind: "unchanged", note: known?.note };
    }
    if (status === 404 || status === 422) {
      await response.body?.cancel();
      return { kind: "absent" };
    }
    if (status === 429 || (status === 403 && isLimited(headers))) {
      await response.body?.cancel();
      throw new RateLimited(waitOf(headers, now()));
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`GitHub answered ${status} to ${path.split("?")[0]}`);
    }
    const text = await textOf(response);
    if (text === undefined) throw new Error(`GitHub's answer to ${path.split("?")[0]} is too long`);
    const body: unknown = JSON.parse(text);
    this.#remember(path, headers.get("etag"));
    return { kind: "changed", body };
  }

  /** Something to remember of what was answered, for when it is unchanged. */
  note(path: string, note: string): void {
    const known = this.#tags.get(path);
    if (known) known.note = note;
  }

  /** What was answered could not be kept: the next question gets it again. */
  forget(path: string): void {
    this.#tags.delete(path);
  }

  #remember(path: string, tag: string | null): void {
    this.#tags.delete(path);
    if (tag === null) return;
    this.#tags.set(path, { tag, since: this.#options.now() });
    const [oldest] = this.#tags.keys();
    if (this.#tags.size > MAX_TAGS && oldest !== undefined) this.#tags.delete(oldest);
  }
}

/** `undefined`: too long. */
async function textOf({ body }: Response): Promise<string | undefined> {
  if (!body) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > LONGEST_BODY) return undefined; // leaving the loop ends the answer
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const isLimited = (headers: Headers): boolean =>
  headers.get("x-ratelimit-remaining") === "0" || headers.has("retry-after");

function waitOf(headers: Headers, now: number): number {
  const seconds = z.coerce
    .number()
    .min(0)
    .safeParse(headers.get("retry-after") ?? undefined);
  if (seconds.success) return seconds.data * 1_000;
  const reset = z.coerce
    .number()
    .min(1)
    .safeParse(headers.get("x-ratelimit-reset") ?? undefined);
  return reset.success ? Math.max(1_000, reset.data * 1_000 - now) : DEFAULT_WAIT_MS;
}
