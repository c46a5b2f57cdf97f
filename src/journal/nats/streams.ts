/** The two streams: made when they are not there, and never changed when they are. */
import type { StreamConfig, StreamInfo } from "@nats-io/jetstream";
import { SnapwireError } from "../../protocol/errors.ts";
import { type StreamCalls, StreamGone, unavailable } from "./api.ts";
import type { NatsSettings, StreamSpec } from "./options.ts";
import type { NatsPackages } from "./packages.ts";

/** An id that comes again within this time is answered with the first sequence, in milliseconds. */
const DUPLICATES_MS = 120_000;
const NANOS = 1_000_000;

/** What the stream must be. Copies are a wish for a new one: one that exists has what its operator gave it. */
export function streamConfig(
  spec: StreamSpec,
  settings: Pick<NatsSettings, "storage">,
  { jetstream }: NatsPackages,
): Partial<StreamConfig> & { readonly name: string } {
  const { RetentionPolicy, DiscardPolicy, StorageType } = jetstream;
  return {
    name: spec.name,
    subjects: [spec.subjects.all],
    retention: RetentionPolicy.Limits,
    storage: settings.storage === "file" ? StorageType.File : StorageType.Memory,
    max_msgs_per_subject: 1,
    max_msgs: -1,
    max_bytes: spec.maxBytes ?? -1,
    max_age: (spec.maxAgeMs ?? 0) * NANOS,
    // A full stream refuses what is new: nothing that was told is thrown away in silence.
    discard: DiscardPolicy.New,
    duplicate_window: DUPLICATES_MS * NANOS,
    allow_direct: true,
    deny_delete: false,
    sealed: false,
    republish: { src: spec.subjects.all, dest: spec.subjects.live },
  };
}

/** Setting by setting, what a stream has in place of what it must have; empty when it will do. */
export function differences(has: Partial<StreamConfig>, must: Partial<StreamConfig>): string[] {
  return (Object.keys(must) as (keyof StreamConfig)[]).flatMap((key) => {
    const [found, wanted] = [has[key] ?? false, must[key] ?? false];
    if (key === "max_bytes" && wanted === -1) return []; // an operator's limit, or an account's
    return sameSetting(found, wanted)
      ? []
      : [`${key} is ${JSON.stringify(found)} and must be ${JSON.stringify(wanted)}`];
  });
}

/** Servers add keys of their own to what they were given. */
function sameSetting(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== "object" || wanted === null) return found === wanted;
  if (typeof found !== "object" || found === null) return false;
  if (Array.isArray(wanted)) return JSON.stringify(found) === JSON.stringify(wanted);
  return Object.entries(wanted).every(([key, value]) => sameSetting(Reflect.get(found, key), value));
}

export interface EnsureOptions {
  readonly api: StreamCalls;
  readonly settings: NatsSettings;
  readonly packages: NatsPackages;
  /** Copies of a stream that is made here. */
  readonly replicas: number;
}

/**
 * @throws {@link SnapwireError} `invalid-input` for a stream that is there with other settings, with the difference.
 * @throws {@link JournalUnavailable} when it cannot be looked at or made now.
 */
export async function ensureStream(
  spec: StreamSpec,
  { api, settings, packages, replicas }: EnsureOptions,
): Promise<StreamInfo> {
  const must = streamConfig(spec, settings, packages);
  let info: StreamInfo;
  try {
    info = await findOrAdd(api, spec, { ...must, num_replicas: replicas });
  } catch (error) {
    throw unavailable(error, `the stream ${spec.name}`);
  }
  const wanted = settings.replicas === undefined ? must : { ...must, num_replicas: settings.replicas };
  const different = differences(info.config, wanted);
  if (different.length === 0) return info;
  throw new SnapwireError(
    "invalid-input",
    `The stream ${spec.name} has other settings: ${different.join("; ")}. Change it (nats stream edit), or choose other names for the streams and their subjects.`,
  );
}

async function findOrAdd(
  api: StreamCalls,
  { name }: StreamSpec,
  config: Partial<StreamConfig> & { readonly name: string },
): Promise<StreamInfo> {
  try {
    return await api.streams.info(name);
  } catch (error) {
    if ((error as Error).name !== "StreamNotFoundError" && !(error instanceof StreamGone)) throw error;
  }
  try {
    return await api.streams.add(config);
  } catch (error) {
    // Another node was faster, with other copies perhaps: what is there now decides.
    if (/in use/.test((error as Error).message)) return await api.streams.info(name);
    throw error;
  }
}
