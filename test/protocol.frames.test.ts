/** Reading frames that anybody may have sent: what cannot be used is skipped, and nothing throws. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSnapshotFrame, type SnapshotFrame } from "../src/protocol/frames.ts";

const FRAMES: { readonly [Type in SnapshotFrame["type"]]: Extract<SnapshotFrame, { type: Type }> } = {
  snapshot_full: { type: "snapshot_full", projectId: "p", entries: [], reason: "first", complete: true },
  snapshot_resumed: { type: "snapshot_resumed", projectId: "p", until: "abcdefghijkl.7", missed: 2 },
  snapshot_changed: {
    type: "snapshot_changed",
    workspaceId: "w",
    entry: { workspaceId: "w", projectId: "p" } as Extract<
      SnapshotFrame,
      { type: "snapshot_changed" }
    >["entry"],
  },
  snapshot_removed: { type: "snapshot_removed", workspaceId: "w", projectId: "p" },
  snapshot_progress: { type: "snapshot_progress", projectId: "p", complete: true },
  snapshot_status: { type: "snapshot_status", projectId: "p", fresh: false, since: "2026-08-01T12:00:00Z" },
  snapshot_ended: { type: "snapshot_ended", projectId: "p", reason: "revoked" },
};
const frames = Object.values(FRAMES);

/** What a receiver cannot do without, and a value of another type for each. */
const NEEDED: { readonly [Type in SnapshotFrame["type"]]: readonly string[] } = {
  snapshot_full: ["projectId", "entries"],
  snapshot_resumed: ["until"],
  snapshot_changed: ["workspaceId", "entry"],
  snapshot_removed: ["workspaceId"],
  snapshot_progress: ["complete"],
  snapshot_status: ["fresh"],
  snapshot_ended: ["reason"],
};

describe("a frame", () => {
  test.each(frames)("of type $type is read as it is", (frame) => {
    expect(readSnapshotFrame(frame)).toBe(frame);
    expect(readSnapshotFrame(JSON.parse(JSON.stringify(frame)))).toEqual(frame);
  });

  test.each(frames)("of type $type with keys from the future is read, and keeps them", (frame) => {
    const later = { ...frame, priority: 1, "": null };
    expect(readSnapshotFrame(later)).toBe(later);
  });

  test.each(frames)(
    "of type $type without what it needs, or with another type of it, is skipped",
    (frame) => {
      for (const key of NEEDED[frame.type]) {
        const { [key]: _, ...without } = frame as unknown as Record<string, unknown>;
        expect(readSnapshotFrame(without), `without ${key}`).toBeUndefined();
        for (const wrong of [null, 7, undefined, [], {}]) {
          const value = (frame as unknown as Record<string, unknown>)[key];
          if (
            Array.isArray(wrong) === Array.isArray(value) &&
            typeof wrong === typeof value &&
            wrong !== null
          )
            continue;
          expect(
            readSnapshotFrame({ ...frame, [key]: wrong }),
            `${key}: ${JSON.stringify(wrong)}`,
          ).toBeUndefined();
        }
      }
    },
  );

  test.each([
    "",
    "snapshot",
    "snapshot_fulls",
    "SNAPSHOT_FULL",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
  ])("of the unknown type %j is skipped", (type) => {
    expect(readSnapshotFrame({ ...FRAMES.snapshot_full, type })).toBeUndefined();
  });

  test("of any value at all is a frame of a known type, or skipped; nothing throws", () => {
    const types = frames.map(({ type }) => type);
    const shaped = fc.record(
      {
        type: fc.oneof(fc.constantFrom(...types), fc.anything()),
        projectId: fc.anything(),
        workspaceId: fc.oneof(fc.string(), fc.anything()),
        entries: fc.oneof(fc.array(fc.anything()), fc.anything()),
        entry: fc.oneof(fc.object(), fc.anything()),
        until: fc.oneof(fc.string(), fc.anything()),
        complete: fc.oneof(fc.boolean(), fc.anything()),
        fresh: fc.oneof(fc.boolean(), fc.anything()),
        reason: fc.oneof(fc.string(), fc.anything()),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(shaped, fc.anything()), (value) => {
        const frame = readSnapshotFrame(value);
        if (!frame) return;
        expect(frame).toBe(value);
        expect(types).toContain(frame.type);
        if (frame.type === "snapshot_full") expect(Array.isArray(frame.entries)).toBe(true);
        if (frame.type === "snapshot_changed") expect(typeof frame.entry).toBe("object");
      }),
      { numRuns: 1_000 },
    );
  });
});
