import { describe, expect, test } from "vitest";
import { versionWarning } from "../src/cli/doctor-journal.ts";
import { connectionOptions } from "../src/journal/nats/connection.ts";
import { natsSettings } from "../src/journal/nats/options.ts";
import { loadNatsPackages } from "../src/journal/nats/packages.ts";
import { differences } from "../src/journal/nats/streams.ts";
import { natsOptionsFromUrl } from "../src/journal/nats/url.ts";

describe("options", () => {
  test("packages that are not installed are named with the command that installs them", async () => {
    const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
    await expect(loadNatsPackages(() => Promise.reject(missing))).rejects.toThrow(
      /Run: npm install @nats-io\/transport-node@3\.3\.1 @nats-io\/jetstream@3\.3\.1/,
    );
  });

  test("the client never gives up, and sees a silent server within seconds", async () => {
    const packages = await loadNatsPackages();
    expect(
      connectionOptions(natsSettings({ servers: "a, b", token: "t", tls: { caFile: "/ca" } }), packages),
    ).toMatchObject({
      servers: ["a", "b"],
      maxReconnectAttempts: -1,
      pingInterval: 2_000,
      maxPingOut: 2,
      token: "t",
      tls: { caFile: "/ca" },
    });
  });

  test.each([
    [{ subjectPrefix: "a b" }, /subjectPrefix/],
    [{ subjectPrefix: "$JS" }, /subjectPrefix/],
    [{ stateStream: "a.b" }, /name of a stream/],
    [{ stateStream: "a", eventsStream: "a" }, /a stream each/],
    [{ replicas: 7 }, /replicas/],
    [{ eventsMaxAgeMs: 60_000 }, /at least 172800000/],
    [{ nmae: "x" }, /no option "nmae"\. There are: servers, .* name, /],
    [{ constructor: "x" }, /no option "constructor"/],
    [{ servers: "nats://a:1,nats://b:2?replicas=3" }, /behind a question mark .* natsOptionsFromUrl/],
    [{ servers: ["nats://a:1?name=x"] }, /behind a question mark/],
  ])("%j is refused", (options, message) => {
    expect(() => natsSettings(options as object)).toThrow(message);
  });

  test("one url says it all", () => {
    expect(
      natsOptionsFromUrl("nats://me:p%40ss@one:4222,two:4223?replicas=3&prefix=team&state=S&events=E&wait=5"),
    ).toEqual({
      servers: ["nats://one:4222", "nats://two:4223"],
      user: "me",
      pass: "p@ss",
      replicas: 3,
      subjectPrefix: "team",
      stateStream: "S",
      eventsStream: "E",
      writeWaitMs: 5,
    });
    expect(natsOptionsFromUrl("tls://tok@[::1]:4222?ca=/ca.pem&cert=/c.pem&key=/k.pem")).toEqual({
      servers: ["tls://[::1]:4222"],
      token: "tok",
      tls: { caFile: "/ca.pem", certFile: "/c.pem", keyFile: "/k.pem" },
    });
  });

  test.each([
    ["http://a", /a url like nats/],
    ["nats://", /a url like nats/],
    ["nats://a b", /a url like nats/],
    ["nats://a?replicas=many", /replicas in the url of the journal must be a whole number/],
    ["nats://a?storage=tape", /file or memory/],
    ["nats://a?colour=red", /There is no "colour" .* name, prefix, state/],
    ["nats://a?name=", /^name in the url of the journal is empty: write name=<value>, or leave it out/],
    ["nats://a?name=a&wait=5&name=b", /^name stands more than once .* write name=<value> once/],
    ["nats://a?wait=600001", /milliseconds, and at most 600000 .* wait=8000/],
    ["nats://a:1,tls://b:2", /one scheme for all servers/],
    ["nats://me:pw@a:1,nats://me:pw@b:2", /the user once/],
    ["nats://a:1,nats://", /a url like nats/],
    ["nats://a/b", /a url like nats/],
    ["nats://a?creds=/nowhere/x.creds", /creds .* cannot be read/],
  ])("%s is refused", (url, message) => {
    expect(() => natsOptionsFromUrl(url)).toThrow(message);
  });

  test("the scheme may stand before each server", () => {
    const { servers, replicas, user } = natsOptionsFromUrl(
      "tls://me:pw@a:1,tls://b:2,c/?replicas=3&wait=600000",
    );
    expect({ servers, replicas, user }).toEqual({
      servers: ["tls://a:1", "tls://b:2", "tls://c"],
      replicas: 3,
      user: "me",
    });
  });

  test("a refusal does not repeat a secret", () => {
    expect(() => natsOptionsFromUrl("nats://me:hunter2@a b")).toThrow(/^(?!.*hunter2)/);
    expect(() => natsSettings({ servers: "nats://me:hunter2@a?name=x" })).toThrow(/^(?!.*hunter2)/);
  });

  test("settings that a server adds by itself are no difference, and an operator's limit is none", () => {
    const must = { max_bytes: -1, republish: { src: "a", dest: "b" }, subjects: ["a"], sealed: false };
    expect(
      differences({ ...must, max_bytes: 5, republish: { src: "a", dest: "b", headers_only: false } }, must),
    ).toEqual([]);
    expect(differences({ ...must, republish: undefined } as never, must)).toEqual([
      'republish is false and must be {"src":"a","dest":"b"}',
    ]);
    const { sealed, ...older } = must;
    expect(differences(older, must), "absent is false").toEqual([]);
  });

  test.each([
    ["2.9.10", /never purge.*come to differ.*killed while/],
    [
      "2.9.18",
      /; 2\.11 or newer is better, since with this one the copies of a stream .* a stream can be lost/,
    ],
    ["2.10.22", /a stream can be lost/],
    ["2.10.23", /^$/],
    ["2.11.0-beta", /^$/],
  ])("a doctor says of %s what it is known for", (version, expected) => {
    expect(versionWarning(version)).toMatch(expected);
  });
});
