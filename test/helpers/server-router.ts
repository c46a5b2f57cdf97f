/** A small router for the tests of the server: it stands where the product's own router will stand. */
import { EventEmitter, on, once } from "node:events";
import { initTRPC, TRPCError, tracked } from "@trpc/server";
import superjson from "superjson";
import { z } from "zod";
import type { SnapwireContext } from "../../src/router/context.ts";

export function createServerRouter() {
  const ticker = new EventEmitter().setMaxListeners(0);
  const t = initTRPC.context<SnapwireContext>().create({ transformer: superjson, isDev: false });
  const known = t.procedure.use(({ ctx, next }) => {
    if (!ctx.identity) throw new TRPCError({ code: "UNAUTHORIZED", message: `token ${ctx.refused}` });
    return next({ ctx: { ...ctx, identity: ctx.identity } });
  });
  let running = 0;
  let echoes = 0;

  const router = t.router({
    whoami: known.query(({ ctx }) => ctx.identity),
    recheck: t.procedure.query(async ({ ctx }) => (ctx.recheck ? await ctx.recheck() : "never")),
    echo: known.input(z.string()).mutation(({ input }) => {
      echoes++;
      return input;
    }),
    /** Answers at the next tick; fails without an input. */
    later: known.input(z.string()).query(async ({ input }) => {
      await once(ticker, "tick");
      return input;
    }),
    big: known.input(z.number()).query(({ input }) => "x".repeat(input)),
    tryElsewhere: known.mutation(({ ctx }) => ctx.connection?.tryElsewhere()),
    ticks: known
      .input(z.object({ lastEventId: z.string().nullish() }).nullish())
      .subscription(async function* ({ input, signal }) {
        running++;
        try {
          yield tracked(input?.lastEventId ?? "0", { from: input?.lastEventId ?? null });
          for await (const [n] of on(ticker, "tick", signal ? { signal } : {}))
            yield tracked(String(n), { n });
        } finally {
          running--;
        }
      }),
    /** Frames of `bytes` without end, as a feed hands them over: claim, yield, release. */
    flood: known.input(z.object({ bytes: z.number() })).subscription(async function* ({
      ctx,
      input,
      signal,
    }) {
      const connection = ctx.connection;
      if (!connection) throw new TRPCError({ code: "INTERNAL_SERVER_ERROR", message: "no connection" });
      for (let n = 1; !signal?.aborted; n++) {
        for (let wait = connection.claim(); wait; wait = connection.claim()) {
          await wait;
          if (signal?.aborted) return;
        }
        try {
          yield tracked(String(n), "x".repeat(input.bytes));
        } finally {
          connection.release();
        }
      }
    }),
    silent: known.subscription(async function* ({ signal }) {
      running++;
      try {
        await new Promise<void>((resolve) =>
          signal?.addEventListener("abort", () => resolve(), { once: true }),
        );
        yield* [];
      } finally {
        running--;
      }
    }),
  });
  return { router, ticker, running: () => running, echoes: () => echoes };
}
