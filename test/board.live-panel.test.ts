/** The devtool's log: what it sees, what it lets through, what it forgets. */
import { describe, expect, test } from "vitest";
import { createFrameLog, type FrameLogOptions } from "../client/live-panel/index.ts";
import type { SnapshotsClient, SubscriptionCallbacks } from "../client/snapshots-client.ts";

/** Tells at once. */
const atOnce: FrameLogOptions = {
  now: () => 1_000,
  schedule: (flush) => {
    flush();
    return () => {};
  },
};

function looked(options: FrameLogOptions = {}) {
  const log = createFrameLog({ ...atOnce, ...options });
  const heard: unknown[] = [];
  const asked: unknown[] = [];
  let callbacks: SubscriptionCallbacks | undefined;
  const snapshots: SnapshotsClient = {
    onProject: {
      subscribe(input, given) {
        asked.push(input);
        callbacks = given;
        return { unsubscribe: () => void asked.push("left") };
      },
    },
  };
  const handle = log.watch(snapshots).onProject.subscribe(
    { projectId: "app", lastEventId: "tag.3" },
    {
      onData: (delivered) => void heard.push(delivered),
      onError: (error) => void heard.push(error),
      onStopped: () => void heard.push("stopped"),
      onComplete: () => void heard.push("complete"),
      onConnectionStateChange: ({ state }) => void heard.push(state),
    },
  );
  if (!callbacks) throw new Error("nothing was subscribed");
  return { log, heard, asked, callbacks, handle };
}

const full = (reason: string) => ({
  id: "tag.4.f",
  data: { type: "snapshot_full", projectId: "app", entries: [], reason, complete: true },
});
const changed = (sequence: number) => ({
  id: `tag.${sequence}`,
  data: { type: "snapshot_changed", workspaceId: "app/one", entry: { workspaceId: "app/one" } },
});

describe("the frame log", () => {
  test("lets everything through as it came, both ways", () => {
    const { heard, asked, callbacks, handle } = looked();
    const frame = full("first");
    const error = new Error("refused");
    callbacks.onData(frame);
    callbacks.onError(error);
    callbacks.onStopped();
    callbacks.onComplete();
    callbacks.onConnectionStateChange({ state: "connecting", error });
    handle.unsubscribe();
    expect(heard).toEqual([frame, error, "stopped", "complete", "connecting"]);
    expect(heard[0]).toBe(frame);
    expect(asked).toEqual([{ projectId: "app", lastEventId: "tag.3" }, "left"]);
  });

  test("tells frames, positions and what became of the subscription, newest first", () => {
    const { log, callbacks } = looked();
    callbacks.onData(full("first"));
    callbacks.onData(changed(5));
    callbacks.onData({ id: "x", data: "nonsense" });
    expect(log.getState().frames.map(({ type, position, words }) => [type, position, words])).toEqual([
      ["unreadable", "x", "a frame of an unknown type, or of a broken shape"],
      ["snapshot_changed", "tag.5", "app/one"],
      ["snapshot_full", "tag.4.f", "first, 0 entries"],
      ["subscribe", "tag.3", "resume"],
    ]);
  });

  test("keeps apart why whole snapshots came again", () => {
    const { log, callbacks } = looked();
    callbacks.onData(full("first"));
    callbacks.onData(full("epoch-changed"));
    callbacks.onData(full("trimmed"));
    expect(log.getState().resyncs.map(({ words }) => words)).toEqual([
      "trimmed, 0 entries",
      "epoch-changed, 0 entries",
    ]);
  });

  test("forgets the oldest frames and counts them all", () => {
    const { log, callbacks } = looked({ max: 10 });
    for (let sequence = 1; sequence <= 50; sequence += 1) callbacks.onData(changed(sequence));
    const { frames, counts } = log.getState();
    expect([frames.length, frames[0]?.position, counts.snapshot_changed]).toEqual([10, "tag.50", 50]);
    log.clear();
    expect(log.getState()).toMatchObject({ frames: [], counts: {} });
  });

  test("tells its listeners once for all that came between two frames of the page", () => {
    let flush = (): void => {};
    const { log, callbacks } = looked({
      schedule: (given) => {
        flush = given;
        return () => {};
      },
    });
    flush();
    let told = 0;
    const stop = log.subscribe(() => {
      told += 1;
    });
    for (let sequence = 1; sequence <= 50; sequence += 1) callbacks.onData(changed(sequence));
    expect(told).toBe(0);
    flush();
    expect([told, log.getState().counts.snapshot_changed]).toEqual([1, 50]);
    stop();
    callbacks.onData(changed(51));
    flush();
    expect(told).toBe(1);
  });
});
