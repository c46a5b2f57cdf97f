/** Tokens and the file that keeps them. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  addToken,
  adminToken,
  createToken,
  joinTokenStores,
  openTokenFile,
  readTokenFile,
} from "../src/server/index.ts";
import { recordingLogger } from "./helpers/server-harness.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "snapwire-tokens-"));
  path = join(folder, "tokens.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function openWithClock() {
  let time = 0;
  const later = (): void => {
    time += 1_000;
  };
  const log = recordingLogger();
  const store = openTokenFile({ path, logger: log.logger, now: () => time });
  return { store, log, later };
}

describe("a token", () => {
  test("is shown once, begins with swt_, and only its digest is kept", () => {
    const { token, record } = createToken({ role: "viewer", projects: ["p1"] }, { now: () => 0 });
    expect(token).toMatch(/^swt_[A-Za-z0-9_-]{43}$/);
    expect(record).toEqual({
      subject: `token-${record.digest.slice(0, 8)}`,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      role: "viewer",
      projects: ["p1"],
      createdAt: "1970-01-01T00:00:00.000Z",
    });
    expect(JSON.stringify(record)).not.toContain(token.slice(4));
    expect(createToken({ role: "viewer" }).token).not.toBe(createToken({ role: "viewer" }).token);
  });

  test("of an agent is bound to its device, and no other is", () => {
    expect(createToken({ role: "agent", deviceId: " MacBook " }).record.deviceId).toBe("macbook");
    expect(() => createToken({ role: "agent" })).toThrow(/deviceId/);
    expect(() => createToken({ role: "viewer", deviceId: "x" })).toThrow(/only an agent/);
    expect(() => createToken({ role: "root" as never })).toThrow(/role/);
    expect(() => createToken({ role: "viewer", projects: [""] })).toThrow(/projects/);
  });

  test("is found by what it is, and nothing else is", () => {
    const { token, record } = createToken({ role: "publisher", projects: ["a"], subject: "ci" });
    addToken(path, record);
    const store = openTokenFile({ path });
    expect(store.find(token)).toEqual({ subject: "ci", role: "publisher", projects: ["a"] });
    for (const wrong of ["", "swt_", `${token}x`, token.slice(0, -1), record.digest])
      expect(store.find(wrong)).toBeNull();
  });

  test("given in plain is admin; an empty one is refused", () => {
    expect(adminToken("s3cret").find("s3cret")).toEqual({ subject: "admin", role: "admin", projects: "*" });
    expect(adminToken("s3cret").find("s3cre")).toBeNull();
    for (const bad of ["", "  ", "a b"]) expect(() => adminToken(bad)).toThrow(/empty/);
    const both = joinTokenStores(adminToken("one"), adminToken("two", "second"));
    expect(both.find("two")?.subject).toBe("second");
    expect(both.find("three")).toBeNull();
  });
});

describe("the token file", () => {
  test("is made for its owner only, and so is its folder", () => {
    path = join(folder, "deep", "tokens.json");
    addToken(path, createToken({ role: "viewer" }).record);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
    addToken(path, createToken({ role: "admin" }).record);
    expect(readTokenFile(path).map((record) => record.role)).toEqual(["viewer", "admin"]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, "deep")), "no lock and no half-written file is left").toEqual([
      "tokens.json",
    ]);
  });

  test("is replaced behind a link, not the link", () => {
    addToken(path, createToken({ role: "viewer" }).record);
    const link = join(folder, "link.json");
    symlinkSync(path, link);
    addToken(link, createToken({ role: "admin" }).record);
    expect(readTokenFile(path)).toHaveLength(2);
  });

  test("is not written by two at once: the second is told", () => {
    writeFileSync(`${path}.lock`, "");
    expect(() => addToken(path, createToken({ role: "viewer" }).record)).toThrow(/Another process/);
    rmSync(`${path}.lock`);
    addToken(path, createToken({ role: "viewer" }).record);
  });

  test.each([
    ["missing", undefined, /cannot be read.*token create/],
    ["not JSON", "{", /is not JSON/],
    ["null", "null", /version/],
    ["another version", '{"version":2,"tokens":[]}', /version/],
    [
      "an entry without a digest",
      '{"version":1,"tokens":[{"subject":"a","role":"admin","projects":"*"}]}',
      /tokens\[0\]: digest/,
    ],
    ["an entry that is a plain token", '{"version":1,"tokens":["swt_secret"]}', /tokens\[0\]/],
  ])("P10 that is %s is refused at start, and nothing in it is repeated", (_name, text, message) => {
    if (text !== undefined) writeFileSync(path, text);
    expect(() => openTokenFile({ path })).toThrow(message);
    expect(() => openTokenFile({ path })).not.toThrow(/swt_secret/);
  });

  test("is not overwritten when it is malformed", () => {
    writeFileSync(path, "{ my notes");
    expect(() => addToken(path, createToken({ role: "viewer" }).record)).toThrow(/is not JSON/);
    expect(readFileSync(path, "utf8")).toBe("{ my notes");
    expect(readdirSync(folder)).toEqual(["tokens.json"]);
  });

  test("is read again when it changes, at most once a second", () => {
    addToken(path, createToken({ role: "viewer" }).record);
    const { store, later } = openWithClock();
    const second = createToken({ role: "admin" });
    addToken(path, second.record);
    expect(store.find(second.token)).toBeNull();
    later();
    expect(store.find(second.token)?.role).toBe("admin");
    writeFileSync(path, '{"version":1,"tokens":[]}');
    later();
    expect(store.find(second.token), "a token that is taken out is refused").toBeNull();
  });

  test.each([
    ["malformed", () => writeFileSync(path, "{")],
    ["gone", () => rmSync(path)],
  ])("P10 that is %s at run time leaves the last good one in force, and says so once", (_name, harm) => {
    const { token, record } = createToken({ role: "viewer" });
    addToken(path, record);
    const { store, log, later } = openWithClock();
    harm();
    for (let n = 0; n < 3; n++) {
      later();
      expect(store.find(token)?.role).toBe("viewer");
    }
    expect(log.errors()).toHaveLength(1);
    rmSync(path, { force: true });
    addToken(path, createToken({ role: "admin" }).record);
    later();
    expect(store.find(token)).toBeNull();
  });

  test("that others can read is told", () => {
    addToken(path, createToken({ role: "viewer" }).record);
    expect(openWithClock().log.lines).toEqual([]);
    chmodSync(path, 0o644);
    expect(openWithClock().log.lines).toMatchObject([
      { level: "warn", message: expect.stringContaining("chmod 600") },
    ]);
  });
});
