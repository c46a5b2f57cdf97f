/**
 * A subscription that the server may not have. One that is not there is quietly absent; one that fails is opened again after
 * a wait; lost connections are tRPC's to replace, which resumes from where it stood.
 */
import { readFailure } from "../../failure.ts";

export type StreamState = "connecting" | "open" | "absent" | "denied";

interface StreamCallbacks {
  onData(delivered: unknown): void;
  onError(error: unknown): void;
  onStopped(): void;
  onComplete(): void;
}

/** A procedure of a tRPC client, by its shape: which ones the server has is known at run time only. */
export interface StreamProcedure {
  subscribe(input: unknown, callbacks: StreamCallbacks): { unsubscribe(): void };
}

export interface QueryProcedure {
  query(input?: unknown): Promise<unknown>;
}

export interface MutationProcedure {
  mutate(input?: unknown): Promise<unknown>;
}

export interface OptionalStreamOptions {
  readonly procedure: StreamProcedure;
  /** Asked anew at each attempt. */
  readonly input: () => unknown;
  readonly onData: (delivered: unknown) => void;
  readonly onState: (state: StreamState) => void;
}

/** After a failure, in milliseconds. */
const AGAIN_MS = 3_000;
/** tRPC's own number for NOT_FOUND: it survives a host's error formatter. */
const NOT_FOUND = -32004;

export class OptionalStream {
  readonly #options: OptionalStreamOptions;
  #handle: { unsubscribe(): void } | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;
  /** Whoever is not this any more has no say. */
  #turn = 0;

  constructor(options: OptionalStreamOptions) {
    this.#options = options;
  }

  /** Also: again, with another identity. */
  start(): void {
    this.stop();
    this.#turn += 1;
    const turn = this.#turn;
    const current = (act: () => void) => () => {
      if (turn === this.#turn) act();
    };
    this.#options.onState("connecting");
    this.#handle = this.#options.procedure.subscribe(this.#options.input(), {
      onData: (delivered) =>
        current(() => {
          this.#options.onState("open");
          this.#options.onData(delivered);
        })(),
      onError: (error) => current(() => this.#failed(error))(),
      onStopped: current(() => this.#later()),
      onComplete: () => {},
    });
  }

  stop(): void {
    this.#turn += 1;
    clearTimeout(this.#again);
    this.#handle?.unsubscribe();
    this.#handle = undefined;
  }

  #failed(error: unknown): void {
    if (isMissing(error)) this.#options.onState("absent");
    else if (readFailure(error) === "other") this.#later();
    else this.#options.onState("denied");
  }

  #later(): void {
    this.#options.onState("connecting");
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.start(), AGAIN_MS);
  }
}

/** The server has no procedure of that name. */
export function isMissing(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { data, shape } = error as { data?: { code?: unknown }; shape?: { code?: unknown } };
  return data?.code === "NOT_FOUND" || shape?.code === NOT_FOUND;
}
