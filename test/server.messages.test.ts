/** What a client sends, read message by message. */
import fc from "fast-check";
import superjson from "superjson";
import { describe, expect, test } from "vitest";
import { silentLogger } from "../src/log.ts";
import { SnapwireError } from "../src/protocol/errors.ts";
import { toTRPCError } from "../src/router/errors.ts";
import { parseJson, readConnectionParams, readMessage } from "../src/server/messages.ts";
import { logProcedureErrors } from "../src/server/procedure-errors.ts";
import { SubscriptionCount } from "../src/server/subscription-count.ts";
import { checkBasePath, isSocketPath, parseTarget, procedurePath, routeOf } from "../src/server/target.ts";

const deserialize = (input: unknown): unknown => superjson.deserialize(input as never);
const read = (raw: unknown) => readMessage(raw, deserialize);
const params = { path: "a.b", input: superjson.serialize(null) };

describe("P10 a message", () => {
  test("is a request with an id, a method and a path", () => {
    expect(read({ id: 1, method: "query", params })).toEqual({
      kind: "request",
      id: 1,
      subscription: false,
      path: "a.b",
      input: null,
    });
    expect(read({ id: "x", jsonrpc: "2.0", method: "subscription", params })).toMatchObject({
      subscription: true,
    });
    expect(read({ id: 0, method: "subscription.stop" })).toEqual({ kind: "stop", id: 0 });
  });

  test.each([
    ["null", null, null, "PARSE_ERROR"],
    ["a number", 5, null, "PARSE_ERROR"],
    ["an array", [], null, "PARSE_ERROR"],
    ["no id", { method: "query", params }, null, "PARSE_ERROR"],
    ["id null", { id: null, method: "query", params }, null, "PARSE_ERROR"],
    ["an empty id", { id: "", method: "query", params }, null, "PARSE_ERROR"],
    ["an endless id", { id: "x".repeat(129), method: "query", params }, null, "PARSE_ERROR"],
    ["an infinite id", parseJson('{"id":1e999,"method":"query"}'), null, "PARSE_ERROR"],
    ["jsonrpc 1.0", { id: 1, jsonrpc: "1.0", method: "query", params }, 1, "PARSE_ERROR"],
    ["an unknown method", { id: 1, method: "toString", params }, 1, "PARSE_ERROR"],
    ["no params", { id: 1, method: "query" }, 1, "PARSE_ERROR"],
    ["a path that is no string", { id: 1, method: "query", params: { path: 7 } }, 1, "PARSE_ERROR"],
    [
      "a numeric lastEventId",
      { id: 1, method: "subscription", params: { ...params, lastEventId: 7 } },
      1,
      "BAD_REQUEST",
    ],
    [
      "no input, which superjson cannot read",
      { id: 1, method: "query", params: { path: "a" } },
      1,
      "BAD_REQUEST",
    ],
    ["a stop without an id", { method: "subscription.stop" }, null, "PARSE_ERROR"],
  ])("%s is bad, by its id when it has one", (_name, raw, id, code) => {
    expect(read(raw)).toMatchObject({ kind: "bad", id, code });
  });

  test("any JSON is read without a throw", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void read(value)));
    fc.assert(fc.property(fc.string(), (text) => void read(parseJson(text))));
  });
});

describe("connection parameters", () => {
  test("are strings by name, or null", () => {
    expect(readConnectionParams('{"method":"connectionParams","data":{"token":"t"}}')).toEqual({
      token: "t",
    });
    expect(readConnectionParams('{"method":"connectionParams","data":null}')).toBeNull();
  });

  test.each([
    "",
    "x",
    "1",
    "[]",
    '{"id":1,"method":"query"}',
    '{"method":"connectionParams"}',
    '{"method":"connectionParams","data":{"token":1}}',
  ])("P10 %j holds none", (text) => expect(readConnectionParams(text)).toBeUndefined());

  test("P10 `__proto__` is a name like any other", () => {
    const params = readConnectionParams('{"method":"connectionParams","data":{"__proto__":"x"}}');
    expect(params?.token).toBeUndefined();
    expect(Object.keys(params ?? {})).toEqual(["__proto__"]);
  });
});

