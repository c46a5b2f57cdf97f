/** Whom a plain client may listen to: what is asked for, narrowed to what its identity may read. */
import { type AuthorisedTarget, MAX_TARGETS } from "../../events/targets.ts";
import { EVERY_PROJECT, type Identity, mayAct } from "../../router/identity.ts";
import type { Snapwire } from "../../snapwire.ts";

export type PlainTarget =
  | { readonly scope: "all" }
  | { readonly projectId: string }
  | { readonly workspaceId: string }
  | { readonly sessionId: string };

/** More than one subscription can listen to. */
export function tooMany(targets: readonly AuthorisedTarget[]): boolean {
  return targets.length > MAX_TARGETS;
}

/** Everything that the identity may read; undefined when it may not read what was asked for. */
export function targetsFor(
  live: Pick<Snapwire<never>, "events">,
  identity: Identity,
  target: PlainTarget,
): readonly AuthorisedTarget[] | undefined {
  const may = (projectId: string): boolean => mayAct(identity, "read", { projectId });
  if (!mayAct(identity, "read")) return undefined;
  if ("scope" in target) {
    if (may(EVERY_PROJECT)) return [{ of: "all" }];
    const { projects } = identity;
    if (projects === "*" || projects.length === 0) return undefined;
    return projects.map((id) => ({ of: "project", id }));
  }
  if ("projectId" in target)
    return may(target.projectId) ? [{ of: "project", id: target.projectId }] : undefined;
  const within = live.events.projectOf(target);
  if (!may(within ?? EVERY_PROJECT)) return undefined;
  const [of, id] =
    "workspaceId" in target
      ? (["workspace", target.workspaceId] as const)
      : (["session", target.sessionId] as const);
  return [{ of, id, ...(within === undefined ? {} : { within }) }];
}
