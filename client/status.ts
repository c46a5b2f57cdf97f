/** What people are told about a replica: one word, and why. */

export type ReplicaStatus =
  /** Nothing was loaded yet. Not the same as an empty project, which is `live` without entries. */
  | "connecting"
  /** Resumed; changes that were missed are on their way. */
  | "catching-up"
  /** Everything that the server knows is shown. */
  | "live"
  /** Everything that the server knows is shown, but its source of truth is away. */
  | "stale"
  /** The last view is shown; nothing is heard at the moment, and another attempt follows. */
  | "reconnecting"
  /** As `reconnecting` or `connecting`, and the device has no network or nothing was heard for 30 s. */
  | "offline"
  /** The server refuses. No further attempt before `retry()` or another token. */
  | "denied"
  /** It is over: the server said so, or somebody closed it. */
  | "ended";

/** A reason is never renamed, only retired. */
export type ReplicaReason =
  /** The connection was lost or could not be made; tRPC is making a new one. */
  | "connection-lost"
  /** The server ended the subscription with an error, which is in the detail. */
  | "server-error"
  /** The server ended the subscription without an error. */
  | "server-stopped"
  /** The same full snapshot came again without a change in between: the next attempt waits longer. */
  | "resync-repeated"
  /** A change of another order came without a full snapshot before it. */
  | "foreign-position"
  /** With `stale`: the server cannot observe its source; the detail is its own word for why. */
  | "source-away"
  /** With `denied`. */
  | "unauthorized"
  | "forbidden"
  /** With `ended`: the server withdrew the right to watch, the project is gone, or what is watched belongs to another one. */
  | "revoked"
  | "project-gone"
  | "moved"
  /** With `ended`: `close()` of the replica. */
  | "closed"
  /** With `ended`: the tRPC client underneath was closed. */
  | "client-closed";

/** What the word is made of. */
export interface Standing {
  readonly over: "ended" | "denied" | undefined;
  /** The subscription has spoken since it was last lost. */
  readonly inTouch: boolean;
  /** No network, or out of touch for too long. */
  readonly away: boolean;
  readonly loaded: boolean;
  readonly caughtUp: boolean;
  readonly fresh: boolean;
}

export function statusOf({ over, inTouch, away, loaded, caughtUp, fresh }: Standing): ReplicaStatus {
  if (over) return over;
  if (!inTouch && away) return "offline";
  if (!loaded) return "connecting";
  if (!inTouch) return "reconnecting";
  if (!caughtUp) return "catching-up";
  return fresh ? "live" : "stale";
}
