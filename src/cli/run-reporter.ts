/**
 * Tells a server how a wrapped command does and what it prints, in the background: the command neither waits nor fails
 * because of it. What a slow or absent server does not take in time is left out, with a mark.
 */
import { randomUUID } from "node:crypto";
import { StringDecoder } from "node:string_decoder";
import type { RunScriptStatus } from "../protocol/workspace.ts";

/** What is asked of a server. Each may throw. */
export interface RunServer {
  /** Undefined: it knows none for this. */
  workspace(): Promise<string | undefined>;
  status(workspaceId: string, status: RunScriptStatus, observedAt: number): Promise<void>;
  output(report: { workspaceId: string; run: string; from: number; text: string }): Promise<void>;
}

export interface RunReporterOptions {
  readonly server: RunServer;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const BATCH_MS = 100;
/** Sent at once when this much waits; and the most of one report, in UTF-16 units. */
const BATCH = 16 * 1024;
/** What waits for a slow server; what was printed longest ago is left out. */
const MAX_WAITING = 64 * 1024;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000] as const;

interface Said {
  readonly status: RunScriptStatus;
  readonly at: number;
}

export class RunReporter {
  readonly #options: RunReporterOptions;
  readonly #run = randomUUID();
  /** A character may come in two pieces, with some of the other stream between them. */
  readonly #decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  /** Not told yet, in order; of several that wait the last two matter. */
  #statuses: Said[] = [];
  #lastAt = 0;
  #text = "";
  /** Where the next batch begins, in all that is sent. */
  #from = 0;
  #leftOut = 0;
  /** Sent, and perhaps not taken: it goes again as it is, and counts once. */
  #batch: { readonly from: number; readonly text: string } | undefined;
  #workspaceId: string | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(options: RunReporterOptions) {
    this.#options = options;
  }

  say(status: RunScriptStatus): void {
    this.#lastAt = Math.max(this.#lastAt + 1, this.#options.now());
    this.#statuses.push({ status, at: this.#lastAt });
    if (this.#statuses.length > 2) this.#statuses.splice(0, this.#statuses.length - 2);
    this.#soon(0);
  }

  print(chunk: Buffer, stream: "stdout" | "stderr"): void {
    this.#text += this.#decoders[stream].write(chunk);
    const surplus = this.#text.length - MAX_WAITING;
    if (surplus > 0) {
      this.#leftOut += surplus;
      this.#text = this.#text.slice(surplus);
    }
    this.#soon(this.#text.length >= BATCH ? 0 : BATCH_MS);
  }

  /** Tells what is left, at most for so long. */
  async close(withinMs: number): Promise<void> {
    this.#text += this.#decoders.stdout.end() + this.#decoders.stderr.end();
    this.#closed = true;
    clearTimeout(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([this.#drain(), late]);
    clearTimeout(timer);
  }

  get #hasText(): boolean {
    return this.#batch !== undefined || this.#text !== "";
  }

  async #drain(): Promise<void> {
    await this.#sending;
    while (this.#statuses.length > 0 || this.#hasText) if (!(await this.#send())) return;
  }

  #soon(delayMs: number): void {
    if (this.#closed || this.#sending || this.#failures > 0) return;
    if (this.#timer && delayMs > 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#turn(), delayMs).unref();
  }

  #turn(): void {
    this.#timer = undefined;
    this.#sending = this.#send().then((sent) => {
      this.#sending = undefined;
      if (this.#closed) return;
      if (!sent) {
        const wait = RETRY_MS[Math.min(this.#failures, RETRY_MS.length) - 1] ?? BATCH_MS;
        this.#timer = setTimeout(() => this.#turn(), wait).unref();
      } else if (this.#statuses.length > 0 || this.#hasText)
        this.#soon(this.#statuses.length > 0 || this.#text.length >= BATCH ? 0 : BATCH_MS);
    });
  }

  /** One status and one batch. @returns false: it is to be tried again later. */
  async #send(): Promise<boolean> {
    const { server } = this.#options;
    try {
      this.#workspaceId ??= await server.workspace();
      const workspaceId = this.#workspaceId;
      if (workspaceId === undefined) throw new Error("no workspace");
      const [said] = this.#statuses;
      if (said) {
        await server.status(workspaceId, said.status, said.at);
        this.#statuses = this.#statuses.filter((one) => one !== said);
      }
      if (this.#hasText) await this.#sendText(workspaceId);
      this.#failures = 0;
      return true;
    } catch {
      this.#failures += 1;
      return false;
    }
  }

  async #sendText(workspaceId: string): Promise<void> {
    this.#batch ??= this.#nextBatch();
    await this.#options.server.output({ workspaceId, run: this.#run, ...this.#batch });
    this.#batch = undefined;
  }

  #nextBatch(): { readonly from: number; readonly text: string } {
    const mark = this.#leftOut > 0 ? `\n[snapwire: ${this.#leftOut} characters left out]\n` : "";
    const text = mark + this.#text.slice(0, BATCH);
    this.#text = this.#text.slice(BATCH);
    this.#leftOut = 0;
    const from = this.#from;
    this.#from += text.length;
    return { from, text };
  }
}
