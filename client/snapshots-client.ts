/**
 * What a replica needs of a tRPC client: the sub-router that Snapwire's procedures are in, however deep. It is described
 * by shape, so that any version of `@trpc/client` and any link will do, and nothing of tRPC is loaded.
 */
import type { WorkspaceEntry } from "../src/protocol/workspace.ts";
import type { ReplicaEntry } from "./replica-state.ts";

export interface ProjectInput {
  projectId: string;
  lastEventId?: string;
}

export interface SubscriptionCallbacks {
  onData(delivered: unknown): void;
  onError(error: unknown): void;
  onStopped(): void;
  onComplete(): void;
  onConnectionStateChange(state: { readonly state: string; readonly error?: unknown }): void;
}

/** `trpc.snapshots` of a vanilla tRPC client. */
export interface SnapshotsClient {
  readonly onProject: {
    subscribe(input: ProjectInput, callbacks: SubscriptionCallbacks): { unsubscribe(): void };
  };
}

/** The entry of the router behind a client: the built-in one, or that of a host's own model. */
export type EntryOf<Snapshots extends SnapshotsClient> = ChangedEntry<
  DeliveredBy<Snapshots["onProject"]["subscribe"]>
>;

/**
 * What `onData` gets. Since 11.25 `subscribe` has a second signature, without callbacks, that returns an iterator: then
 * that is the one which inference sees.
 */
type DeliveredBy<Subscribe> = Subscribe extends (...args: infer Args) => infer Result
  ? Result extends AsyncIterable<infer Delivered>
    ? Delivered
    : Args extends [unknown, { onData?: ((delivered: infer Delivered) => void) | undefined }]
      ? Delivered
      : unknown
  : unknown;

type ChangedEntry<Delivered> = Delivered extends { readonly data: infer Frame }
  ? Extract<Frame, { readonly type: "snapshot_changed" }> extends {
      readonly entry: infer Entry extends ReplicaEntry;
    }
    ? Entry
    : WorkspaceEntry
  : WorkspaceEntry;
