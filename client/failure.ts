/** What a failed subscription means for whoever holds it. */

/** Given to every operation on a client after its `close()`. */
export class ClientClosedError extends Error {
  override readonly name = "ClientClosedError";

  constructor() {
    super("this Snapwire client is closed: make a new one with createSnapwireClient");
  }
}

export type Failure = "unauthorized" | "forbidden" | "client-closed" | "other";

/** JSON-RPC numbers as tRPC assigns them: they survive a host's own error formatter. */
const UNAUTHORIZED = -32001;
const FORBIDDEN = -32003;

/** Looks at tRPC's code in all the places where it may stand; anything unreadable is `other`, which is retried. */
export function readFailure(error: unknown): Failure {
  if (!isRecord(error)) return "other";
  if (error instanceof ClientClosedError || error.cause instanceof ClientClosedError) return "client-closed";
  const data = isRecord(error.data) ? error.data : {};
  const shape = isRecord(error.shape) ? error.shape : {};
  if (data.code === "UNAUTHORIZED" || shape.code === UNAUTHORIZED || data.httpStatus === 401)
    return "unauthorized";
  if (data.code === "FORBIDDEN" || shape.code === FORBIDDEN || data.httpStatus === 403) return "forbidden";
  return "other";
}

export function messageOf(error: unknown): string {
  if (isRecord(error) && typeof error.message === "string" && error.message !== "") return error.message;
  return typeof error === "string" && error !== "" ? error : "no message";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
