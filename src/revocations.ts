/** Identities whose rights end before their tokens do. Memory of this node: tell each one. */

export interface Revocable {
  readonly subject: string;
  /** When the token was issued, in milliseconds since 1970; absent for tokens that do not say. */
  readonly issuedAt?: number;
}

/** Longer than a token should live. */
const KEPT_MS = 24 * 3_600_000;
/** By what the clock of an issuer may be ahead of ours: a token that it issued before seems to be from after. */
const AHEAD_MS = 5_000;
/** The oldest are forgotten first. */
const KEPT = 10_000;

export class Revocations {
  readonly #now: () => number;
  /** Oldest first: since when, in milliseconds since 1970. */
  readonly #revokedAt = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  /** @param now - Milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  get size(): number {
    return this.#revokedAt.size;
  }

  revoke({ subject }: Pick<Revocable, "subject">): void {
    this.#revokedAt.delete(subject);
    this.#revokedAt.set(subject, this.#now());
    for (const [oldest, at] of this.#revokedAt) {
      if (this.#revokedAt.size <= KEPT && at > this.#now() - KEPT_MS) break;
      this.#revokedAt.delete(oldest);
    }
    for (const listener of this.#listeners) listener();
  }

  /** A token that was surely issued after the revocation is a new one; one that does not say when is not. */
  covers({ subject, issuedAt = 0 }: Revocable): boolean {
    const revokedAt = this.#revokedAt.get(subject);
    return revokedAt !== undefined && issuedAt <= revokedAt + AHEAD_MS && revokedAt > this.#now() - KEPT_MS;
  }

  /** @returns how to hear no more. */
  onRevoke(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
