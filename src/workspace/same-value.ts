/**
 * When two values are the same. One function for the fold, for drift and for whoever compares entries: two notions of
 * equality would report as drift what the fold does not call a change.
 */
import type { SessionSummary, WorkspaceField, WorkspaceFields } from "../protocol/workspace.ts";

/** Deep equality of plain JSON. Inside a value an absent key says the same as null; the order of keys says nothing. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && sameList(a, b);
  return sameRecord(a as Record<string, unknown>, b as Record<string, unknown>);
}

function sameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, index) => sameValue(value, b[index]));
}

function sameRecord(a: Record<string, unknown>, b: Record<string, unknown>): boolean {
  for (const key of Object.keys(a)) if (!sameValue(a[key], b[key])) return false;
  for (const key of Object.keys(b)) if (!Object.hasOwn(a, key) && (b[key] ?? null) !== null) return false;
  return true;
}

/** Equality of one field of a workspace. Sessions are a set by id: the same ones in another order are no news. */
export function sameFieldValue<Field extends WorkspaceField>(
  field: Field,
  a: WorkspaceFields[Field],
  b: WorkspaceFields[Field],
): boolean {
  if (sameValue(a, b)) return true;
  return field === "sessionSummaries" && Array.isArray(a) && Array.isArray(b) && sameSessions(a, b);
}

function sameSessions(a: readonly SessionSummary[], b: readonly SessionSummary[]): boolean {
  if (a.length !== b.length) return false;
  const byId = new Map(a.map((session) => [session.sessionId, session]));
  return byId.size === a.length && b.every((session) => takeSame(byId, session));
}

/** Takes it out, so that a list which names one session twice is not the same as one which names two. */
function takeSame(byId: Map<string, SessionSummary>, session: SessionSummary): boolean {
  return sameValue(byId.get(session.sessionId), session) && byId.delete(session.sessionId);
}
