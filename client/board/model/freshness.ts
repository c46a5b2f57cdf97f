/** What may truthfully be said about how fresh the view is. One word for the pill, one sentence for the banner. */
import type { ReplicaReason, ReplicaStatus } from "../../status.ts";
import { clockTime, counted } from "./age.ts";

/** Everything that the sentence is made of; of one project. */
export interface Standing {
  readonly status: ReplicaStatus;
  readonly reason: ReplicaReason | undefined;
  readonly detail: string | undefined;
  /** False while the server still looks at its sources for the first time. */
  readonly complete: boolean;
  /** Since when what is shown may be old, in milliseconds since 1970; undefined: it is not. */
  readonly staleSince: number | undefined;
  /** When the next attempt is made; undefined: one is under way, or none is planned. */
  readonly nextAttemptAt: number | undefined;
  /** The last time that the view caught up. */
  readonly caughtUp: { readonly at: number; readonly changes: number } | undefined;
}

type FreshnessTone = "live" | "moving" | "stale" | "denied";

export interface Freshness {
  readonly tone: FreshnessTone;
  /** For the pill: `Live`, `Reconnecting in 3 s`. */
  readonly word: string;
  /** For the banner; undefined: nothing needs to be said. */
  readonly sentence: string | undefined;
  /** What is shown may be old: it is dimmed, and stays. */
  readonly dimmed: boolean;
}

/** How long "caught up" is said, in milliseconds. */
const CAUGHT_UP_MS = 8_000;

export function freshnessOf(standing: Standing, now: number): Freshness {
  const { status, staleSince } = standing;
  const since = staleSince === undefined ? undefined : clockTime(staleSince, now);
  switch (status) {
    case "live":
      return liveFreshness(standing, now);
    case "connecting":
      return {
        tone: "moving",
        word: attemptWord("Connecting", standing, now),
        sentence: undefined,
        dimmed: false,
      };
    case "catching-up":
      return {
        tone: "moving",
        word: "Catching up",
        sentence: "Connected again; what was missed is on its way.",
        dimmed: true,
      };
    case "stale":
      return {
        tone: "stale",
        word: since ? `Stale since ${since}` : "Stale",
        sentence: `The server cannot see its source${standing.detail ? ` (${standing.detail})` : ""}. This is the last that it knew.`,
        dimmed: true,
      };
    case "reconnecting":
      return {
        tone: "stale",
        word: attemptWord("Reconnecting", standing, now),
        sentence: since
          ? `Stale since ${since}. The connection is lost; this is what was last heard.`
          : undefined,
        dimmed: true,
      };
    case "offline":
      return {
        tone: "stale",
        word: since ? `Stale since ${since}` : attemptWord("Reconnecting", standing, now),
        sentence: `${attemptWord("The server cannot be reached; trying again", standing, now)}. ${
          since ? "This is what was last heard." : "Nothing was loaded yet."
        }`,
        dimmed: true,
      };
    case "denied":
      return {
        tone: "denied",
        word: "Denied",
        sentence:
          standing.reason === "forbidden"
            ? "This identity may not watch this project."
            : "The server does not know who you are.",
        dimmed: true,
      };
    case "ended":
      return {
        tone: "denied",
        word: standing.reason === "revoked" ? "Denied" : "Ended",
        sentence: endedSentence(standing),
        dimmed: true,
      };
  }
}

function liveFreshness({ caughtUp, complete }: Standing, now: number): Freshness {
  const fresh = caughtUp && now - caughtUp.at < CAUGHT_UP_MS ? caughtUp : undefined;
  const looking = complete ? undefined : "The server still looks at its sources; more may come.";
  return {
    tone: "live",
    word: "Live",
    sentence: fresh ? caughtUpWords(fresh.changes) : looking,
    dimmed: false,
  };
}

function caughtUpWords(changes: number): string {
  return `Caught up, ${changes === 0 ? "nothing changed" : counted(changes, "change")}.`;
}

function attemptWord(word: string, { nextAttemptAt }: Standing, now: number): string {
  if (nextAttemptAt === undefined) return `${word}…`;
  return `${word} in ${Math.max(1, Math.ceil((nextAttemptAt - now) / 1_000))} s`;
}

function endedSentence({ reason }: Standing): string {
  if (reason === "revoked")
    return "The server withdrew the right to watch this project. This is what was last shown.";
  if (reason === "project-gone") return "The project is gone from the server. This is what was last shown.";
  return "The connection was closed.";
}

/** From the one that people must hear of first to the one that is fine. */
const GRAVITY: readonly ReplicaStatus[] = [
  "denied",
  "ended",
  "offline",
  "reconnecting",
  "stale",
  "connecting",
  "catching-up",
  "live",
];

/** The standing that speaks for several projects: the worst. */
export function worstOf(standings: readonly Standing[]): Standing | undefined {
  return [...standings].sort(
    (a, b) =>
      GRAVITY.indexOf(a.status) - GRAVITY.indexOf(b.status) ||
      Number(a.complete) - Number(b.complete) ||
      (b.caughtUp?.at ?? 0) - (a.caughtUp?.at ?? 0),
  )[0];
}
