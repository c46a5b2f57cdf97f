/** The devices, as they come and go, and the messages that reached nobody; absent on a server that has none. */
import { type AgentPresence, type MessageReport, readPresenceFrame } from "../../../src/protocol/agents.ts";
import type { SnapwireClient } from "../../connection.ts";
import { messageOf } from "../../failure.ts";
import { pageFrames } from "../../page-frame.ts";
import {
  type MutationProcedure,
  OptionalStream,
  type QueryProcedure,
  type StreamProcedure,
  type StreamState,
} from "../store/optional-stream.ts";

export interface AgentsState {
  readonly state: StreamState;
  /** By id. */
  readonly devices: readonly AgentPresence[];
  readonly deadLetters: readonly MessageReport[];
  /** Why the last attempt to send one again failed. */
  readonly failure: string | undefined;
}

export interface AgentStore {
  getState(this: void): AgentsState;
  subscribe(this: void, listener: () => void): () => void;
  /** Begins once somebody is known to be let in; also again, with another identity. */
  start(): void;
  resend(messageId: string): void;
  close(): void;
}

interface AgentsClient {
  readonly onPresence: StreamProcedure;
  readonly deadLetters: QueryProcedure;
  readonly resend: MutationProcedure;
}

const DEAD_LETTERS_SHOWN = 100;

export function createAgentStore(client: SnapwireClient): AgentStore {
  return new Store(client);
}

class Store implements AgentStore {
  readonly #agents: AgentsClient;
  readonly #devices = new Map<string, AgentPresence>();
  readonly #listeners = new Set<() => void>();
  readonly #schedule = pageFrames();
  readonly #stream: OptionalStream;
  #deadCount = 0;
  #dead: readonly MessageReport[] = [];
  #failure: string | undefined;
  #streamState: StreamState = "connecting";
  #telling = false;
  #state: AgentsState = { state: "connecting", devices: [], deadLetters: [], failure: undefined };

  constructor(client: SnapwireClient) {
    this.#agents = (client.trpc as unknown as { readonly agents: AgentsClient }).agents;
    this.#stream = new OptionalStream({
      procedure: this.#agents.onPresence,
      input: () => undefined,
      onData: (delivered) => this.#take((delivered as { readonly data?: unknown } | null)?.data),
      onState: (state) => {
        this.#streamState = state;
        this.#changed();
      },
    });
  }

  readonly getState = (): AgentsState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    this.#stream.start();
  }

  resend(messageId: string): void {
    this.#agents.resend.mutate({ messageId }).then(
      () => {
        this.#failure = undefined;
        void this.#readDeadLetters();
      },
      (error: unknown) => {
        this.#failure = messageOf(error);
        this.#changed();
      },
    );
  }

  close(): void {
    this.#stream.stop();
  }

  #take(data: unknown): void {
    const frame = readPresenceFrame(data);
    if (frame?.type === "presence_full") {
      this.#devices.clear();
      for (const entry of frame.entries) this.#devices.set(entry.deviceId, entry);
    } else if (frame?.type === "presence_changed") this.#devices.set(frame.deviceId, frame.entry);
    else if (frame?.type === "presence_removed") this.#devices.delete(frame.deviceId);
    else return;
    this.#changed();
    const count = [...this.#devices.values()].reduce((sum, { deadLetters }) => sum + deadLetters, 0);
    if (count === this.#deadCount) return;
    this.#deadCount = count;
    void this.#readDeadLetters();
  }

  /** Only their numbers are told; which ones they are is asked for when a number changed. */
  async #readDeadLetters(): Promise<void> {
    try {
      const { messages } = (await this.#agents.deadLetters.query({ limit: DEAD_LETTERS_SHOWN })) as {
        readonly messages: readonly MessageReport[];
      };
      this.#dead = messages;
      this.#changed();
    } catch {
      // the numbers stand in the table all the same
    }
  }

  #changed(): void {
    if (this.#telling) return;
    this.#telling = true;
    this.#schedule(() => {
      this.#telling = false;
      this.#state = {
        state: this.#streamState,
        devices: [...this.#devices.values()].sort(byId),
        deadLetters: this.#dead,
        failure: this.#failure,
      };
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function byId(a: AgentPresence, b: AgentPresence): number {
  return a.deviceId < b.deviceId ? -1 : 1;
}
