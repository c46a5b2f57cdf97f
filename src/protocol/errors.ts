/**
 * Why something was refused. Part of the wire contract: a reason is never renamed or given a second meaning, only
 * retired. Callers branch on `reason`, never on the message; the message is for a person.
 */
export type SnapwireErrorReason =
  /** A patch or an option does not have the shape that the schema asks for. */
  | "invalid-input"
  /** The first patch of a workspace must say which project it belongs to. */
  | "project-required"
  /** The workspace is in another project than the write expected. */
  | "other-project"
  /** A field that the server derives was given as input. */
  | "derived-field"
  /** Somebody else keeps writing the same key: every retry of the compare-and-set lost. */
  | "conflict"
  /** The write was sent and its outcome is not known. */
  | "outcome-unknown"
  /** What it needs is away: the journal, git, or the service itself, which has been stopped. */
  | "unavailable"
  /** This node is behind the position that the caller asks for. */
  | "behind"
  /** No workspace of that id. */
  | "unknown-workspace"
  /** The first update of a session must say which workspace it runs in. */
  | "workspace-required"
  /** A session goes forward through its lifecycle, never back. */
  | "backward-lifecycle"
  /** No stream of that id in the project. */
  | "unknown-stream"
  /** An archived stream does not change any more. */
  | "stream-archived"
  /** The project holds as many streams or artifacts as it may. */
  | "too-many"
  /** A device id is blank, too long or not a text. */
  | "invalid-device-id"
  /** The device has an inbox already, or a newer one took over. */
  | "duplicate-connection"
  /** So much waits for the device, or for all of them, that nothing more is accepted. */
  | "queue-full"
  /** So many devices are known that no other one is taken. */
  | "too-many-devices"
  /** No message of that id; it may have been forgotten. */
  | "unknown-message";

export class SnapwireError extends Error {
  override readonly name = "SnapwireError";
  readonly reason: SnapwireErrorReason;

  constructor(reason: SnapwireErrorReason, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.reason = reason;
  }
}
