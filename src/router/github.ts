/** `github`: what the last deliveries of GitHub's webhooks did, for whoever sets them up. */
import type { TRPCQueryProcedure } from "@trpc/server";
import type { Delivery, DeliveryOutcome } from "../github/index.ts";
import type { ProcedureRoom, Shape } from "./procedures.ts";

interface GithubReport {
  /** `owner/name` to project. */
  readonly repositories: readonly { readonly repository: string; readonly projectId: string }[];
  readonly counts: Readonly<Record<DeliveryOutcome, number>>;
  /** Newest first. */
  readonly deliveries: readonly Delivery[];
}

/** A type, not an interface: only a type fits the index signature of a router's record. */
export type GithubProcedures = {
  /** Null: this service listens to no repository. For admins. */
  deliveries: TRPCQueryProcedure<Shape<void, GithubReport | null>>;
};

export function githubProcedures<Entry>({
  live,
  procedure,
  authorize,
}: ProcedureRoom<Entry>): GithubProcedures {
  const deliveries = procedure.query(async ({ ctx }): Promise<GithubReport | null> => {
    await authorize({ ctx, action: "administer" });
    const { github } = live;
    if (!github) return null;
    return {
      repositories: [...live.repositories()].map(([repository, projectId]) => ({ repository, projectId })),
      counts: { ...github.counts },
      deliveries: [...github.deliveries],
    };
  });
  return { deliveries } as unknown as GithubProcedures;
}
