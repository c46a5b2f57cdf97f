/**
 * Whether the host's `procedure` comes from the same copy of `@trpc/server` as ours. The copies cannot be compared
 * directly; but an input middleware of the host's throws the host's `TRPCError`. It is called by itself, so no
 * middleware of the host runs. When tRPC changes the shape that this looks at, the answer is "the same".
 */
import { TRPCError } from "@trpc/server";

interface LooksLikeBuilder {
  input(parser: (value: unknown) => never): { readonly _def?: { readonly middlewares?: unknown } };
}

export const TWO_COPIES =
  "snapwire and this router hold different copies of @trpc/server: the router would not recognise tracked frames, and " +
  "resuming would silently be lost. Install one copy (npm ls @trpc/server), or pass yours: " +
  "createSnapwireProcedures({ ..., tracked }) with `tracked` from your own @trpc/server.";

export async function isSameTRPC(procedure: unknown): Promise<boolean> {
  const refuse = (): never => {
    throw new Error("refused, to see by whom");
  };
  const middlewares = (procedure as LooksLikeBuilder).input(refuse)._def?.middlewares;
  const last: unknown = Array.isArray(middlewares) ? middlewares.at(-1) : undefined;
  if (typeof last !== "function") return true;
  try {
    await last({
      getRawInput: async () => undefined,
      next: async () => undefined,
      input: undefined,
      ctx: {},
    });
    return true;
  } catch (error) {
    return error instanceof TRPCError || !(error instanceof Error && error.name === "TRPCError");
  }
}
