/** How a command ends whose stderr is a log: what refuses it is said once, where whoever needs it looks. */
import type { Logger } from "pino";
import { EXIT, failureOf } from "./exit-codes.ts";
import { type CliIo, say } from "./io.ts";
import { safeLines } from "./safe-text.ts";

/**
 * A person at a terminal gets a line; a log gets a fact. What is wrong with the command line is for whoever wrote it, and
 * is a line in any case, as it is when the log is switched off.
 */
export async function withLoggedRefusal(
  io: CliIo,
  logger: Logger,
  work: () => Promise<number>,
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    const { exitCode, message, fault } = failureOf(error);
    if (io.isStderrTTY || exitCode === EXIT.usage || !logger.isLevelEnabled("fatal")) throw error;
    logger.fatal({ exitCode, ...(fault !== undefined && { err: fault }) }, message);
    if (io.isTTY) say(io.stdout, `snapwire: ${safeLines(message)}`);
    return exitCode;
  }
}
