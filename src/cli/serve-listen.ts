/** Where `serve` listens, and why it cannot. */
import { lookup } from "node:dns/promises";
import { SnapwireError } from "../protocol/errors.ts";
import type { SnapwireServer } from "../server/index.ts";
import { readHealth } from "./doctor-server.ts";
import { CliFailure, EXIT } from "./exit-codes.ts";
import { safeText } from "./safe-text.ts";
import { addressOf } from "./serve-lines.ts";

/**
 * Before anything is said of who could reach a name, it has to be one.
 * @throws {@link CliFailure} when it does not resolve; an address always does.
 */
export async function assertKnownHost(host: string): Promise<void> {
  try {
    await lookup(host);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new CliFailure(
      EXIT.failure,
      `The name ${safeText(host)} does not resolve (${code}). Name an address of this machine: --host 127.0.0.1, or ` +
        "--host 0.0.0.0 for all of them.",
      { cause: error },
    );
  }
}

const FIXES: Readonly<Record<string, string>> = {
  EACCES: "this user may not use that port. Choose one above 1023: --port 4747",
  EADDRNOTAVAIL: "this machine does not have that address. Choose one that it has: --host 127.0.0.1",
};

/**
 * @param otherwise - what else could be done when a server of ours has the port
 * @returns the url. @throws {@link CliFailure}, {@link SnapwireError}
 */
export async function listen(
  server: SnapwireServer,
  port: number,
  host: string,
  otherwise = "",
): Promise<string> {
  try {
    return await server.listen(port, host);
  } catch (error) {
    if (error instanceof SnapwireError) throw (await servedThere(error, port, host, otherwise)) ?? error;
    const { code = "", message } = error as NodeJS.ErrnoException;
    const fix = FIXES[code] ?? `${message}. Try --host 127.0.0.1, or another --port`;
    throw new CliFailure(EXIT.failure, `Cannot listen on port ${port} of ${safeText(host)}: ${fix}.`, {
      cause: error,
    });
  }
}

/** A port that another one of ours has is most often the board that was wanted. */
async function servedThere(
  refusal: SnapwireError,
  port: number,
  host: string,
  otherwise: string,
): Promise<CliFailure | undefined> {
  const { cause } = refusal;
  if (!(cause instanceof Error) || (cause as NodeJS.ErrnoException).code !== "EADDRINUSE") return undefined;
  const { near } = addressOf(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
  const health = await readHealth(near).catch(() => undefined);
  if (!health) return undefined;
  return new CliFailure(
    EXIT.failure,
    `Port ${port} of ${safeText(host)} is in use. Snapwire ${safeText(health.version)} answers there: ${near}/. Open that one, ` +
      `or choose another port: --port <number>.${otherwise}`,
    { cause: refusal },
  );
}
