/** Looks at the servers of a shared journal: do they answer, what they are, and what their version is known for. */
import { beginNewEpoch, inspectNats, type StreamReport } from "../journal/nats/inspect.ts";
import { natsOptionsFromUrl } from "../journal/nats/url.ts";
import { compareVersions } from "../journal/nats/version.ts";
import { type Finding, ok, problem } from "./doctor-check.ts";
import { journalAdvice } from "./journal-advice.ts";

const ANSWER_MS = 5_000;

/** What versions up to this one are known for. */
const KNOWN: readonly (readonly [upTo: string, what: string])[] = [
  [
    "2.9.17",
    "a purge by subject is repeated as a purge of everything when a server recovers: never purge these streams by hand",
  ],
  [
    "2.10.18",
    "the copies of a stream in a cluster can come to differ: after a change of leader clients may have to begin from the start, and a write may be lost",
  ],
  ["2.10.22", "a stream can be lost when servers are killed while they recover"],
];

export function versionWarning(version: string): string {
  const known = KNOWN.filter(([upTo]) => compareVersions(version, upTo) <= 0).map(([, what]) => what);
  if (known.length === 0) return "";
  return `; 2.11 or newer is better, since with this one ${known.join(", and ")}`;
}

export async function journalCheck(url: string): Promise<Finding> {
  let report: Awaited<ReturnType<typeof inspectNats>>;
  try {
    report = await inspectNats({ ...natsOptionsFromUrl(url), openTimeoutMs: ANSWER_MS });
  } catch (error) {
    return problem(
      (error as Error).message,
      journalAdvice(error) ?? "See that the servers run with JetStream (-js), and that the url names them.",
    );
  }
  const { version, clustered, streams } = report;
  const different = streams.flatMap(({ name, found }) =>
    (found?.differences ?? []).map((difference) => `${name}: ${difference}`),
  );
  if (different.length > 0)
    return problem(
      `nats-server ${version}; ${different.join("; ")}`,
      "Change the stream (nats stream edit), or name others in the url: ?prefix=...&state=...&events=...",
    );
  const lagging = streams.filter(({ found }) => (found?.lagging ?? 0) > 0);
  if (lagging.length > 0)
    return problem(
      `nats-server ${version}; ${lagging.map(inWords).join("; ")}`,
      "Start the servers that are down; those that are behind catch up by themselves.",
    );
  const cluster = clustered ? "in a cluster" : "alone: what it loses is lost";
  return ok(
    `nats-server ${version}, ${cluster}; ${streams.map(inWords).join("; ")}${versionWarning(version)}`,
  );
}

function inWords({ name, found }: StreamReport): string {
  if (!found) return `${name} will be made`;
  const { replicas, lagging, messages, bytes } = found;
  const copies = replicas === 1 ? "1 copy" : `${replicas} copies`;
  const behind = lagging === 0 ? "" : `, ${lagging} of them behind or away`;
  return `${name} has ${messages} messages, ${(bytes / 1024 / 1024).toFixed(1)} MiB, ${copies}${behind}`;
}

/** After a backup was restored while no node was running, which no node can notice. */
export async function newEpoch(url: string): Promise<Finding> {
  try {
    await beginNewEpoch({ ...natsOptionsFromUrl(url), openTimeoutMs: ANSWER_MS });
    return ok("a new one has begun; every client gets a full snapshot");
  } catch (error) {
    return problem(
      (error as Error).message,
      journalAdvice(error) ?? "Start a node once, so that there are streams, and try again.",
    );
  }
}
