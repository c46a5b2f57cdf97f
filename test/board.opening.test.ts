/** When `snapwire serve` opens a browser by itself: only where a person would see it. */
import { expect, test } from "vitest";
import { mayOpenBrowser } from "../src/cli/open-browser.ts";

const desktop = { isTTY: true, env: { DISPLAY: ":0" } };

test("a browser is opened on a terminal with a desktop, on each system", () => {
  expect(mayOpenBrowser(desktop, "linux")).toBe(true);
  expect(mayOpenBrowser({ isTTY: true, env: { WAYLAND_DISPLAY: "wayland-0" } }, "linux")).toBe(true);
  expect(mayOpenBrowser({ isTTY: true, env: {} }, "darwin")).toBe(true);
});

test("none is opened in a pipe, over ssh, in a CI job, or without a desktop", () => {
  expect(mayOpenBrowser({ ...desktop, isTTY: false }, "linux")).toBe(false);
  for (const env of [{ SSH_CONNECTION: "10.0.0.1 1 10.0.0.2 22" }, { SSH_TTY: "/dev/pts/1" }, { CI: "true" }])
    expect(mayOpenBrowser({ isTTY: true, env: { ...desktop.env, ...env } }, "linux")).toBe(false);
  expect(mayOpenBrowser({ isTTY: true, env: {} }, "linux")).toBe(false);
});
