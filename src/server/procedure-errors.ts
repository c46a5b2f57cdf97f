/** What a procedure throws, told to the log: our faults as errors, the caller's as detail. Never inputs. */
import type { TRPCError } from "@trpc/server";
import type { Logger } from "../log.ts";
import { reasonOf } from "../router/errors.ts";

export type OnProcedureError = (failure: {
  readonly error: TRPCError;
  readonly path: string | undefined;
  readonly type: string;
}) => void;

export function logProcedureErrors(logger: Logger): OnProcedureError {
  return ({ error, path, type }) => {
    if (error.code === "INTERNAL_SERVER_ERROR")
      logger.error({ path, type, err: error }, "a procedure failed");
    else if (reasonOf(error) === "outcome-unknown")
      logger.warn({ path, type, why: error.message }, "the outcome of a call is unknown");
    else logger.debug({ path, type, code: error.code }, "a call was refused");
  };
}
