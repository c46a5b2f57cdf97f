/** The keys under which streams and artifacts are kept, and the id of a new stream. */
import { createHash } from "node:crypto";
import type { ArtifactName } from "../protocol/streams.ts";

const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ID_LENGTH = 26;
/** 26 characters of 5 bits hold two bits more than 128: a first character above 7 would be no ULID. */
const ID_BITS = 128n;

/**
 * The id of the stream that a caller creates under a key: the same key names the same stream, on every node and after
 * every restart, so a repeated call cannot make a second one. It looks like a ULID and says nothing: no time, no name.
 */
export function streamIdOf(projectId: string, clientKey: string): string {
  const digest = createHash("sha256")
    .update(JSON.stringify(["stream", projectId, clientKey]))
    .digest("hex");
  let rest = BigInt(`0x${digest}`) & ((1n << ID_BITS) - 1n);
  let id = "";
  while (id.length < ID_LENGTH) {
    id = (ALPHABET[Number(rest & 31n)] ?? "") + id;
    rest >>= 5n;
  }
  return id;
}

export type StreamKey =
  | { readonly kind: "stream"; readonly projectId: string; readonly streamId: string }
  | ({ readonly kind: "artifact" } & ArtifactName);

/** JSON, so that no id can be taken for another one with a separator in it. */
export function keyOf(name: StreamKey): string {
  if (name.kind === "stream") return JSON.stringify(["s", name.projectId, name.streamId]);
  if ("streamId" in name) return JSON.stringify(["f", name.projectId, name.streamId, name.filename]);
  return JSON.stringify(["a", name.projectId, name.id]);
}

/** What {@link keyOf} made a key of. */
export function nameOf(key: string): StreamKey {
  const [kind, projectId = "", id = "", filename = ""] = JSON.parse(key) as string[];
  if (kind === "s") return { kind: "stream", projectId, streamId: id };
  if (kind === "f") return { kind: "artifact", projectId, streamId: id, filename };
  return { kind: "artifact", projectId, id };
}
