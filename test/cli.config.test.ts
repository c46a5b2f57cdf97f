import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "./helpers/cli-run.ts";
import { temporaryFolder } from "./helpers/git-repository.ts";

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

function file(content: unknown, name = "snapwire.json"): string {
  const path = join(folder.path, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

async function printed(argv: string[], env: Record<string, string> = {}) {
  const { code, out, err } = await run([...argv, "--print-config"], { env, cwd: folder.path });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as Record<string, { value: unknown; from: string }>;
}

describe("flags > environment > file > default", () => {
  const config = ["--config", file({ port: 3000 }, "order.json")];

  test.each([
    [[...config, "--port", "1"], { SNAPWIRE_PORT: "2" }, 1, "flag --port"],
    [config, { SNAPWIRE_PORT: "2" }, 2, "environment SNAPWIRE_PORT"],
    [config, { SNAPWIRE_PORT: "" }, 3000, `file ${join(folder.path, "order.json")}`],
    [config, {}, 3000, `file ${join(folder.path, "order.json")}`],
    [[], {}, 4747, "default"],
  ])("%j with %j is %j", async (argv, env, value, from) => {
    expect((await printed(argv, env as Record<string, string>)).port).toEqual({ value, from });
  });

  test("a flag that may be repeated takes the place of the whole list", async () => {
    const config = ["--config", file({ repo: ["x"] }, "list.json")];
    const { repo } = await printed([...config, "--repo", "a", "--repo", "b"]);
    expect(repo?.value).toEqual([join(folder.path, "a"), join(folder.path, "b")]);
  });

  test("paths in a file start at the file's folder, all others at the working directory", async () => {
    mkdirSync(join(folder.path, "sub"), { recursive: true });
    const config = file({ repo: ["../app"], tokens: "tokens.json" }, "sub/paths.json");
    const { repo, tokens } = await printed(["--config", config]);
    expect(repo?.value).toEqual([join(folder.path, "app")]);
    expect(tokens?.value).toBe(join(folder.path, "sub", "tokens.json"));
    const fromEnvironment = await printed(["--config", config], { SNAPWIRE_REPO: "app:/srv/site" });
    expect(fromEnvironment.repo?.value).toEqual([join(folder.path, "app"), "/srv/site"]);
  });

  test("--no-open, SNAPWIRE_OPEN and the file all say that no browser is opened", async () => {
    expect((await printed(["--no-open"])).open).toEqual({ value: false, from: "flag --no-open" });
    expect((await printed([], { SNAPWIRE_OPEN: "0" })).open?.value).toBe(false);
    expect((await printed(["--config", file({ open: false })])).open?.value).toBe(false);
  });

  test.each([
    [["--open"], "0", true, "flag --open"],
    [["--open=true"], "0", true, "flag --open"],
    [["--open=false"], "1", false, "flag --no-open"],
    [["--open=no"], "1", false, "flag --no-open"],
    [["--no-open", "--open"], "0", true, "flag --open"],
    [["--open", "--no-open"], "1", false, "flag --no-open"],
  ])("%j counts more than SNAPWIRE_OPEN=%s: %j", async (argv, SNAPWIRE_OPEN, value, from) => {
    expect((await printed(argv, { SNAPWIRE_OPEN })).open).toEqual({ value, from });
  });

  test("the token file is looked for where the person's configuration is", async () => {
    expect((await printed([], { XDG_CONFIG_HOME: "/xdg" })).tokens?.value).toBe("/xdg/snapwire/tokens.json");
    expect((await printed([], { HOME: "/home/me" })).tokens?.value).toBe(
      "/home/me/.config/snapwire/tokens.json",
    );
  });

  test("an argument counts as a flag", async () => {
    const { url } = await printed(["watch", "http://a.example"], { SNAPWIRE_URL: "http://b.example" });
    expect(url).toEqual({ value: "http://a.example", from: "flag url" });
  });

  test("stderr on a terminal is quieter, so that people's lines stay readable", async () => {
    const terminal = { columns: 80, rows: 24 };
    const { out } = await run(["--print-config"], { terminal });
    expect(JSON.parse(out).logLevel).toEqual({ value: "warn", from: "default" });
    expect((await printed([])).logLevel?.value).toBe("info");
  });
});

describe("--print-config masks secrets", () => {
  test("a token, wherever it comes from", async () => {
    const config = ["--config", file({ token: "swt_from-file" })];
    const inFile = await run(["watch", ...config, "--print-config"]);
    const inEnvironment = await run(["--print-config"], { env: { SNAPWIRE_TOKEN: "swt_from-env" } });
    const inFlag = await run(["watch", "--token", "swt_from-flag", "--print-config"]);
    for (const { code, said } of [inFile, inEnvironment, inFlag]) {
      expect(code).toBe(0);
      expect(JSON.parse(said).token.value).toBe("***");
      expect(said).not.toContain("swt_");
    }
  });

  test("and one that somebody wrote into a url", async () => {
    const { out } = await run(["watch", "http://me:hunter2@a.example/?token=swt_x", "--print-config"]);
    expect(JSON.parse(out).url.value).toBe("http://***@a.example/?token=***");
  });
});

describe("what is refused says where it stands", () => {
  test.each([
    [["--port", "abc"], {}, '--port must be a whole number from 0 to 65535, not "abc".'],
    [["--port", "65536"], {}, "--port must be a whole number from 0 to 65535, not 65536."],
    [["--port=-1"], {}, '--port must be a whole number from 0 to 65535, not "-1".'],
    [["--port", "1.5"], {}, "--port must be a whole number"],
    [["--port="], {}, "--port must be a whole number"],
    [[], { SNAPWIRE_PORT: "many" }, 'SNAPWIRE_PORT must be a whole number from 0 to 65535, not "many".'],
    [[], { SNAPWIRE_OPEN: "maybe" }, 'SNAPWIRE_OPEN must be true or false, not "maybe".'],
    [[], { SNAPWIRE_OPEN: "constructor" }, 'SNAPWIRE_OPEN must be true or false, not "constructor".'],
    [[], { SNAPWIRE_EPHEMERAL: "__proto__" }, "SNAPWIRE_EPHEMERAL must be true or false"],
    [["--log-level", "loud"], {}, "--log-level must be one of trace, debug, info"],
    [["--host="], {}, "--host must not be empty"],
    [["--plain", "snapshots,foo"], {}, ', or be none, not "foo".'],
    [["--plain", "none,api"], {}, ', or be none, not "none,api".'],
    [["--github", "a/b=c", "--github", "d"], {}, '--github must be like owner/name=project, not "d".'],
    [
      [],
      { SNAPWIRE_PLAIN: "api,foo" },
      'SNAPWIRE_PLAIN must name some of snapshots, hub, api, agent, or be none, not "foo".',
    ],
  ])("%j with %j", async (argv, env, message) => {
    const { code, out, err } = await run(argv, { env: env as Record<string, string> });
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });

  test.each([
    [{ prot: 1 }, 'There is no setting "prot"', "Did you mean port?"],
    [{ __proto__x: 1 }, 'There is no setting "__proto__x"', "Settings: port, host"],
    ['{"constructor": 1}', 'There is no setting "constructor"', "Settings:"],
    [{ port: "4747" }, "must be a whole number", '"port" in'],
    [{ repo: "app" }, "must be a list of texts", '"repo" in'],
    [{ url: 5 }, "must be text", '"url" in'],
    ["{", "is not JSON", 'It holds JSON like {"port": 4747}'],
    ["[]", "must hold an object", "It holds JSON"],
  ])("a file that holds %j", async (content, ...messages) => {
    const path = file(content);
    const { code, out, err } = await run(["--config", path]);
    for (const message of [...messages, path]) expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });

  test("a file that is not there", async () => {
    const { code, err } = await run(["--config", "none.json"], { cwd: folder.path });
    expect(err).toContain(`${join(folder.path, "none.json")} does not exist`);
    expect(code).toBe(2);
  });

  test("a variable that nobody knows is ignored, and said", async () => {
    const { code, err } = await run(["token", "list"], {
      env: { SNAPWIRE_TOKNES: "x" },
      cwd: folder.path,
    });
    expect(err).toContain(
      "There is no setting SNAPWIRE_TOKNES in the environment. Did you mean SNAPWIRE_TOKENS?",
    );
    expect(code).toBe(0);
    for (const command of ["token", "serve"]) {
      const words = command === "token" ? ["token", "list"] : [command];
      const shown = await run([...words, "--print-config"], { env: { SNAPWIRE_TOKNES: "x" } });
      expect(shown.err).toMatch(/^snapwire: There is no setting SNAPWIRE_TOKNES .*\n$/);
      expect(Object.keys(JSON.parse(shown.out))).toContain("tokens");
    }
  });
});

describe("a shared journal", () => {
  test("is named by flag, environment or file, and its password is not shown", async () => {
    const config = ["--config", file({ journal: "nats://file:4222" }, "journal.json")];
    expect((await printed(config)).journal?.value).toBe("nats://file:4222");
    expect((await printed(config, { SNAPWIRE_JOURNAL: "nats://env:4222" })).journal?.value).toBe(
      "nats://env:4222",
    );
    const flag = [...config, "--journal", "nats://me:hunter2@flag:4222,two:4222?replicas=3"];
    expect((await printed(flag, { SNAPWIRE_JOURNAL: "nats://env:4222" })).journal).toEqual({
      value: "nats://***@flag:4222,two:4222?replicas=3",
      from: "flag --journal",
    });
  });

  test.each([
    ["redis://me:hunter2@a", '--journal must be a url like nats://host:4222, not "redis://***@a".'],
    ["nats://me:hunter2@a?copies=3", '--journal: There is no "copies" in the url of a journal.'],
    ["nats://me:hunter2@a?replicas=9", "--journal: replicas must be from 1 to 5"],
  ])("%s is wrong usage, and the password is not repeated", async (url, message) => {
    const { code, said } = await run(["serve", "--no-open", "--port", "0", "--journal", url], {
      cwd: folder.path,
    });
    expect(said).toContain(message);
    expect(said).not.toContain("hunter2");
    expect(code).toBe(2);
  });
});

describe("where the state is kept", () => {
  test("is named by flag, environment or file; nothing is said of a folder that nobody named", async () => {
    const config = ["--config", file({ data: "state", durability: "process" }, "data.json")];
    const inFile = await printed(config);
    expect(inFile.data?.value).toBe(join(folder.path, "state"));
    expect(inFile.durability).toEqual({ value: "process", from: `file ${join(folder.path, "data.json")}` });
    const env = { SNAPWIRE_DATA: "/srv/state", SNAPWIRE_DURABILITY: "disk" };
    expect((await printed(config, env)).data?.value).toBe("/srv/state");
    const flags = [...config, "--data", "here", "--durability", "process"];
    expect((await printed(flags, env)).data).toEqual({
      value: join(folder.path, "here"),
      from: "flag --data",
    });
    expect((await printed(flags, env)).durability?.value).toBe("process");
    expect((await printed([])).data).toBeUndefined();
  });

  test("--ephemeral, SNAPWIRE_EPHEMERAL and the file all say that nothing is kept, and a flag wins", async () => {
    expect((await printed(["--ephemeral"])).ephemeral).toEqual({ value: true, from: "flag --ephemeral" });
    expect((await printed([], { SNAPWIRE_EPHEMERAL: "yes" })).ephemeral?.value).toBe(true);
    expect((await printed(["--config", file({ ephemeral: true })])).ephemeral?.value).toBe(true);
    expect((await printed(["--ephemeral"], { SNAPWIRE_EPHEMERAL: "0" })).ephemeral?.value).toBe(true);
    expect((await printed(["--no-ephemeral"], { SNAPWIRE_EPHEMERAL: "1" })).ephemeral?.value).toBe(false);
  });

  test.each([
    [["--durability", "memory"], {}, '--durability must be one of disk, process, not "memory".'],
    [["--data="], {}, "--data must not be empty"],
    [["--ephemeral=memory"], {}, '--ephemeral must be true or false, not "memory".'],
    [
      ["--data", "/x", "--ephemeral"],
      {},
      "leave out one of the data folder (flag --data) and no data folder",
    ],
    [
      ["--ephemeral"],
      { SNAPWIRE_DATA: "/x" },
      "leave out one of the data folder (environment SNAPWIRE_DATA) and",
    ],
    [["--data", "/x", "--journal", "nats://a"], {}, "and a shared journal (flag --journal)"],
  ])("%j with %j is wrong usage", async (argv, env, message) => {
    const { code, said } = await run(["serve", ...argv], {
      env: env as Record<string, string>,
      cwd: folder.path,
    });
    expect(said).toContain(message);
    expect(code).toBe(2);
  });
});
