/**
 * streams: lines of work of a project, and their artifacts.
 *
 * In:       commands (create, update, phase, archive, put, delete), each once per client key.
 * Out:      the rows of a project, and the event of each change, told after its commit.
 * Promise:  no event without a change, no change without its event; a repeated command changes nothing.
 * Not here: what the files hold, who may do what (router), how events are kept (events).
 */
import type { Clock } from "../clock.ts";
import type { Feed } from "../feed/feed.ts";
import { ServedCollection } from "../feed/served-collection.ts";
import type { Journal } from "../journal/journal.ts";
import type { Logger } from "../log.ts";
import { Outbox } from "../outbox.ts";
import type { PublishableEvent } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { EndedReason } from "../protocol/frames.ts";
import { formatPosition } from "../protocol/position.ts";
import type { ArtifactEntry, ArtifactName, StreamEntry, StreamFrame } from "../protocol/streams.ts";
import { Remembered } from "../remembered.ts";
import {
  type ArchiveStreamInput,
  type CreateStreamInput,
  type PutArtifactInput,
  readArchive,
  readArtifactName,
  readCreate,
  readPhase,
  readPut,
  readUpdate,
  STREAM_LIMITS,
  type StreamPhaseInput,
  type UpdateStreamInput,
} from "./inputs.ts";
import { keyOf, type StreamKey, streamIdOf } from "./keys.ts";
import {
  foldStreams,
  type StreamOperation,
  type StreamOutcomeOf,
  type StreamsState,
  unknownStream,
} from "./model.ts";
import { artifactNameOf, rowOf, type StreamsRow, streamWording } from "./rows.ts";

export interface StreamRetention {
  /** Streams of a project that are not archived; one more is refused. @defaultValue 1_000 */
  readonly activePerProject?: number;
  /** Archived streams of a project; the one archived first is forgotten with its artifacts. @defaultValue 1_000 */
  readonly archivedPerProject?: number;
  /** Streams and artifacts of a project together; one more is refused. @defaultValue 20_000 */
  readonly rowsPerProject?: number;
}

export const STREAM_RETENTION: Required<StreamRetention> = {
  activePerProject: 1_000,
  archivedPerProject: 1_000,
  rowsPerProject: 20_000,
};

export interface StreamsOptions {
  readonly retention?: StreamRetention | undefined;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Names an event; no two alike. */
  readonly newId: () => string;
  readonly publish?: ((event: PublishableEvent) => unknown) | undefined;
  readonly behindWaitMs?: number | undefined;
}

/** What a command came to, and where a reader of the project stands that has seen it: its own echo is behind that. */
export interface StreamAnswer {
  readonly stream: StreamEntry;
  readonly changed: boolean;
  readonly position: string;
}

export interface ArtifactAnswer {
  readonly artifact: ArtifactEntry;
  readonly changed: boolean;
  readonly position: string;
}

export interface DeletedAnswer {
  readonly changed: boolean;
  readonly position: string;
}

export interface StreamsStats {
  /** Streams and artifacts of all projects. */
  readonly rows: number;
  readonly subscriptions: number;
}

type Unstamped<Operation> = Operation extends unknown ? Omit<Operation, "at" | "eventId"> : never;

export class Streams {
  readonly #options: StreamsOptions;
  readonly #limits: Required<StreamRetention>;
  readonly #served: ServedCollection<StreamOperation, StreamsState, StreamsRow, StreamOutcomeOf, StreamFrame>;
  readonly #outbox: Outbox;
  readonly #answers = new Remembered<StreamAnswer>();
  #open = false;

  constructor(options: StreamsOptions) {
    const { journal, clock, logger, publish, behindWaitMs, retention } = options;
    this.#options = options;
    this.#limits = { ...STREAM_RETENTION, ...retention };
    this.#outbox = new Outbox({ publish, logger, now: clock.wall });
    this.#served = new ServedCollection<
      StreamOperation,
      StreamsState,
      StreamsRow,
      StreamOutcomeOf,
      StreamFrame
    >({
      name: "streams",
      journal,
      revision: "streams-1",
      now: clock.wall,
      logger,
      model: {
        fold: (key, base, operations) => foldStreams(projectIn(key), base, operations),
        entryOf: rowOf,
      },
      wording: streamWording,
      ...(behindWaitMs === undefined ? {} : { behindWaitMs }),
    });
  }

