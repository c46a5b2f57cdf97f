/** What a client tells about its connection. */

export type ConnectionStatus =
  /** The first connection is being made. */
  | "connecting"
  | "open"
  /** It was lost, or could not be made; another attempt follows. */
  | "reconnecting"
  /** As `reconnecting`, and the device says that it has no network, or the line has been down for 30 s. */
  | "offline"
  | "closed";

/** A reason is never renamed, only retired. */
export type ConnectionReason =
  /** The socket closed or could not be opened. */
  | "connection-lost"
  /** The token function threw, rejected or did not answer: no socket is opened without its answer. */
  | "token-failed"
  /** `close()` was called. */
  | "closed";

export interface ConnectionState {
  readonly status: ConnectionStatus;
  readonly reason: ConnectionReason | undefined;
  /** For a person; never a secret. */
  readonly detail: string | undefined;
}

export interface ClientConnection {
  readonly status: ConnectionStatus;
  /** The same object until something changes. */
  getState(): ConnectionState;
  /** When the server was last heard, in milliseconds since 1970; undefined: never. */
  readonly lastProofOfLife: number | undefined;
  /** When the next connection is made, in milliseconds since 1970; undefined: none is waited for. */
  readonly nextAttemptAt?: number | undefined;
  /** Calls when {@link getState} changes. Returns the way to stop listening. */
  subscribe(listener: () => void): () => void;
  /** Calls when another token is in use. Returns the way to stop listening. */
  onRenewed(listener: () => void): () => void;
  /**
   * Reads the token again. A different one makes a new connection, on which everything resumes.
   * @returns Whether it was different; false also when it could not be read.
   */
  renew(): Promise<boolean>;
  /** Gives the connection up and makes a new one now, with a fresh budget of attempts. */
  reconnect(): void;
}

/** How long a line may be down before people are told that they are offline, in milliseconds. */
export const OFFLINE_AFTER_MS = 30_000;
