/** What a doctor asks: which servers, which streams, and a new epoch where nobody else can know that one is due. */
import { type NatsLink, openLink } from "./connection.ts";
import { renewEpoch } from "./epoch.ts";
import { type NatsJournalOptions, type NatsSettings, natsSettings } from "./options.ts";
import { loadNatsPackages, type NatsPackages } from "./packages.ts";
import { differences, streamConfig } from "./streams.ts";

export interface NatsReport {
  readonly version: string;
  readonly clustered: boolean;
  readonly streams: readonly StreamReport[];
}

export interface StreamReport {
  readonly name: string;
  /** `undefined`: the first node that starts will make it. */
  readonly found:
    | {
        readonly replicas: number;
        /** Copies that are behind or away. */
        readonly lagging: number;
        readonly messages: number;
        readonly bytes: number;
        /** Settings that this engine refuses, each in words. */
        readonly differences: readonly string[];
      }
    | undefined;
}

/** @throws {@link SnapwireError} when the servers cannot be reached or refuse. */
export async function inspectNats(options: NatsJournalOptions): Promise<NatsReport> {
  return withLink(options, async (link, settings, packages) => {
    const streams: StreamReport[] = [];
    for (const spec of [settings.state, settings.events]) {
      const info = await link.api.streams.info(spec.name).catch((error: unknown) => {
        if ((error as Error).name === "StreamNotFoundError") return undefined;
        throw error;
      });
      const replicas = info?.cluster?.replicas ?? [];
      streams.push({
        name: spec.name,
        found: info && {
          replicas: info.config.num_replicas,
          lagging: replicas.filter(({ current, offline }) => !current || offline).length,
          messages: info.state.messages,
          bytes: info.state.bytes,
          differences: differences(info.config, streamConfig(spec, settings, packages)),
        },
      });
    }
    return { version: link.version, clustered: link.clustered, streams };
  });
}

/** Begins a new epoch on both streams: after a backup was restored while no node was running. */
export async function beginNewEpoch(options: NatsJournalOptions): Promise<void> {
  await withLink(options, async ({ api }, { state, events }) => {
    for (const spec of [state, events]) {
      const now = await renewEpoch({ api, spec }, undefined);
      // One that was there already is the one to leave.
      await renewEpoch({ api, spec }, now);
    }
  });
}

async function withLink<Result>(
  options: NatsJournalOptions,
  use: (link: NatsLink, settings: NatsSettings, packages: NatsPackages) => Promise<Result>,
): Promise<Result> {
  const settings = natsSettings(options);
  const packages = await loadNatsPackages();
  const link = await openLink(settings, packages, AbortSignal.timeout(settings.openTimeoutMs));
  try {
    return await use(link, settings, packages);
  } finally {
    await link.close();
  }
}