test("what became of a write that nobody can tell is said in the log, without a stack; what is refused is detail", () => {
  const said: [string, string][] = [];
  const say = (level: string) => (_: object, message: string) => void said.push([level, message]);
  const logger = { ...silentLogger, error: say("error"), warn: say("warn"), debug: say("debug") };
  const log = logProcedureErrors(logger);
  for (const reason of ["outcome-unknown", "unavailable"] as const)
    log({ error: toTRPCError(new SnapwireError(reason, "why")), path: "snapshots.upsert", type: "mutation" });
  log({ error: toTRPCError(new Error("a fault")), path: "snapshots.upsert", type: "mutation" });
  expect(said).toEqual([
    ["warn", "the outcome of a call is unknown"],
    ["debug", "a call was refused"],
    ["error", "a procedure failed"],
  ]);
});

describe("the count of subscriptions", () => {
  const stopped = (id: unknown): string => JSON.stringify({ id, result: { type: "stopped" } });
  const stoppedOld = (id: unknown): string =>
    JSON.stringify({ id, jsonrpc: "2.0", result: { type: "stopped" } });
  const failed = (id: unknown): string => JSON.stringify({ id, error: { json: { message: "no" } } });

  test("ends with `stopped` or an error, whatever the id looks like", () => {
    for (const id of [1, -1.5, 1e21, 'a"b\\c', "x,y", "ü", "}"]) {
      for (const end of [stopped, failed, stoppedOld]) {
        const count = new SubscriptionCount(1);
        expect(count.admit(id)).toBe("admitted");
        expect(count.admit(id)).toBe("duplicate");
        expect(count.admit("other")).toBe("full");
        count.sent(end(id));
        expect(count.live).toBe(0);
        expect(count.admit(id)).toBe("admitted");
      }
    }
  });

  test("does not end with data that looks like an end", () => {
    const count = new SubscriptionCount(2);
    count.admit(1);
    count.sent(JSON.stringify({ id: 1, result: { type: "started" } }));
    count.sent(JSON.stringify({ id: 1, result: { type: "data", data: { json: stopped(1) } } }));
    count.sent(JSON.stringify({ id: null, error: {} }));
    count.sent("PONG");
    expect(count.live).toBe(1);
  });

  test("gives the place of a stopped one away at once, but not without end", () => {
    const count = new SubscriptionCount(2);
    for (const id of [1, 2]) expect(count.admit(id)).toBe("admitted");
    for (const id of [1, 2]) count.stop(id);
    for (const id of [3, 4]) expect(count.admit(id)).toBe("admitted");
    for (const id of [3, 4]) count.stop(id);
    expect(count.admit(5)).toBe("full");
    count.sent(stopped(1));
    expect(count.admit(5)).toBe("admitted");
  });
});

describe("a target", () => {
  test("is a path and a query, not decoded", () => {
    expect(parseTarget("/trpc/a%20b?x=1?2")).toEqual({ path: "/trpc/a%20b", query: "x=1?2" });
    for (const raw of [undefined, "", "*", "trpc", "//x/trpc", "http://x/trpc", "/a#b", "/a b"])
      expect(parseTarget(raw)).toBeUndefined();
  });

  test("belongs to the base path by whole segments", () => {
    const base = checkBasePath("/api/trpc");
    expect(routeOf("/api/trpc", base)).toBe("trpc");
    expect(routeOf("/api/trpc/a.b", base)).toBe("trpc");
    expect(routeOf("/api/trpcs", base)).toBeUndefined();
    expect(routeOf("/api/health", base)).toBe("health");
    expect(routeOf("/constructor", base)).toBeUndefined();
    expect(isSocketPath("/api/trpc/", base)).toBe(true);
    expect(procedurePath("/api/trpc/a.b/", base)).toBe("a.b");
    expect(procedurePath("/api/trpc", base)).toBe("");
  });
});
