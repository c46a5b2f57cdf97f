/**
 * Whom a subscription listens to. Several targets are a union, with one copy of each event. The name of a target set is
 * canonical: whoever listens to the same shares one view and one pump.
 */
import type { LogQuery, LogTarget } from "../collection/log-node.ts";

/** A target as it is asked for. */
export type EventTarget =
  | { readonly scope: "all" }
  | { readonly projectId: string }
  | { readonly workspaceId: string }
  | { readonly sessionId: string };

/**
 * A target as it was authorised: what belongs to a workspace or session is shown as far as it belongs to `within`, the
 * project that the caller may read; absent: the caller may read everything.
 */
export type AuthorisedTarget =
  | { readonly of: "all" }
  | { readonly of: "project"; readonly id: string }
  | { readonly of: "workspace" | "session"; readonly id: string; readonly within?: string };

export const MAX_TARGETS = 64;

/** `all`, `project:<id>`, `workspace:<id>`, `session:<id>`. */
export function labelOf(target: AuthorisedTarget): string {
  return target.of === "all" ? "all" : `${target.of}:${target.id}`;
}

/** The topics under which an event with these ids is found. */
export function topicsOf(event: {
  readonly workspaceId?: string;
  readonly sessionId?: string;
}): readonly string[] {
  return [
    ...(event.workspaceId === undefined ? [] : [`workspace:${event.workspaceId}`]),
    ...(event.sessionId === undefined ? [] : [`session:${event.sessionId}`]),
  ];
}

type Row = readonly [of: AuthorisedTarget["of"], id?: string, within?: string];
type Name = readonly [targets: readonly Row[], types: readonly string[] | null];

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** @param types - Absent: all of them. */
export function scopeName(targets: readonly AuthorisedTarget[], types?: readonly string[]): string {
  const rows = new Map<string, Row>();
  for (const target of targets) {
    const row: Row =
      target.of === "all"
        ? ["all"]
        : target.of === "project" || target.within === undefined
          ? [target.of, target.id]
          : [target.of, target.id, target.within];
    rows.set(JSON.stringify(row), row);
  }
  const sorted = [...rows].sort(([a], [b]) => compare(a, b)).map(([, row]) => row);
  const name: Name = [sorted, types ? [...new Set(types)].sort(compare) : null];
  return JSON.stringify(name);
}

/** @param name - One that {@link scopeName} made. */
function read(name: string): Name {
  return JSON.parse(name) as Name;
}

export function subscriptionsOf(name: string): readonly string[] {
  const [targets] = read(name);
  return targets.map(([of, id]) => (of === "all" ? "all" : `${of}:${id}`));
}

export function queryOf(name: string): LogQuery {
  const [rows, types] = read(name);
  const targets = rows.map(([of, id = "", within]): LogTarget => {
    if (of === "all") return { of };
    if (of === "project") return { of: "scope", scope: id };
    return { of: "topic", topic: `${of}:${id}`, ...(within === undefined ? {} : { scope: within }) };
  });
  return { targets, ...(types ? { types: new Set(types) } : {}) };
}
