/** How a watch ends: with a code, or with a failure that says why and what to do. */
import { CliFailure, EXIT } from "./exit-codes.ts";
import { cannotConnect, ROLE_FIX, TOKEN_FIX } from "./remote.ts";
import { safeText } from "./safe-text.ts";

export function denied(message: string | undefined, reason: string | undefined): CliFailure {
  const fix = reason === "forbidden" || reason === "revoked" ? ROLE_FIX : TOKEN_FIX;
  const why =
    reason === "revoked" ? "The right to watch was taken away." : (message ?? "The server refuses.");
  return new CliFailure(EXIT.denied, `${safeText(why)} ${fix}`);
}

/** What `ws` says of an upgrade that was answered by a status. */
export function firstFailure(url: string, why: string): CliFailure {
  const status = /Unexpected server response: (\d{3})/.exec(why)?.[1];
  if (status === "401" || status === "403")
    return new CliFailure(
      EXIT.denied,
      `${safeText(url)} refuses the connection (${status}). ${TOKEN_FIX} Or look what stands between: snapwire doctor ${safeText(url)}`,
    );
  const more = status === undefined ? "" : ` See what answers there: snapwire doctor ${safeText(url)}`;
  const failure = cannotConnect(url, why);
  return new CliFailure(failure.exitCode, failure.message + more, { cause: failure });
}

export function tooLate(url: string, afterMs: number): CliFailure {
  return cannotConnect(url, `nothing came within ${afterMs / 1000} s`);
}

/** Settled once, from anywhere; the first word counts. */
export function pending<T>() {
  let resolve = (_value: T): void => undefined;
  let reject = (_error: Error): void => undefined;
  const promise = new Promise<T>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  promise.catch(() => undefined); // it may be settled before anybody waits
  return { promise, resolve: (value: T) => resolve(value), reject: (error: Error) => reject(error) };
}
