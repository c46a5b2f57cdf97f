/** What `snapwire doctor --journal` advises. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { journalAdvice } from "../src/cli/journal-advice.ts";
import { SnapwireError } from "../src/protocol/errors.ts";
import { run } from "./helpers/cli-run.ts";
import { createRepository, temporaryFolder } from "./helpers/git-repository.ts";
import { freePort, NO_NATS_SERVER, natsServer, natsTitle } from "./helpers/nats-server.ts";

const folder = temporaryFolder();
const repository = createRepository();
afterAll(() => {
  folder[Symbol.dispose]();
  repository[Symbol.dispose]();
});

interface Found {
  readonly name: string;
  readonly status: "ok" | "problem";
  readonly detail: string;
  readonly fix?: string;
}

describe("a shared journal", () => {
  /** Everything that is not asked about is on port 0, which is always free. */
  async function journal(url: string): Promise<Found | undefined> {
    const argv = ["doctor", "--port", "0", "--json", "--journal", url];
    const { out } = await run(argv, { cwd: repository.path });
    const lines = out.trim().split("\n");
    return lines.map((line): Found => JSON.parse(line)).find(({ name }) => name === "journal");
  }

  test("that is not there, or is no url: what to look at", async () => {
    const gone = await journal(`nats://127.0.0.1:${await freePort()}`);
    expect(gone).toMatchObject({
      status: "problem",
      fix: expect.stringMatching(/servers run.*port for clients/),
    });
    expect(gone?.fix).not.toMatch(/password|JetStream|ca=/);
    expect((await journal("nats://a?colour=red"))?.fix).toMatch(/Correct the url/);
  }, 20_000);

  test.skipIf(NO_NATS_SERVER)(
    natsTitle("that refuses the login, or has no JetStream: that, and no secret"),
    async () => {
      await using closed = await natsServer({ arguments: ["--user", "a", "--pass", "b"] });
      const refused = await journal(closed.url.replace("//", "//a:hunter2@"));
      expect(refused?.fix).toMatch(/user and the password, or the token.*creds=/);
      expect(JSON.stringify(refused)).not.toContain("hunter2");
      await using plain = await natsServer({ jetstream: false });
      expect((await journal(plain.url))?.fix).toMatch(/with JetStream \(-js\)/);
    },
  );

  test.skipIf(NO_NATS_SERVER)(
    natsTitle("where the user may not do enough: which rights it needs"),
    async () => {
      const config = join(folder.path, "server.conf");
      const permissions = '{ publish: ["x"], subscribe: ["_INBOX.>"] }';
      writeFileSync(
        config,
        `authorization { users = [ { user: a, password: b, permissions: ${permissions} } ] }`,
      );
      await using server = await natsServer({ arguments: ["-c", config] });
      expect((await journal(server.url.replace("//", "//a:b@")))?.fix).toMatch(
        /rights.*publish.*subscribe.*JS\.API/,
      );
    },
  );

  test.each([
    ["SELF_SIGNED_CERT_IN_CHAIN", /\?ca=<file>/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /\?ca=<file>/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /\?ca=<file>/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /Name the servers in the url as their certificate does/],
    ["CERT_HAS_EXPIRED", /valid now/],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", /cert=<file> and key=<file>/],
    ["ENOTFOUND", /See that the servers run/],
  ])("whose connection ends with %s: what to do", (code, advice) => {
    const cause = Object.assign(new Error("no"), { code });
    expect(journalAdvice(new SnapwireError("unavailable", "NATS cannot be reached", { cause }))).toMatch(
      advice,
    );
  });

  test.each([
    ["timeout", "TimeoutError", /\?cert=<file>&key=<file>/],
    ["server does not support 'tls'", "ConnectionError", /nats:\/\/ in place of tls/],
    ["/ca.pem doesn't exist", "ConnectionError", /files that ca=, cert= and key= name/],
    ["another thing", "Error", undefined],
  ])("that says %j: what to do", (message, name, advice) => {
    const cause = Object.assign(new Error(message), { name });
    const said = journalAdvice(
      new SnapwireError("unavailable", `NATS cannot be reached: ${message}`, { cause }),
    );
    if (advice) expect(said).toMatch(advice);
    else expect(said).toBeUndefined();
  });
});
