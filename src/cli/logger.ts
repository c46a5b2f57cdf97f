/** Log lines: one JSON object per fact, on stderr. */
import { type DestinationStream, type Logger, pino } from "pino";
import type { CliOutput } from "./io.ts";
import type { LogLevel } from "./settings.ts";

/** Where a secret could stand in what somebody logs. Ours never log one; this is for the day when one does. */
const SECRETS = ["token", "authorization", "password", "secret", "connectionParams", "headers"];

/** The root of all loggers; each room gets a child, `logger.child({ room })`. Written at once: nothing is lost at an end. */
export function createLogger(stderr: CliOutput, level: LogLevel): Logger {
  const destination: DestinationStream = { write: (line) => void stderr.write(line) };
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: serialiseError },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: "***" },
    },
    destination,
  );
}

function serialiseError(error: unknown): unknown {
  return error instanceof Error ? pino.stdSerializers.err(error) : error;
}
