/** What live projects are made of: a client, given in any of the shapes in which an application holds it. */
import type { ClientConnection } from "./connection-state.ts";
import type { ReplicaEntry } from "./replica-state.ts";
import type { EntryOf, SnapshotsClient } from "./snapshots-client.ts";

/** `{ snapshots: trpc.team.live.snapshots }`, also a whole client whose root has `snapshots`. */
export interface SnapshotsSource {
  readonly snapshots: SnapshotsClient;
  /** Of the client below, if it is Snapwire's own: then a new token ends `denied`. */
  readonly connection?: ClientConnection | undefined;
}

/** What `createSnapwireClient` returns. */
export interface ClientSource {
  readonly trpc: { readonly snapshots: SnapshotsClient };
  readonly connection: ClientConnection;
}

export type LiveSource = SnapshotsSource | ClientSource;

/** The entries that a source gives: the built-in ones, or those of a host's own model. */
export type SourceEntry<Source> = Source extends {
  readonly trpc: { readonly snapshots: infer Snapshots extends SnapshotsClient };
}
  ? EntryOf<Snapshots>
  : Source extends { readonly snapshots: infer Snapshots extends SnapshotsClient }
    ? EntryOf<Snapshots>
    : ReplicaEntry;

/** A tRPC client answers to every name with another proxy, so it is asked what it has, not what it gives. */
export function readSource(source: LiveSource): {
  readonly snapshots: SnapshotsClient;
  readonly connection: ClientConnection | undefined;
} {
  const connection = "connection" in source ? source.connection : undefined;
  return { snapshots: "trpc" in source ? source.trpc.snapshots : source.snapshots, connection };
}
