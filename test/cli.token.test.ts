import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openTokenFile } from "../src/server/index.ts";
import { run } from "./helpers/cli-run.ts";
import { temporaryFolder } from "./helpers/git-repository.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
let files = 0;
const newFile = (): string => join(folder.path, `home-${++files}`, "tokens.json");
const TOKEN = /swt_[\w-]{43}/;

describe("token create", () => {
  test("shows the token once, says where its digest is, and the file never holds it", async () => {
    const path = newFile();
    const { code, out, err } = await run([
      "token",
      "create",
      "--role",
      "viewer",
      "--project",
      "app",
      "--tokens",
      path,
    ]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const [token = ""] = out.split("\n");
    expect(token).toMatch(new RegExp(`^${TOKEN.source}$`));
    expect(out.match(new RegExp(TOKEN, "g"))).toEqual([token]);
    expect(out).toContain("It is viewer of app.");
    expect(out).toContain(`Its digest is in ${path}`);
    expect(readFileSync(path, "utf8")).not.toContain(token);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(openTokenFile({ path }).find(token)).toMatchObject({ role: "viewer", projects: ["app"] });
  });

  test.each([
    [
      ["--role", "publisher", "--project", "a", "--project", "b"],
      { role: "publisher", projects: ["a", "b"] },
    ],
    [["--role", "publisher", "--projects", "*"], { role: "publisher", projects: "*" }],
    [["--role", "admin"], { role: "admin", projects: "*" }],
    [["--role", "admin", "--project", "a"], { role: "admin", projects: ["a"] }],
    [
      ["--role", "agent", "--project", "*", "--device", " Laptop "],
      { role: "agent", projects: "*", deviceId: "laptop" },
    ],
    [["--role", "viewer", "--project", "*", "--name", "board"], { role: "viewer", subject: "board" }],
  ])("%j", async (flags, identity) => {
    const path = newFile();
    const { code, out } = await run(["token", "create", ...flags, "--tokens", path, "--json"]);
    expect(code).toBe(0);
    const made = JSON.parse(out);
    expect(made).toMatchObject({ ...identity, file: path });
    expect(made).not.toHaveProperty("digest");
    expect(openTokenFile({ path }).find(made.token)).toMatchObject(identity);
  });

  test("keeps the tokens that are there, in the person's own configuration folder", async () => {
    const env = { XDG_CONFIG_HOME: join(folder.path, "xdg") };
    for (let made = 0; made < 2; made++)
      expect((await run(["token", "create", "--role", "admin"], { env })).code).toBe(0);
    const path = join(folder.path, "xdg", "snapwire", "tokens.json");
    expect(JSON.parse(readFileSync(path, "utf8")).tokens).toHaveLength(2);
  });

  test.each([
    [[], "Which role? One of viewer, publisher, agent, admin."],
    [["--role", "viwer"], 'There is no role "viwer". Did you mean viewer?'],
    [["--role", "viewer"], "Which projects is it for? Write: --project <id>, or --project '*' for all."],
    [["--role", "agent", "--project", "p"], "An agent's token is bound to its device. Write: --device <id>"],
    [["--role", "agent", "--project", "p", "--device", " "], "an agent needs a deviceId"],
    [["--role", "viewer", "--project", "p", "--device", "d"], "Only an agent is bound to a device."],
  ])("%j is refused with 2, and no file is made", async (flags, message) => {
    const path = newFile();
    const { code, out, err } = await run(["token", "create", ...flags, "--tokens", path]);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(() => statSync(path)).toThrow();
  });

  test("a file that cannot be written is said, with 1", async () => {
    const path = newFile();
    await run(["token", "create", "--role", "admin", "--tokens", path]);
    writeFileSync(path, "{}");
    const broken = await run(["token", "create", "--role", "admin", "--tokens", path]);
    expect(broken).toMatchObject({ code: 1, out: "" });
    expect(broken.err).toContain("The token file");
    const noHome = await run(["token", "create", "--role", "admin"], { env: { HOME: "" } });
    expect(noHome).toMatchObject({ code: 2, out: "" });
    expect(noHome.err).toContain("Name a file: --tokens <file>");
  });
});

describe("token list", () => {
  test("names what there is, and neither tokens nor digests", async () => {
    const path = newFile();
    const argv = ["token", "create", "--tokens", path, "--json", "--role"];
    const one = JSON.parse((await run([...argv, "viewer", "--project", "app", "--name", "board"])).out);
    await run([...argv, "admin"]);
    const { code, out } = await run(["token", "list", "--tokens", path]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^board {3}viewer of app {3}made \d{4}-.*\ntoken-[0-9a-f]{8} {3}admin of all projects {3}made /,
    );
    const asJson = await run(["token", "list", "--tokens", path, "--json"]);
    const { token, file: _file, ...shown } = one;
    expect(JSON.parse(asJson.out.split("\n")[0] ?? "")).toEqual(shown);
    expect(out + asJson.out).not.toMatch(TOKEN);
    expect(out + asJson.out).not.toMatch(/[0-9a-f]{64}/);
    expect(token).toMatch(TOKEN);
  });

  test("says that there are none; a file that was named must be there", async () => {
    const none = await run(["token", "list"], { env: { HOME: folder.path } });
    expect(none).toMatchObject({ code: 0, err: "" });
    expect(none.out).toContain("Make one: snapwire token create --role viewer --project app");
    expect(await run(["token", "list", "--tokens", newFile()])).toMatchObject({ code: 1, out: "" });
  });
});
