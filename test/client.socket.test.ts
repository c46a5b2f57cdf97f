/** The socket that tRPC is given, and the line that it belongs to. Time and network are the test's. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { backoffOf } from "../client/backoff.ts";
import { Credentials, type TokenSource } from "../client/credentials.ts";
import { ClientClosedError } from "../client/failure.ts";
import { Line } from "../client/line.ts";
import { GuardedSocket } from "../client/socket.ts";
import { FakePage, type FakeRawSocket, fakeWebSockets } from "./helpers/client-fakes.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

interface Lined {
  readonly line: Line;
  readonly page: FakePage;
  readonly sockets: FakeRawSocket[];
  readonly warnings: string[];
  /** As tRPC does: asks for the address, then opens a socket there. */
  connect(): Promise<{
    readonly socket: GuardedSocket;
    readonly raw: FakeRawSocket;
    readonly heard: string[];
  }>;
}

async function withLine(use: (lined: Lined) => Promise<void>, token?: TokenSource): Promise<void> {
  const { WebSocket, sockets } = fakeWebSockets();
  const page = new FakePage();
  const warnings: string[] = [];
  const line = new Line({
    address: "ws://127.0.0.1/trpc",
    WebSocket,
    credentials: new Credentials(token),
    backoff: backoffOf({ random: () => 0.5 }),
    surroundings: page,
    now: Date.now,
    warn: (message) => warnings.push(message),
  });
  const connect: Lined["connect"] = async () => {
    const socket = new GuardedSocket(await line.nextAddress(), line);
    const raw = sockets.at(-1);
    if (!raw) throw new Error("no socket was made");
    const heard: string[] = [];
    for (const type of ["open", "message", "error", "close"])
      socket.addEventListener(type, ({ data, code, reason }) => {
        heard.push(
          [type, data ?? code, reason].filter((part) => part !== undefined && part !== "").join(" "),
        );
      });
    return { socket, raw, heard };
  };
  try {
    await use({ line, page, sockets, warnings, connect });
  } finally {
    const closed = line.close();
    await vi.advanceTimersByTimeAsync(1_000); // sockets whose other side says nothing are ended by then
    await closed;
    expect(page.listeners).toBe(0);
  }
}

