/** Which sessions are forgotten: the old ones, and those that are too many. Pure. */
import type { SessionEntry } from "../protocol/sessions.ts";

export interface SessionRetention {
  /** A session of which nothing new was said for so long is forgotten, in milliseconds. @defaultValue 604_800_000 (7 days) */
  readonly keepForMs?: number;
  /** Sessions kept per workspace; those that are over go first, then the oldest. @defaultValue 100, at most 256 */
  readonly perWorkspace?: number;
  /** Sessions kept in all. @defaultValue 10_000 */
  readonly inAll?: number;
  /** Sessions kept whose workspace is not known (yet). @defaultValue 1_000 */
  readonly waiting?: number;
}

export const SESSION_RETENTION: Required<SessionRetention> = {
  keepForMs: 604_800_000,
  perWorkspace: 100,
  inAll: 10_000,
  waiting: 1_000,
};

/** @param before - Milliseconds since 1970. */
export function outdated(sessions: Iterable<SessionEntry>, before: number): string[] {
  const old: string[] = [];
  for (const { sessionId, updatedAt } of sessions) if (Date.parse(updatedAt) < before) old.push(sessionId);
  return old;
}

/** Those to forget so that `limit` remain: sessions that are over before live ones, the longest silent ones first. */
export function surplus(sessions: readonly SessionEntry[], limit: number): string[] {
  if (sessions.length <= limit) return [];
  const byWorth = [...sessions].sort((a, b) => {
    if (a.live !== b.live) return a.live ? 1 : -1;
    if (a.updatedAt !== b.updatedAt) return a.updatedAt < b.updatedAt ? -1 : 1;
    return a.version - b.version;
  });
  return byWorth.slice(0, sessions.length - limit).map(({ sessionId }) => sessionId);
}
