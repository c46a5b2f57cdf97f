/** `system`: how the service does. */
import type { ProcedureRoom, SystemProcedures } from "./procedures.ts";

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
  return { health, stats } as unknown as SystemProcedures;
}
