/**
 * One subscription, from its start to its end. After its end, or after it was replaced, none of its callbacks is heard:
 * a replaced connection may still deliver.
 */
import { messageOf, readFailure } from "./failure.ts";
import type { ProjectInput, SnapshotsClient } from "./snapshots-client.ts";

export type SubscriptionEnd =
  | { readonly kind: "unauthorized" | "forbidden" | "error"; readonly message: string }
  | { readonly kind: "stopped" }
  /** The tRPC client underneath was closed by its owner: to subscribe again would open it again. */
  | { readonly kind: "client-closed" };

export interface SubscriptionEvents {
  onDelivered(delivered: unknown): void;
  /** The connection is gone or is not there yet; tRPC takes care of it. `message` is missing when nothing failed. */
  onConnecting(message: string | undefined): void;
  onEnd(end: SubscriptionEnd): void;
}

export class ProjectSubscription {
  readonly #events: SubscriptionEvents;
  #handle: { unsubscribe(): void } | undefined;
  #over = false;

  constructor(events: SubscriptionEvents) {
    this.#events = events;
  }

  /** Callbacks may come before it returns. */
  start(snapshots: SnapshotsClient, input: ProjectInput): void {
    try {
      const handle = snapshots.onProject.subscribe(input, {
        onData: (delivered) => {
          if (!this.#over) this.#events.onDelivered(delivered);
        },
        onConnectionStateChange: ({ state, error }) => {
          if (this.#over || state !== "connecting") return;
          this.#events.onConnecting(error === null || error === undefined ? undefined : messageOf(error));
        },
        onError: (error) => this.#end(endOf(error)),
        // Every link over a network says `stopped` when the server ends it, and `complete` alone when the client was closed.
        onStopped: () => this.#end({ kind: "stopped" }),
        onComplete: () => this.#end({ kind: "client-closed" }),
      });
      if (this.#over) handle.unsubscribe();
      else this.#handle = handle;
    } catch (error) {
      this.#end(endOf(error));
    }
  }

  /** Silent from now on. */
  close(): void {
    this.#over = true;
    const handle = this.#handle;
    this.#handle = undefined;
    handle?.unsubscribe();
  }

  #end(end: SubscriptionEnd): void {
    if (this.#over) return;
    this.close();
    this.#events.onEnd(end);
  }
}

function endOf(error: unknown): SubscriptionEnd {
  const failure = readFailure(error);
  if (failure === "client-closed") return { kind: failure };
  return { kind: failure === "other" ? "error" : failure, message: messageOf(error) };
}
