/** What one client may ask of the server, and how long it may take. Bytes, milliseconds, counts. */
import { SnapwireError } from "../protocol/errors.ts";

export interface Limits {
  /** Open WebSockets per remote address; loopback is exempt. @defaultValue 1000 */
  readonly socketsPerAddress: number;
  /** Live subscriptions per WebSocket; those being stopped may be as many again. @defaultValue 128 */
  readonly subscriptionsPerSocket: number;
  /** Queries and mutations per WebSocket that have no answer yet. @defaultValue 256 */
  readonly requestsPerSocket: number;
  /** One WebSocket message. @defaultValue 65536 */
  readonly maxPayloadBytes: number;
  /** One HTTP body. @defaultValue 1048576 */
  readonly maxBodyBytes: number;
  /** Frames that may wait while the identity is being checked. @defaultValue 16 */
  readonly pendingFrames: number;
  /** Bytes that may wait while the identity is being checked. @defaultValue 65536 */
  readonly pendingBytes: number;
  /** From the 101 to the `connectionParams` frame that the URL promised. @defaultValue 5000 */
  readonly connectionParamsMs: number;
  /** For `authenticate` to answer. @defaultValue 10000 */
  readonly identityMs: number;
  /** Bytes in the buffer of a connection above which its feeds wait, and above which its requests are not read. @defaultValue 262144 */
  readonly highWaterBytes: number;
  /** Between two protocol pings. @defaultValue 30000 */
  readonly pingEveryMs: number;
  /** From a ping to a sign of life. @defaultValue 10000 */
  readonly pongWithinMs: number;
  /** How long a connection that has bytes waiting may take none of them. @defaultValue 120000 */
  readonly stalledMs: number;
  /** For a peer to answer a close frame. @defaultValue 5000 */
  readonly closeMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  socketsPerAddress: 1_000,
  subscriptionsPerSocket: 128,
  requestsPerSocket: 256,
  maxPayloadBytes: 64 * 1024,
  maxBodyBytes: 1024 * 1024,
  pendingFrames: 16,
  pendingBytes: 64 * 1024,
  connectionParamsMs: 5_000,
  identityMs: 10_000,
  highWaterBytes: 256 * 1024,
  pingEveryMs: 30_000,
  pongWithinMs: 10_000,
  stalledMs: 120_000,
  closeMs: 5_000,
};

/** @throws {@link SnapwireError} `invalid-input` for a limit that is not a whole number above zero. */
export function resolveLimits(given: Partial<Limits> = {}): Limits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_LIMITS, name))
      throw new SnapwireError("invalid-input", `There is no limit "${name}".`);
    if (!Number.isSafeInteger(value) || value < 1)
      throw new SnapwireError(
        "invalid-input",
        `The limit "${name}" must be a whole number above zero, not ${value}.`,
      );
  }
  const limits = { ...DEFAULT_LIMITS, ...given };
  if (limits.pongWithinMs >= limits.pingEveryMs)
    throw new SnapwireError("invalid-input", "The limit pongWithinMs must be shorter than pingEveryMs.");
  return limits;
}
