/** Signals that abort although nobody but what waits for them holds them, and although garbage is collected all the time. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { anyOf, deadlineOf } from "../src/deadline.ts";

function collectingGarbage(): void {
  setFlagsFromString("--expose-gc");
  const timer = setInterval(runInNewContext("gc") as () => void, 20);
  onTestFinished(() => clearInterval(timer));
}

test("a question that nobody answers ends at its deadline", async () => {
  collectingGarbage();
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const { port } = silent.address() as AddressInfo;
  const { signal } = deadlineOf(300, new AbortController().signal);
  await expect(fetch(`http://127.0.0.1:${port}`, { signal })).rejects.toMatchObject({ name: "TimeoutError" });
});

test("the first of several signals ends it, one that has ended already at once, and nothing is left of one let go", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const both = anyOf(one.signal, two.signal);
  two.abort("second");
  expect(both.signal.reason).toBe("second");
  expect(anyOf(two.signal).signal.aborted).toBe(true);
  const letGo = anyOf(one.signal);
  letGo[Symbol.dispose]();
  one.abort();
  expect(letGo.signal.aborted).toBe(false);
});
