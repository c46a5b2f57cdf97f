import { createHash } from "node:crypto";
import { POSITION_TAG_LENGTH } from "../protocol/position.ts";

/** The opaque digest in front of a position: another epoch, view, collection or scope gives another tag. */
export function positionTag(epoch: string, revision: string, collection: string, scope: string): string {
  return createHash("sha256")
    .update(JSON.stringify([epoch, revision, collection, scope]))
    .digest("base64url")
    .slice(0, POSITION_TAG_LENGTH);
}
