/** What a host may set of the hub. */
import { SnapwireError } from "../protocol/errors.ts";
import type { HostTypes } from "./types.ts";

export interface EventsOptions {
  /** A host's own types and the shapes of their payloads; `defineEvents` types them. @defaultValue none */
  readonly types?: HostTypes;
  /** Events kept per project, for those who come back. @defaultValue 10_000 */
  readonly eventsPerProject?: number;
  /** How long an event is kept, in milliseconds. @defaultValue 86_400_000 */
  readonly eventsForMs?: number;
  /** Events kept over all projects. @defaultValue 100_000 */
  readonly eventsInAll?: number;
  /** What they may take together, in bytes. @defaultValue 268_435_456 */
  readonly eventBytesInAll?: number;
}

const DEFAULTS = {
  eventsPerProject: 10_000,
  eventsForMs: 24 * 3_600_000,
  eventsInAll: 100_000,
  eventBytesInAll: 256 * 1024 * 1024,
} as const;

export type EventLimits = { readonly [Key in keyof typeof DEFAULTS]: number };

/** @throws {@link SnapwireError} `invalid-input` for a limit that keeps nothing. */
export function eventLimits(options: EventsOptions): EventLimits {
  const limits = { ...DEFAULTS } as { -readonly [Key in keyof EventLimits]: number };
  for (const key of Object.keys(DEFAULTS) as (keyof EventLimits)[]) {
    const given = options[key] ?? DEFAULTS[key];
    if (!(given > 0))
      throw new SnapwireError("invalid-input", `events.${key} is a number above 0, not ${given}.`);
    limits[key] = given;
  }
  return limits;
}
