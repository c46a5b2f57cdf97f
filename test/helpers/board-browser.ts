/** The board as people meet it: the shipped command on a real repository, and a real browser in front of it. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { createSnapwireClient, type SnapwireClient } from "../../client/index.ts";
import { bundleInto, cleanEnvironment, launch, type Process } from "./cli-process.ts";
import { eventually } from "./git-repository.ts";

const BUILD = fileURLToPath(new URL("../../scripts/build-board.mjs", import.meta.url));
/** Kept after the tests, and looked at. */
const SHOTS = fileURLToPath(new URL("../../test-output/board/", import.meta.url));

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where Chromium is; undefined: nowhere, and the tests in a browser are skipped by name. */
export const CHROMIUM = [process.env.CHROMIUM_PATH ?? "", ...PLACES].find((path) => path && existsSync(path));

/** The command and the board, laid out as in the package. @returns the file to run */
export function buildInto(folder: string): string {
  const board = join(folder, "board");
  const cli = join(folder, "cli");
  mkdirSync(cli, { recursive: true });
  execFileSync(process.execPath, [BUILD, board], { stdio: ["ignore", "ignore", "inherit"] });
  return bundleInto(cli);
}

export interface BoardServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly process: Process;
}

export interface ServeOptions {
  readonly file: string;
  readonly cwd: string;
  readonly home: string;
  readonly port?: number;
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

export async function serveBoard({
  file,
  cwd,
  home,
  port = 0,
  args = [],
  env = {},
}: ServeOptions): Promise<BoardServer> {
  const process = launch(globalThis.process.execPath, [file, "serve", "--port", String(port), ...args], {
    cwd,
    env: { ...cleanEnvironment(home), ...env },
  });
  const ended = process.done.then((code) => {
    throw new Error(`it ended with ${code}: ${process.out()}${process.err()}`);
  });
  const ready = eventually(() => {
    if (!/Watch /.test(process.out())) throw new Error("not serving yet");
  });
  await Promise.race([ready, ended]);
  ended.catch(() => undefined); // from here on its end is its own matter
  const url = /http:\/\/127\.0\.0\.1:(\d+)/.exec(process.out());
  return {
    url: url?.[0] ?? "",
    port: Number(url?.[1]),
    process,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }),
    args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
  });
}

export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  /** Everything that the page complained of: errors, and what its own policy refused. */
  readonly complaints: string[];
}

/** A page of its own, as a person's tab would be. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 }, ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    // A server that is away is told by the browser too; that is not the page's complaint.
    if (
      message.type() === "error" &&
      !/WebSocket|ERR_CONNECTION|Failed to load resource/.test(message.text())
    )
      complaints.push(message.text());
  });
  await page.goto(url);
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

export async function shoot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** A writer beside the browser, as a webhook or an agent would be. */
export function writerOf(url: string, token?: string): SnapwireClient {
  return createSnapwireClient({ url, ...(token === undefined ? {} : { token }) });
}