describe("a socket", () => {
  test("hears one end, at once, and nothing after it, whatever the network still delivers", () =>
    withLine(async ({ connect }) => {
      const { socket, raw, heard } = await connect();
      raw.emit("open");
      raw.emit("message", { data: "1" });
      socket.close(1000);
      raw.emit("message", { data: "already on the way" });
      expect(heard).toEqual(["open", "message 1"]); // not in the middle of whoever closes it
      await Promise.resolve();
      expect(heard).toEqual(["open", "message 1", "close 1000"]);
      raw.emit("message", { data: "2" });
      raw.emit("error", { message: "late" });
      raw.emit("close", { code: 1006 });
      socket.close();
      await Promise.resolve();
      expect(heard).toEqual(["open", "message 1", "close 1000"]);
      expect(socket.readyState).toBe(GuardedSocket.CLOSED);
    }));

  test("fails with error and close when it cannot be opened", () =>
    withLine(async ({ connect, line }) => {
      const { raw, heard } = await connect();
      raw.emit("error", { message: "ECONNREFUSED" });
      raw.emit("close", { code: 1006 });
      expect(heard).toEqual(["error", "close 1006 ECONNREFUSED"]);
      expect(line.getState()).toMatchObject({ status: "reconnecting", reason: "connection-lost" });
    }));

  test("that does not open in 15 s fails", () =>
    withLine(async ({ connect }) => {
      const { raw, heard } = await connect();
      await vi.advanceTimersByTimeAsync(14_999);
      expect(heard).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(heard).toEqual(["error", "close 1006 the connection did not open in time"]);
      expect(raw.terminated).toBe(true);
    }));

  test("passes on a close of the server with its code", () =>
    withLine(async ({ connect, line }) => {
      const { raw, heard } = await connect();
      raw.emit("open");
      raw.emit("close", { code: 1013, reason: "elsewhere" });
      expect(heard).toEqual(["open", "close 1013 elsewhere"]);
      expect(line.getState().detail).toBe("elsewhere (1013)");
    }));

  test("asks for a sign of life after 20 s of silence; any message is an answer", () =>
    withLine(async ({ connect }) => {
      const { raw, heard } = await connect();
      raw.emit("open");
      await vi.advanceTimersByTimeAsync(15_000);
      raw.emit("message", { data: "1" });
      await vi.advanceTimersByTimeAsync(19_999);
      expect(raw.sent).toEqual([]);
      await vi.advanceTimersByTimeAsync(1);
      expect(raw.sent).toEqual(["PING"]);
      await vi.advanceTimersByTimeAsync(9_999);
      raw.emit("message", { data: "data, and no PONG yet" });
      await vi.advanceTimersByTimeAsync(10_000);
      expect(heard).toEqual(["open", "message 1", "message data, and no PONG yet"]);
    }));

  test("that is half open is noticed within 30 s, and does not hold its end back", () =>
    withLine(async ({ connect, line }) => {
      const { raw, heard } = await connect();
      raw.emit("open");
      await vi.advanceTimersByTimeAsync(29_999);
      expect(line.status).toBe("open");
      await vi.advanceTimersByTimeAsync(1);
      expect(heard).toEqual(["open", "close 1006 no sign of life from the server"]);
      expect(raw.terminated).toBe(true);
      expect(line.status).toBe("reconnecting");
    }));

  test("runs no timer while the page is hidden, and is asked when it is looked at again", () =>
    withLine(async ({ connect, page, line }) => {
      const { raw } = await connect();
      raw.emit("open");
      page.visible = false;
      await vi.advanceTimersByTimeAsync(20_000);
      expect(vi.getTimerCount()).toBe(0);
      await vi.advanceTimersByTimeAsync(3_600_000);
      expect(raw.sent).toEqual([]);
      page.wake();
      expect(raw.sent).toEqual(["PING"]);
      raw.emit("message", { data: "PONG" });
      await vi.advanceTimersByTimeAsync(19_999);
      expect(line.status).toBe("open");
      expect(raw.sent).toEqual(["PING"]);
      await vi.advanceTimersByTimeAsync(1);
      expect(raw.sent).toEqual(["PING", "PING"]); // silence is watched again
      raw.emit("message", { data: "PONG" });
      page.wake();
      await vi.advanceTimersByTimeAsync(5_000);
      expect(line.status).toBe("reconnecting");
    }));

  test("is not given up by a page that fell asleep while it waited for an answer", () =>
    withLine(async ({ connect, page, line }) => {
      const { raw } = await connect();
      raw.emit("open");
      await vi.advanceTimersByTimeAsync(20_000);
      expect(raw.sent).toEqual(["PING"]);
      page.visible = false;
      await vi.advanceTimersByTimeAsync(60_000);
      expect(line.status).toBe("open");
    }));

  test("a listener that throws harms neither the other listeners nor the socket", () =>
    withLine(async ({ connect, warnings }) => {
      const { socket, raw, heard } = await connect();
      socket.addEventListener("message", () => {
        throw new Error("mine");
      });
      const after = vi.fn();
      socket.addEventListener("message", after);
      raw.emit("open");
      raw.emit("message", { data: "1" });
      expect(after).toHaveBeenCalledTimes(1);
      expect(heard).toEqual(["open", "message 1"]);
      expect(warnings).toEqual(["a callback of the connection threw"]);
    }));

  test("sends nothing when it is not open, like a browser's", () =>
    withLine(async ({ connect }) => {
      const { socket, raw } = await connect();
      socket.send("early");
      raw.emit("open");
      socket.send("now");
      socket.close();
      socket.send("late");
      expect(raw.sent).toEqual(["now"]);
    }));

  test("whose other side never answers the closing handshake is ended after 1 s", () =>
    withLine(async ({ connect }) => {
      const { socket, raw } = await connect();
      raw.emit("open");
      socket.close(1000);
      await vi.advanceTimersByTimeAsync(999);
      expect(raw.terminated).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(raw.terminated).toBe(true);
      await socket.gone;
    }));
});

