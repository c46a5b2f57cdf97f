import { describe, expect, test } from "vitest";
import { socketAddress } from "../client/address.ts";
import { createSnapwireClient } from "../client/index.ts";
import { SnapwireError } from "../src/protocol/errors.ts";

describe("an address", () => {
  test.each([
    ["http://127.0.0.1:4747", "ws://127.0.0.1:4747/trpc"],
    ["http://127.0.0.1:4747/", "ws://127.0.0.1:4747/trpc"],
    ["https://live.example.com", "wss://live.example.com/trpc"],
    ["ws://127.0.0.1:4747/trpc", "ws://127.0.0.1:4747/trpc"],
    ["wss://live.example.com/api/trpc/", "wss://live.example.com/api/trpc"],
    ["http://[::1]:4747", "ws://[::1]:4747/trpc"],
    ["HTTP://LocalHost:80", "ws://localhost/trpc"],
    ["https://live.example.com/trpc?region=eu", "wss://live.example.com/trpc?region=eu"],
    ["http://127.0.0.1:4747/#top", "ws://127.0.0.1:4747/trpc"],
  ])("%s is %s", (url, address) => {
    expect(socketAddress(url)).toBe(address);
  });

  test("may be a URL object, and in a page relative to it", () => {
    expect(socketAddress(new URL("http://127.0.0.1:4747"))).toBe("ws://127.0.0.1:4747/trpc");
    expect(socketAddress("/", "https://live.example.com/board?x=1")).toBe("wss://live.example.com/trpc");
    expect(socketAddress("/live/trpc", "https://live.example.com/board")).toBe(
      "wss://live.example.com/live/trpc",
    );
  });

  test.each([
    ["localhost:4747", 'has the scheme "localhost:"'],
    ["ftp://example.com", 'has the scheme "ftp:"'],
    ["", "cannot be read"],
    ["/trpc", "cannot be read"],
    ["http://", "cannot be read"],
    ["http://user:secret@example.com", "pass `token` instead"],
    ["http://example.com/?token=secret", "pass `token` instead"],
  ])("%j is refused with what to do about it, and without its secret", (url, words) => {
    const attempt = (): unknown => createSnapwireClient({ url });
    expect(attempt).toThrow(SnapwireError);
    expect(attempt).toThrow(words);
    expect(attempt).not.toThrow("secret");
    expect(attempt).toThrow(expect.objectContaining({ reason: "invalid-input" }));
  });

  test.each([undefined, null, 5, {}])("%j is refused too", (url) => {
    expect(() => createSnapwireClient({ url: url as unknown as string })).toThrow(SnapwireError);
  });
});