  async open(): Promise<void> {
    await this.#served.open();
    this.#open = true;
    const commits = [...this.#served.collection.records()].map(([, { at, state }]) => ({
      at,
      events: state.events,
    }));
    await this.#outbox.retell(commits);
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#served.close();
  }

  get feed(): Feed<StreamsRow, StreamFrame> {
    return this.#served.feed;
  }

  stats(): StreamsStats {
    let rows = 0;
    for (const view of this.#served.collection.views()) rows += view.entryCount;
    return { rows, subscriptions: this.feed.size };
  }

  /** Ends the subscriptions of a project for good. */
  end(projectId: string, reason: EndedReason): void {
    this.feed.end(projectId, reason);
  }

  /** The streams of a project, in the order of their last change. */
  list(projectId: string): readonly StreamEntry[] {
    return this.#rows(projectId).flatMap(({ stream }) => stream ?? []);
  }

  get(projectId: string, streamId: string): StreamEntry | undefined {
    return this.#row({ kind: "stream", projectId, streamId })?.stream;
  }

  /** The artifacts of a project, or of one stream. */
  artifacts(projectId: string, streamId?: string): readonly ArtifactEntry[] {
    const all = this.#rows(projectId).flatMap(({ artifact }) => artifact ?? []);
    if (streamId === undefined) return all;
    return all.filter((artifact) => artifact.kind === "stream" && artifact.streamId === streamId);
  }

  /** Where a reader of the project stands that has seen what {@link list} and {@link artifacts} answer. */
  positionOf(projectId: string): string {
    const { collection } = this.#served;
    return formatPosition(collection.tagOf(projectId), collection.head);
  }

  /**
   * The same client key answers the same stream and makes no second one, on every node and after every restart.
   * @throws SnapwireError `invalid-input`, `too-many`, `conflict`, `unavailable`, `outcome-unknown`.
   */
  async create(input: CreateStreamInput): Promise<StreamAnswer> {
    const { projectId, name, clientKey } = readCreate(input);
    const streamId = streamIdOf(projectId, clientKey);
    return this.#once(["create", projectId, clientKey], async () => {
      if (!this.get(projectId, streamId)) this.#assertRoomForStream(projectId);
      return this.#command({ kind: "create", projectId, streamId, name });
    });
  }

  /** @throws SnapwireError `unknown-stream`, `stream-archived`, and as {@link create}. */
  async update(input: UpdateStreamInput): Promise<StreamAnswer> {
    const read = readUpdate(input);
    return this.#once(["update", read.projectId, read.streamId, read.clientKey], () =>
      this.#command({ kind: "update", ...read }),
    );
  }

  async phase(input: StreamPhaseInput): Promise<StreamAnswer> {
    const read = readPhase(input);
    const { projectId, streamId } = read;
    return this.#once(["phase", projectId, streamId, read.clientKey], () => {
      const artifacts = read.artifacts ?? this.#filesOf(projectId, streamId);
      return this.#command({ kind: "phase", ...read, artifacts });
    });
  }

  async archive(input: ArchiveStreamInput): Promise<StreamAnswer> {
    const read = readArchive(input);
    return this.#once(["archive", read.projectId, read.streamId, read.clientKey], async () => {
      const answer = await this.#command({ kind: "archive", ...read });
      if (answer.changed) await this.#forgetOldest(read.projectId);
      return answer;
    });
  }

  /** @throws SnapwireError `unknown-stream` or `stream-archived` for a file of such a stream, and as {@link create}. */
  async putArtifact(input: PutArtifactInput): Promise<ArtifactAnswer> {
    const artifact = readPut(input);
    const name = nameIn(artifact);
    const isNew = this.#row(name) === undefined;
    if ("streamId" in artifact) this.#assertTakesFile(artifact.projectId, artifact.streamId, isNew);
    if (isNew) this.#assertRoom(artifact.projectId);
    const { changed, position } = await this.#write(name, { kind: "put", artifact });
    const stored = this.#row(name)?.artifact;
    if (!stored)
      throw new SnapwireError("conflict", "The artifact was deleted while it was put; put it again.");
    return { artifact: stored, changed, position };
  }

  /** One that is not there is not deleted, and nothing is told. */
  async deleteArtifact(input: ArtifactName): Promise<DeletedAnswer> {
    return this.#write({ kind: "artifact", ...readArtifactName(input) }, { kind: "delete" });
  }

  #rows(projectId: string): readonly StreamsRow[] {
    return this.#served.collection.view(projectId)?.entries() ?? [];
  }

  #row(name: StreamKey): StreamsRow | undefined {
    return this.#served.collection.view(name.projectId)?.node(keyOf(name))?.entry ?? undefined;
  }

  #filesOf(projectId: string, streamId: string): string[] {
    return this.artifacts(projectId, streamId)
      .flatMap((artifact) => (artifact.kind === "stream" ? [artifact.filename] : []))
      .sort();
  }

  /** The same client key is answered as the first time, for as long as this process remembers. */
  async #once(key: readonly (string | undefined)[], run: () => Promise<StreamAnswer>): Promise<StreamAnswer> {
    const parts = key.filter((part) => part !== undefined);
    if (parts.length < key.length) return run();
    const known = this.#answers.get(...parts);
    if (known) return known;
    const answer = await run();
    this.#answers.put(answer, ...parts);
    return answer;
  }

  async #command(
    operation: Extract<Unstamped<StreamOperation>, { readonly streamId: string }>,
  ): Promise<StreamAnswer> {
    const { projectId, streamId } = operation;
    const name: StreamKey = { kind: "stream", projectId, streamId };
    const { changed, position } = await this.#write(name, operation);
    const stream = this.#row(name)?.stream;
    if (!stream) throw unknownStream(projectId, streamId);
    return { stream, changed, position };
  }

  async #write(name: StreamKey, operation: Unstamped<StreamOperation>): Promise<DeletedAnswer> {
    if (!this.#open) throw new SnapwireError("unavailable", "The service is not running; start() it first.");
    const { clock, newId } = this.#options;
    const stamped = { ...operation, at: clock.wall(), eventId: newId() } as StreamOperation;
    const { outcome, position } = await this.#served.collection.write(keyOf(name), stamped);
    await this.#outbox.tell(outcome.events);
    return { changed: outcome.changed, position: position ?? this.positionOf(name.projectId) };
  }

  async #forgetOldest(projectId: string): Promise<void> {
    const archived = this.list(projectId)
      .filter(({ status }) => status === "archived")
      .sort(
        (a, b) => Date.parse(a.archivedAt ?? "") - Date.parse(b.archivedAt ?? "") || a.version - b.version,
      );
    const surplus = archived.slice(0, Math.max(0, archived.length - this.#limits.archivedPerProject));
    for (const { streamId } of surplus) {
      for (const artifact of this.artifacts(projectId, streamId))
        await this.#write({ kind: "artifact", ...artifactNameOf(artifact) }, { kind: "forget" });
      await this.#write({ kind: "stream", projectId, streamId }, { kind: "forget" });
    }
  }

  #assertTakesFile(projectId: string, streamId: string, isNew: boolean): void {
    const stream = this.get(projectId, streamId);
    if (!stream) throw unknownStream(projectId, streamId);
    if (stream.status === "archived")
      throw new SnapwireError(
        "stream-archived",
        `Stream ${streamId} is archived and takes no files any more.`,
      );
    if (isNew && this.artifacts(projectId, streamId).length >= STREAM_LIMITS.files)
      throw tooMany(`Stream ${streamId} has ${STREAM_LIMITS.files} files; delete some first.`);
  }

  #assertRoomForStream(projectId: string): void {
    const { activePerProject } = this.#limits;
    const active = this.list(projectId).filter(({ status }) => status === "active").length;
    if (active >= activePerProject)
      throw tooMany(`Project ${projectId} has ${active} streams; archive some first.`);
    this.#assertRoom(projectId);
  }

  #assertRoom(projectId: string): void {
    const rows = this.#served.collection.view(projectId)?.entryCount ?? 0;
    if (rows >= this.#limits.rowsPerProject)
      throw tooMany(`Project ${projectId} has ${rows} streams and artifacts; delete some first.`);
  }
}

function tooMany(message: string): SnapwireError {
  return new SnapwireError("too-many", message);
}

function nameIn(artifact: PutArtifactInput): StreamKey {
  const { projectId } = artifact;
  return "streamId" in artifact
    ? { kind: "artifact", projectId, streamId: artifact.streamId, filename: artifact.filename }
    : { kind: "artifact", projectId, id: artifact.id };
}

function projectIn(key: string): string {
  return String((JSON.parse(key) as unknown[])[1]);
}
