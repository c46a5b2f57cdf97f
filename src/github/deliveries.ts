/** Webhook deliveries: which ids were taken, and what the last ones did, for people. */

export type DeliveryOutcome =
  /** It said something new. */
  | "changed"
  /** It said nothing that was not known. */
  | "unchanged"
  /** Its id was taken before. */
  | "duplicate"
  /** No project belongs to its repository. */
  | "unknown-repository"
  /** Nothing here listens to such an event. */
  | "ignored"
  /** Its payload has another shape than GitHub's. */
  | "invalid"
  /** The journal could not take it. */
  | "not-stored";

export interface Delivery {
  readonly id: string;
  readonly event: string;
  readonly repository: string | null;
  readonly outcome: DeliveryOutcome;
  /** RFC 3339. */
  readonly at: string;
}

const KNOWN_IDS = 10_000;
const SHOWN = 50;

export class Deliveries {
  readonly #known = new Set<string>();
  readonly #last: Delivery[] = [];
  readonly counts: Record<DeliveryOutcome, number> = {
    changed: 0,
    unchanged: 0,
    duplicate: 0,
    "unknown-repository": 0,
    ignored: 0,
    invalid: 0,
    "not-stored": 0,
  };

  isKnown(id: string): boolean {
    return this.#known.has(id);
  }

  /** One that was not stored, or could not be placed or read, may come again under its id: nothing followed from it. */
  add(delivery: Delivery): void {
    const { id, outcome } = delivery;
    this.counts[outcome] += 1;
    this.#last.unshift(delivery);
    this.#last.length = Math.min(this.#last.length, SHOWN);
    if (outcome !== "changed" && outcome !== "unchanged") return;
    this.#known.add(id);
    const [oldest] = this.#known;
    if (this.#known.size > KNOWN_IDS && oldest !== undefined) this.#known.delete(oldest);
  }

  /** Newest first. */
  get last(): readonly Delivery[] {
    return this.#last;
  }
}
