import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { EXIT } from "../src/cli/exit-codes.ts";
import { SETTING_KEYS, SETTINGS } from "../src/cli/settings.ts";
import { run } from "./helpers/cli-run.ts";

const page = readFileSync(new URL("../docs/cli.md", import.meta.url), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| "));

test("the page names every setting with its flag, its variable and its key", () => {
  for (const key of SETTING_KEYS) {
    const { flag, env } = SETTINGS[key];
    const row = rows.find((line) => line.includes(`\`${env}\``));
    expect(row, env).toContain(flag === undefined ? "| |" : `| \`--${flag}`);
    expect(row, env).toContain(`| \`${key}\``);
  }
});

test("the page names every command and every flag of each", async () => {
  const { out: overview } = await run(["help"]);
  const names = [...overview.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}/gm)].map(([, name = ""]) => name);
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    expect(page).toContain(`snapwire ${name}`);
    const { out } = await run(["help", name]);
    for (const [flag] of out.matchAll(/--[a-z-]+/g)) expect(page, `${flag} of ${name}`).toContain(flag);
  }
});

test("the page names every exit code", () => {
  for (const code of Object.values(EXIT))
    expect(rows.some((line) => line.startsWith(`| ${code} |`))).toBe(true);
});
