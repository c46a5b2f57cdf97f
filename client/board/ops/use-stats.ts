/** The server's numbers, asked for while somebody looks at them. */
import { useEffect, useState } from "react";
import type { SnapwireClient } from "../../connection.ts";
import { messageOf, readFailure } from "../../failure.ts";
import type { TokenKeeper } from "../store/token.ts";
import { type LagQuantiles, lagOf, type Sample, withSample } from "./samples.ts";

/** Between two looks, in milliseconds. */
const LOOK_MS = 2_000;

export interface Stats {
  readonly samples: readonly Sample[];
  readonly lag: LagQuantiles | undefined;
  readonly refused: boolean;
  /** The last look failed: what is shown is older. */
  readonly failure: string | undefined;
}

const NONE: Stats = { samples: [], lag: undefined, refused: false, failure: undefined };

export function useStats(client: SnapwireClient, keeper: TokenKeeper): Stats {
  const [stats, setStats] = useState<Stats>(NONE);
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      if (document.visibilityState !== "hidden") {
        const seen = await read(client, keeper, stop.signal);
        if (stop.signal.aborted) return;
        setStats((before) => seen(before));
      }
      timer = setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [client, keeper]);
  return stats;
}

async function read(
  client: SnapwireClient,
  keeper: TokenKeeper,
  signal: AbortSignal,
): Promise<(before: Stats) => Stats> {
  // Without a connection a query would wait for the next one, and the page would look as if all were well.
  if (client.connection.status !== "open")
    return (before) => ({ ...before, failure: "The server cannot be reached." });
  try {
    const [stats, lag] = await Promise.all([
      client.trpc.system.stats.query(undefined, { signal }),
      readLag(keeper, signal),
    ]);
    const at = Date.now();
    return ({ samples }) => ({
      samples: withSample(samples, { at, stats }),
      lag,
      refused: false,
      failure: undefined,
    });
  } catch (error) {
    const failure = readFailure(error);
    if (failure === "forbidden" || failure === "unauthorized") return () => ({ ...NONE, refused: true });
    return (before) => ({ ...before, failure: messageOf(error) });
  }
}

/** A courtesy of servers that are ours: a host may serve no metrics. */
async function readLag(keeper: TokenKeeper, signal: AbortSignal): Promise<LagQuantiles | undefined> {
  const token = keeper.get();
  try {
    const answer = await fetch("/metrics", {
      signal,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    });
    return answer.ok ? lagOf(await answer.text()) : undefined;
  } catch {
    return undefined;
  }
}