describe("the line", () => {
  /** How long it takes until the next socket may be opened. */
  async function waitOf(next: Promise<unknown>): Promise<number> {
    const before = Date.now();
    let done = false;
    void next.then(() => {
      done = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    while (!done) await vi.advanceTimersByTimeAsync(10);
    return Date.now() - before;
  }

  test("opens the first socket at once, and waits before every further one", () =>
    withLine(async ({ connect, line }) => {
      const { raw } = await connect();
      raw.emit("open");
      raw.emit("close", { code: 1006 });
      expect(await waitOf(line.nextAddress())).toBe(750);
    }));

  test("waits longer for each connection that did not last 10 s, accepted and served or not", () =>
    withLine(async ({ connect }) => {
      const waits: number[] = [];
      for (let round = 0; round < 4; round += 1) {
        const next = connect();
        waits.push(await waitOf(next));
        const { raw } = await next;
        raw.emit("open");
        raw.emit("message", { data: "some data" });
        await vi.advanceTimersByTimeAsync(9_900);
        raw.emit("close", { code: 1006 });
      }
      expect(waits).toEqual([0, 750, 1_250, 2_250]);
    }));

  test("starts with the shortest wait again after a connection that lasted", () =>
    withLine(async ({ connect, line }) => {
      for (let round = 0; round < 3; round += 1) {
        const next = connect();
        await waitOf(next);
        (await next).raw.emit("close", { code: 1006 });
      }
      const next = connect();
      await waitOf(next);
      const { raw } = await next;
      raw.emit("open");
      await vi.advanceTimersByTimeAsync(10_000);
      raw.emit("close", { code: 1006 });
      expect(await waitOf(line.nextAddress())).toBe(750);
    }));

  test("does not wait when the network is back or the page is looked at again", () =>
    withLine(async ({ connect, line, page }) => {
      const { raw } = await connect();
      raw.emit("close", { code: 1006 });
      const next = line.nextAddress();
      await vi.advanceTimersByTimeAsync(100);
      page.wake();
      expect(await waitOf(next)).toBe(0);
    }));

  test("gives up an opening that hangs when the page is looked at again, but not a young one", () =>
    withLine(async ({ connect, page, line }) => {
      const { heard } = await connect();
      await vi.advanceTimersByTimeAsync(2_000);
      page.wake();
      expect(heard).toEqual([]);
      await vi.advanceTimersByTimeAsync(1_000);
      page.wake();
      expect(heard).toEqual(["error", "close 1006 the connection took too long to open"]);
      expect(await waitOf(line.nextAddress())).toBe(0);
    }));

  test("tries rarely while nobody looks", () =>
    withLine(async ({ connect, page, line }) => {
      const { raw } = await connect();
      page.visible = false;
      raw.emit("close", { code: 1006 });
      expect(await waitOf(line.nextAddress())).toBeGreaterThan(15_000);
    }));

  test("tells its status, once per change, with a reason", () =>
    withLine(async ({ connect, line, page }) => {
      const told: string[] = [line.status];
      line.subscribe(() => told.push([line.status, line.getState().reason].filter(Boolean).join(" ")));
      const { raw } = await connect();
      raw.emit("open");
      raw.emit("message", { data: "1" });
      raw.emit("close", { code: 1001, reason: "" });
      expect(line.getState()).toBe(line.getState());
      page.setOnline(false);
      page.setOnline(true);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(told).toEqual([
        "connecting",
        "open",
        "reconnecting connection-lost",
        "offline connection-lost",
        "reconnecting connection-lost",
        "offline connection-lost",
      ]);
    }));

  test("knows when the server was last heard", () =>
    withLine(async ({ connect, line }) => {
      const { raw } = await connect();
      raw.emit("open");
      expect(line.lastProofOfLife).toBeUndefined();
      await vi.advanceTimersByTimeAsync(5);
      raw.emit("message", { data: "PONG" });
      expect(line.lastProofOfLife).toBe(Date.now());
    }));

  test("ends every wait when it is closed", () =>
    withLine(async ({ connect, line }) => {
      const { raw } = await connect();
      raw.emit("close", { code: 1006 });
      const next = line.nextAddress();
      const refused = expect(next).rejects.toThrow(ClientClosedError);
      await line.close();
      await refused;
      await expect(line.nextAddress()).rejects.toThrow("closed");
      expect(line.getState()).toMatchObject({ status: "closed", reason: "closed" });
    }));
});

describe("the token", () => {
  test("is read before each connection, and travels in its first message only", () => {
    const tokens = ["one", "two"];
    const credentials = new Credentials(() => tokens.shift());
    return credentials.read().then(async (changed) => {
      expect(changed).toBe(true);
      expect(credentials.params).toEqual({ token: "one" });
      expect(await credentials.read()).toBe(true);
      expect(credentials.params).toEqual({ token: "two" });
      expect(await credentials.read()).toBe(true);
      expect(credentials.params).toEqual({});
      expect(await credentials.read()).toBe(false);
    });
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("vault is sealed");
      },
      "vault is sealed",
    ],
    ["rejects", () => Promise.reject(new Error("vault is sealed")), "vault is sealed"],
    ["answers nonsense", () => 5 as unknown as string, "must answer a string or undefined, not number"],
  ] as const)(
    "a function that %s opens no socket, is told, and is asked again after a wait",
    async (_name, bad, words) => {
      let asked = 0;
      await withLine(
        async ({ connect, line, sockets }) => {
          const next = connect();
          await vi.advanceTimersByTimeAsync(0);
          expect(line.getState()).toMatchObject({ status: "reconnecting", reason: "token-failed" });
          expect(line.getState().detail).toContain(words);
          await vi.advanceTimersByTimeAsync(749);
          expect(asked).toBe(1);
          await vi.advanceTimersByTimeAsync(1_251);
          expect(asked).toBe(3);
          expect(sockets).toHaveLength(1);
          (await next).raw.emit("open");
          expect(line.getState()).toEqual({ status: "open", reason: undefined, detail: undefined });
        },
        () => {
          asked += 1;
          return asked < 3 ? bad() : "good";
        },
      );
    },
  );

  test("a function that never answers is given up after 15 s, and at once when the client is closed", async () => {
    await withLine(
      async ({ connect, line }) => {
        const next = expect(connect()).rejects.toThrow(ClientClosedError);
        await vi.advanceTimersByTimeAsync(15_000);
        expect(line.getState().detail).toContain("did not answer in 15 s");
        await vi.advanceTimersByTimeAsync(1_000); // asked again
        await line.close();
        await next;
      },
      () => new Promise(() => {}),
    );
  });

  test("renew() makes a new connection when the token is another one, and tells when it is open", async () => {
    let token = "one";
    await withLine(
      async ({ connect, line }) => {
        const renewed = vi.fn();
        line.onRenewed(renewed);
        const { raw, heard } = await connect();
        raw.emit("open");
        expect(await line.renew()).toBe(false);
        expect(heard).toEqual(["open"]);
        token = "two";
        const [first, second] = [line.renew(), line.renew()];
        expect(await Promise.all([first, second])).toEqual([true, true]);
        expect(heard.at(-1)).toContain("close");
        expect(renewed).not.toHaveBeenCalled();
        const next = connect();
        await vi.advanceTimersByTimeAsync(0); // without a wait
        (await next).raw.emit("open");
        expect(renewed).toHaveBeenCalledTimes(1);
      },
      () => token,
    );
  });

  test("another token found at an ordinary reconnect is told too; the first one is no news", async () => {
    const tokens = ["one", "two"];
    await withLine(
      async ({ connect, line, page }) => {
        const renewed = vi.fn();
        line.onRenewed(renewed);
        const { raw } = await connect();
        raw.emit("open");
        expect(renewed).not.toHaveBeenCalled();
        raw.emit("close", { code: 1006 });
        const next = connect();
        page.wake();
        (await next).raw.emit("open");
        expect(renewed).toHaveBeenCalledTimes(1);
      },
      () => tokens.shift(),
    );
  });

  test("renew() answers false when the token cannot be read", async () => {
    let sealed = false;
    await withLine(
      async ({ connect, line, warnings }) => {
        (await connect()).raw.emit("open");
        sealed = true;
        expect(await line.renew()).toBe(false);
        expect(line.status).toBe("open");
        expect(warnings).toEqual(["the token could not be read again"]);
      },
      () => {
        if (sealed) throw new Error("vault is sealed");
        return "one";
      },
    );
  });
});
