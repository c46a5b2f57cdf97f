/** Stand-ins for what the client stands on: a tRPC client, a page, a WebSocket. Driven by hand, without a network. */
import type { ProjectInput, SnapshotsClient, SubscriptionCallbacks } from "../../client/snapshots-client.ts";
import type { Surroundings } from "../../client/wake.ts";
import type { RawSocket, RawSocketEvent, WebSocketClass } from "../../client/websocket.ts";
import type { SnapshotFrame, TrackedFrame } from "../../src/protocol/frames.ts";
import type { TestEntry, TestFrame } from "./client-frames.ts";

export interface FakeSubscription {
  readonly input: ProjectInput;
  readonly callbacks: SubscriptionCallbacks;
  unsubscribed: number;
  deliver(...frames: readonly TestFrame[]): void;
}

type TestOutput = TrackedFrame<SnapshotFrame<TestEntry>>;

/** A `trpc.snapshots` whose subscriptions stay where a test can reach them, also after they were given up. */
export class FakeSnapshots implements SnapshotsClient {
  readonly subscriptions: FakeSubscription[] = [];
  /** Called inside `subscribe`, before it returns. */
  onSubscribe: ((subscription: FakeSubscription) => void) | undefined;

  readonly onProject = {
    subscribe: (
      input: ProjectInput,
      callbacks: Omit<SubscriptionCallbacks, "onData"> & { onData(delivered: TestOutput): void },
    ): { unsubscribe(): void } => {
      const subscription: FakeSubscription = {
        input,
        callbacks: callbacks as SubscriptionCallbacks,
        unsubscribed: 0,
        deliver: (...frames) => {
          for (const frame of frames) callbacks.onData(frame);
        },
      };
      this.subscriptions.push(subscription);
      this.onSubscribe?.(subscription);
      return {
        unsubscribe: () => {
          subscription.unsubscribed += 1;
        },
      };
    },
  };

  /** The newest subscription. */
  get current(): FakeSubscription {
    const current = this.subscriptions.at(-1);
    if (!current) throw new Error("nobody subscribed");
    return current;
  }

  get open(): number {
    return this.subscriptions.filter((subscription) => subscription.unsubscribed === 0).length;
  }
}

/** An error as tRPC's client gives it. */
export function trpcError(code: string, message = code): Error {
  return Object.assign(new Error(message), { data: { code } });
}

/** A page that a test looks at or away from. */
export class FakePage implements Surroundings {
  visible = true;
  online = true;
  readonly #wake = new Set<() => void>();
  readonly #network = new Set<() => void>();

  get listeners(): number {
    return this.#wake.size + this.#network.size;
  }

  onWake(listener: () => void): () => void {
    this.#wake.add(listener);
    return () => this.#wake.delete(listener);
  }

  onNetwork(listener: () => void): () => void {
    this.#network.add(listener);
    return () => this.#network.delete(listener);
  }

  wake(): void {
    this.visible = true;
    for (const listener of [...this.#wake]) listener();
  }

  setOnline(online: boolean): void {
    this.online = online;
    for (const listener of [...this.#network]) listener();
  }
}

/** A raw socket whose other end is the test. */
export class FakeRawSocket implements RawSocket {
  binaryType = "blob";
  readonly sent: string[] = [];
  readonly url: string;
  closedWith: { code: number | undefined } | undefined;
  terminated = false;
  readonly #listeners: { type: string; listener: (event: RawSocketEvent) => void }[] = [];

  constructor(url: string) {
    this.url = url;
  }

  addEventListener(type: string, listener: (event: RawSocketEvent) => void): void {
    this.#listeners.push({ type, listener });
  }

  send(data: string): void {
    this.sent.push(data);
  }

  close(code?: number): void {
    this.closedWith ??= { code };
  }

  terminate(): void {
    this.terminated = true;
    this.emit("close", { code: 1006 });
  }

  emit(type: string, event: Omit<RawSocketEvent, "type"> = {}): void {
    for (const entry of this.#listeners) if (entry.type === type) entry.listener({ type, ...event });
  }
}

/** A class whose instances a test can reach. */
export function fakeWebSockets(): { readonly WebSocket: WebSocketClass; readonly sockets: FakeRawSocket[] } {
  const sockets: FakeRawSocket[] = [];
  return {
    sockets,
    WebSocket: class extends FakeRawSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
    },
  };
}
