// @vitest-environment happy-dom
/** A page that is hidden rests, and one that is looked at again asks at once: with a real page's events and clocks. */
import { act, cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSnapwireClient } from "../client/index.ts";
import { pageFrames } from "../client/page-frame.ts";
import { SnapwireProvider, useProjectSnapshot } from "../client/react/index.ts";
import { surroundingsOf } from "../client/wake.ts";
import { type FakeRawSocket, fakeWebSockets } from "./helpers/client-fakes.ts";
import { entry, full, type TestFrame } from "./helpers/client-frames.ts";

let visibility = "visible";

beforeEach(() => {
  visibility = "visible";
  vi.spyOn(document, "visibilityState", "get").mockImplementation(
    () => visibility as DocumentVisibilityState,
  );
  vi.useFakeTimers();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function look(at: "visible" | "hidden"): void {
  visibility = at;
  document.dispatchEvent(new Event("visibilitychange"));
}

test("visible, thawed, shown from the back-forward cache, focused or online again is a reason to ask; hidden is none", () => {
  const surroundings = surroundingsOf();
  const woken = vi.fn();
  const stop = surroundings.onWake(woken);
  look("hidden");
  expect([woken.mock.calls.length, surroundings.visible]).toEqual([0, false]);
  look("visible");
  expect([woken.mock.calls.length, surroundings.visible]).toEqual([1, true]);
  document.dispatchEvent(new Event("resume"));
  for (const type of ["pageshow", "focus", "online"]) window.dispatchEvent(new Event(type));
  expect(woken).toHaveBeenCalledTimes(5);
  stop();
  look("visible");
  document.dispatchEvent(new Event("resume"));
  for (const type of ["pageshow", "focus", "online"]) window.dispatchEvent(new Event(type));
  expect(woken).toHaveBeenCalledTimes(5);
});

/** The server's side of a fake socket: what tRPC puts on the wire. */
function answer(socket: FakeRawSocket, ...frames: readonly TestFrame[]): void {
  const request = socket.sent.flatMap((text) =>
    text.startsWith("{") || text.startsWith("[") ? [JSON.parse(text)] : [],
  );
  const [first] = request.flat().filter(({ method }: { method?: string }) => method === "subscription");
  const send = (result: unknown): void =>
    socket.emit("message", { data: JSON.stringify({ id: first?.id, jsonrpc: "2.0", result }) });
  for (const { id, data } of frames) send({ type: "data", id, data: { json: { id, data } } });
}

test("a hidden page runs no timer and asks nothing for hours; looked at again it asks at once, and shows a dead line within 5 s", async () => {
  const { WebSocket, sockets } = fakeWebSockets();
  const client = createSnapwireClient({ url: "http://127.0.0.1:1", WebSocket, retry: { random: () => 0.9 } });
  render(
    <SnapwireProvider client={client}>
      <Status />
    </SnapwireProvider>,
  );
  await act(() => vi.advanceTimersByTimeAsync(1));
  const [socket] = sockets;
  if (!socket) throw new Error("no socket was opened");
  await act(async () => {
    socket.emit("open");
    await vi.advanceTimersByTimeAsync(1);
    answer(socket, full(1, [entry("a", 1)]));
    await vi.advanceTimersByTimeAsync(100);
  });
  expect(screen.getByRole("status").textContent).toBe("live");
  look("hidden");
  await act(() => vi.advanceTimersByTimeAsync(60_000));
  expect(vi.getTimerCount()).toBe(0);
  await act(() => vi.advanceTimersByTimeAsync(4 * 3_600_000));
  const pings = () => socket.sent.filter((text) => text === "PING").length;
  expect(pings()).toBe(0);
  look("visible");
  expect(pings()).toBe(1); // no time has passed
  await act(() => vi.advanceTimersByTimeAsync(5_300));
  expect(screen.getByRole("status").textContent).toBe("reconnecting");
  const before = sockets.length;
  window.dispatchEvent(new Event("online")); // in the middle of a wait
  await act(() => vi.advanceTimersByTimeAsync(10));
  expect(sockets.length).toBe(before + 1);
  cleanup();
  await act(() => vi.advanceTimersByTimeAsync(3_000));
  const closed = client.close();
  await vi.advanceTimersByTimeAsync(10_000);
  await closed;
  expect(vi.getTimerCount()).toBe(0);
});

function Status() {
  return <output>{useProjectSnapshot("p").status}</output>;
}

test("frames come with the screen; once a second in a hidden page; and a frame that never comes is not waited for", async () => {
  const waiting: (() => void)[] = [];
  const cancelled: number[] = [];
  const page = {
    document: { visibilityState: "visible" },
    requestAnimationFrame: (callback: () => void) => waiting.push(callback),
    cancelAnimationFrame: (frame: number) => void cancelled.push(frame),
  };
  const schedule = pageFrames(page);
  const flush = vi.fn();
  schedule(flush);
  waiting[0]?.();
  expect([flush.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);

  schedule(flush); // and the page is hidden before the frame comes
  page.document.visibilityState = "hidden";
  await vi.advanceTimersByTimeAsync(250);
  expect([flush.mock.calls.length, cancelled]).toEqual([2, [2]]);

  schedule(flush);
  await vi.advanceTimersByTimeAsync(999);
  expect(flush).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(1);
  expect([flush.mock.calls.length, waiting.length]).toEqual([3, 2]);

  page.document.visibilityState = "visible";
  schedule(flush)();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([flush.mock.calls.length, cancelled, vi.getTimerCount()]).toEqual([3, [2, 3], 0]);

  pageFrames({})(flush); // no page at all
  await vi.advanceTimersByTimeAsync(16);
  expect(flush).toHaveBeenCalledTimes(4);
});
