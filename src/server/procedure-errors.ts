/** What a procedure throws, told to the log: our faults as errors, the caller's as detail. Never inputs. */
import type { TRPCError } from "@trpc/server";
import type { Logger } from "../log.ts";

export type OnProcedureError = (failure: {
  readonly error: TRPCError;
  readonly path: string | undefined;
  readonly type: string;
}) => void;

export function logProcedureErrors(logger: Logger): OnProcedureError {
  return ({ error, path, type }) => {
    if (error.code === "INTERNAL_SERVER_ERROR")
      logger.error({ path, type, err: error }, "a procedure failed");
    else logger.debug({ path, type, code: error.code }, "a call was refused");
  };
}
