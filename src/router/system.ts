/** `system`: how the service does. */
import { z } from "zod";
import { reading } from "./input.ts";
import type { ProcedureRoom, SystemProcedures } from "./procedures.ts";

const clientsInput = reading(z.object({ limit: z.int().min(1).max(1_000).optional() }).nullish());

export function systemProcedures<Entry>({
  live,
  procedure,
  allowed,
  authorize,
}: ProcedureRoom<Entry>): SystemProcedures {
  const health = procedure.query(async ({ ctx }) => {
    const { checks, ...known } = live.health();
    // Details are for those who may read something; the rest is for anybody who can reach the port.
    const mayLook = await allowed({ ctx, action: "read" }).catch(() => false);
    return mayLook ? { ...known, checks } : known;
  });
  const stats = procedure.query(async ({ ctx }) => {
    await authorize({ ctx, action: "administer" });
    return live.stats();
  });
  const clients = procedure.input(clientsInput).query(async ({ ctx, input }) => {
    await authorize({ ctx, action: "administer" });
    return { clients: live.clients(input?.limit) };
  });
  return { health, stats, clients } as unknown as SystemProcedures;
}
