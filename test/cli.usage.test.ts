import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { run } from "./helpers/cli-run.ts";

describe("help and version", () => {
  test("--version is the package's version, and goes to stdout alone", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(await run(["--version"])).toMatchObject({ code: 0, out: `${version}\n`, err: "" });
  });

  test.each([["--help"], ["-h"], ["help"]])("%s lists every command", async (...words) => {
    const { code, out, err } = await run(words);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const name of ["serve", "watch", "publish", "token create", "token list", "doctor"])
      expect(out).toContain(`  ${name} `);
  });

  test.each([
    ["help", "serve"],
    ["serve", "--help"],
    ["serve", "-h"],
  ])("%s %s says what each flag does, and which variable stands for it", async (...words) => {
    const { code, out } = await run(words);
    expect(code).toBe(0);
    for (const part of [
      "--port <number>",
      "SNAPWIRE_PORT",
      "--repo <folder>",
      "--no-open",
      "SNAPWIRE_TOKEN ",
    ])
      expect(out).toContain(part);
  });

  test("help of the first word of two tells of all that begin with it", async () => {
    const { code, out } = await run(["help", "token"]);
    expect(code).toBe(0);
    expect(out).toContain("snapwire token create");
    expect(out).toContain("snapwire token list");
  });

  test.each([
    [["token", "--help"], "snapwire token list"],
    [["token", "-h"], "snapwire token create"],
    [["token", "help"], "snapwire token create"],
    [["token", "create", "--help"], "snapwire token create --role"],
    [["token", "list", "-h"], "snapwire token list"],
    [["hook", "--help"], "snapwire hook --agent"],
    [["hook", "install", "--help"], "snapwire hook install"],
    [["hook", "uninstall", "-h"], "snapwire hook uninstall"],
    [["github", "deliveries", "--help"], "snapwire github deliveries"],
    [["run", "--help"], "snapwire run"],
    [["help", "token", "create"], "snapwire token create --role"],
  ])("%j is answered, whatever depth the command has", async (words, usage) => {
    const { code, out, err } = await run(words);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain(`Usage: ${usage}`);
  });

  test("help wins over what is wrong or missing beside it", async () => {
    expect(await run(["publish", "--help"])).toMatchObject({ code: 0, err: "" });
  });
});

describe("what is refused: exit 2, nothing on stdout, and what was probably meant", () => {
  test.each([
    [["serv"], "There is no command `serv`. Did you mean snapwire serve?"],
    [["tokn", "create"], "Did you mean snapwire token?"],
    [["token", "crate"], "There is no command `token crate`. Did you mean snapwire token create?"],
    [["token"], "is not whole. There is: snapwire token create, snapwire token list"],
    [["hook", "instal"], "There is no command `hook instal`. Did you mean snapwire hook install?"],
    [["github", "deliver"], "There is no command `github deliver`. Did you mean snapwire github deliveries?"],
    [["."], "There is no command `.`. A repository is named by a flag: snapwire serve --repo ."],
    [["serve", "../app"], "A repository is named by a flag: snapwire serve --repo ../app."],
    [["help", "wacth"], "Did you mean snapwire watch?"],
    [["xyzzy"], "There is no command `xyzzy`. See: snapwire help"],
    [["--prot", "1"], "There is no flag --prot of `snapwire serve`. Did you mean --port?"],
    [["watch", "--jsn"], "There is no flag --jsn of `snapwire watch`. Did you mean --json?"],
    [["watch", "-x"], "There is no flag -x of `snapwire watch`."],
    [["serve", "--port"], "--port needs a value: --port <number>"],
    [["serve", "--port", "--no-open"], "--port needs a value"],
    [["watch", "--json=yes"], "--json takes no value"],
    [["serve", "--open=maybe"], '--open must be true or false, not "maybe". To turn it off: --no-open'],
    [
      ["serve", "--open=__proto__"],
      '--open must be true or false, not "__proto__". To turn it off: --no-open',
    ],
    [["serve", "--open=toString"], '--open must be true or false, not "toString".'],
    [["serve", "--no-open=1"], "--no-open takes no value. Write it alone: --no-open"],
    [["serve", "--no-opn"], "There is no flag --no-opn of `snapwire serve`. Did you mean --no-open?"],
    [["watch", "--no-json"], "There is no flag --no-json of `snapwire watch`."],
    [
      ["run", "http://a", "--", "x"],
      "http://a is no command. The server's url goes by --url: snapwire run --url",
    ],
    [["serve", "here"], '"here" is one word too many. `snapwire serve` takes no argument.'],
    [["--port", "1", "watch"], "The command comes first: snapwire watch [flags]."],
    [["watch", "http://a", "http://b"], "takes 1 at most"],
    [["watch", "http://a", "--url", "http://b"], "given twice"],
    [["serve", "--token", "x"], "There is no flag --token of `snapwire serve`. Did you mean --tokens?"],
    [
      ["watch", "shop"],
      "shop is no url like http://127.0.0.1:4747. To watch the project shop: snapwire watch --project",
    ],
    [["watch", "board.example.com:80"], "write it like http://127.0.0.1:4747"],
    [["watch", "ftp://a"], 'has the scheme "ftp:"'],
    [["watch", "http://user:pass@a"], "leave credentials out of it"],
  ])("%j", async (words, message) => {
    const { code, out, err } = await run(words);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: "" });
  });

  test("a word that is refused cannot write control codes to the terminal", async () => {
    const { err } = await run(["\x1b]0;title\x07"]);
    expect(err).toContain("\\x1b]0;title\\x07");
    expect(err).not.toMatch(/[\x1b\x07]/);
  });

  test("a secret that is refused is not repeated", async () => {
    const { code, said } = await run(["watch"], { env: { SNAPWIRE_TOKEN: "swt_secret with blanks" } });
    expect(code).toBe(2);
    expect(said).toContain("SNAPWIRE_TOKEN must not hold blanks.");
    expect(said).not.toContain("swt_secret");
  });
});
