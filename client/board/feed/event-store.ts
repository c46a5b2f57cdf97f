/** The newest events of everything that this identity may read; absent on a server that has none. */
import type { HubEvent } from "../../../src/protocol/envelope.ts";
import type { SnapwireClient } from "../../connection.ts";
import { readFailure } from "../../failure.ts";
import { pageFrames } from "../../page-frame.ts";
import {
  isMissing,
  OptionalStream,
  type QueryProcedure,
  type StreamProcedure,
  type StreamState,
} from "../store/optional-stream.ts";
import { type EventRow, eventRow, rowOf, withEvents } from "./event-list.ts";

export interface EventsState {
  readonly state: StreamState;
  /** Newest first. */
  readonly rows: readonly EventRow[];
}

export interface EventStore {
  getState(this: void): EventsState;
  subscribe(this: void, listener: () => void): () => void;
  /** Which projects there are: asked for one by one where not everything may be read. */
  watch(projects: readonly string[]): void;
  close(): void;
}

interface EventsClient {
  readonly recent: QueryProcedure;
  readonly onScope: StreamProcedure;
}

/** Of what was retained, at first. */
const FIRST = 200;
/** As many targets as the server takes in one subscription. */
const TARGETS_MAX = 32;
const AGAIN_MS = 5_000;

export function createEventStore(client: SnapwireClient): EventStore {
  return new Store(client);
}

class Store implements EventStore {
  readonly #events: EventsClient;
  readonly #listeners = new Set<() => void>();
  readonly #schedule = pageFrames();
  readonly #stream: OptionalStream;
  readonly #stopRenewed: () => void;
  #projects: readonly string[] = [];
  #everything = true;
  #position: string | undefined;
  #pending: EventRow[] = [];
  #telling = false;
  #again: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;
  #state: EventsState = { state: "connecting", rows: [] };

  constructor(client: SnapwireClient) {
    this.#events = (client.trpc as unknown as { readonly events: EventsClient }).events;
    this.#stream = new OptionalStream({
      procedure: this.#events.onScope,
      input: () => ({ ...this.#target(), ...(this.#position && { lastEventId: this.#position }) }),
      onData: (delivered) => this.#take(delivered),
      onState: (state) => this.#setState(state),
    });
    this.#stopRenewed = client.connection.onRenewed(() => {
      this.#everything = true;
      void this.#begin();
    });
  }

  readonly getState = (): EventsState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  watch(projects: readonly string[]): void {
    const first = this.#projects.length === 0;
    if (projects.join("\n") === this.#projects.join("\n")) return;
    this.#projects = projects;
    // Everything is everything, whichever projects there are.
    if (first || !this.#everything) void this.#begin();
  }

  close(): void {
    this.#turn += 1;
    clearTimeout(this.#again);
    this.#stopRenewed();
    this.#stream.stop();
  }

  /** What was retained, then what comes after it. */
  async #begin(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    clearTimeout(this.#again);
    this.#stream.stop();
    try {
      const { events, position } = (await this.#events.recent.query({ ...this.#target(), limit: FIRST })) as {
        readonly events: readonly HubEvent[];
        readonly position: string;
      };
      if (turn !== this.#turn) return;
      this.#pending.push(...events.map(eventRow));
      this.#position = position;
      this.#changed();
      this.#stream.start();
    } catch (error) {
      if (turn === this.#turn) this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (isMissing(error)) this.#setState("absent");
    else if (readFailure(error) === "forbidden" && this.#everything && this.#projects.length > 0) {
      this.#everything = false;
      void this.#begin();
    } else if (readFailure(error) === "other") this.#again = setTimeout(() => void this.#begin(), AGAIN_MS);
    else this.#setState("denied");
  }

  #target(): object {
    if (this.#everything) return { scope: "all" };
    return { targets: this.#projects.slice(0, TARGETS_MAX).map((projectId) => ({ projectId })) };
  }

  #take(delivered: unknown): void {
    const id = (delivered as { readonly id?: unknown } | null)?.id;
    if (typeof id === "string") this.#position = id;
    const row = rowOf(delivered);
    if (!row) return;
    this.#pending.push(row);
    this.#changed();
  }

  #setState(state: StreamState): void {
    if (this.#state.state === state) return;
    this.#state = { ...this.#state, state };
    this.#changed();
  }

  /** Once per frame, however many events came. */
  #changed(): void {
    if (this.#telling) return;
    this.#telling = true;
    this.#schedule(() => {
      this.#telling = false;
      this.#state = { ...this.#state, rows: withEvents(this.#state.rows, this.#pending) };
      this.#pending = [];
      for (const listener of [...this.#listeners]) listener();
    });
  }
}
