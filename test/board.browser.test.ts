/**
 * The board as people meet it: the shipped command on a real repository, in Chromium. Screenshots of each state are kept in
 * `test-output/board`, to be looked at.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { addToken, createToken } from "../src/server/index.ts";
import {
  type BoardServer,
  buildInto,
  CHROMIUM,
  type OpenedPage,
  openBrowser,
  openPage,
  serveBoard,
  shoot,
  writerOf,
} from "./helpers/board-browser.ts";
import { team } from "./helpers/board-world.ts";
import {
  createRepository,
  lines,
  type TemporaryFolder,
  type TestRepository,
  temporaryFolder,
  write,
} from "./helpers/git-repository.ts";

const left: (Disposable | AsyncDisposable)[] = [];
let built: TemporaryFolder;
let file = "";
let browser: Browser;

/** Ended by {@link endAll}, newest first. */
function keep<Thing extends Disposable | AsyncDisposable>(thing: Thing): Thing {
  left.push(thing);
  return thing;
}

/** After each group: a page that nobody needs any more still breathes, and takes the time of those that come after it. */
async function endAll(): Promise<void> {
  for (const thing of left.splice(0).reverse())
    if (Symbol.asyncDispose in thing) await thing[Symbol.asyncDispose]();
    else thing[Symbol.dispose]();
}

async function serving(
  repository: TestRepository,
  options: { port?: number; env?: NodeJS.ProcessEnv; args?: readonly string[] } = {},
) {
  return keep(
    await serveBoard({ file, cwd: repository.path, home: repository.room, args: ["--no-open"], ...options }),
  );
}

async function opened(url: string, options: Parameters<typeof openPage>[2] = {}): Promise<OpenedPage> {
  return keep(await openPage(browser, url, options));
}

const card = (page: Page, id: string) => page.locator(`[data-card="${id}"]`);
const column = (page: Page, name: string) => page.locator(`[data-column="${name}"]`);
const freshness = (page: Page) => page.locator("[data-freshness]");

async function shows(page: Page, text: string | RegExp, selector = "body"): Promise<void> {
  await page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout: 10_000 });
}

/** By every rule in the light, and by those that look at colours in the dark: the others cannot tell the difference. */
async function isCleanInBothThemes(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await shoot(page, `${name}-${colorScheme}`);
    await isClean(page, colorScheme === "dark" ? ["color-contrast"] : undefined);
  }
}

async function isClean(page: Page, rules?: string[]): Promise<void> {
  const axe = new AxeBuilder({ page }).options({ resultTypes: ["violations"] });
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
  const told = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
  );
  expect(told).toEqual([]);
}

describe.skipIf(CHROMIUM === undefined)("the board in Chromium", () => {
  beforeAll(async () => {
    built = temporaryFolder();
    file = buildInto(built.path);
    browser = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await endAll();
    await browser?.close();
    built?.[Symbol.dispose]();
  });

  describe("of a live repository", () => {
    afterAll(endAll);
    let app: TestRepository;
    let server: BoardServer;
    let page: Page;
    let complaints: string[];
    let feature = "";

    beforeAll(async () => {
      app = keep(createRepository());
      feature = app.worktree("feature", "-b", "feature/login");
      server = await serving(app);
      ({ page, complaints } = await opened(server.url));
      await card(page, "app/feature").waitFor();
    });

    test("says in the terminal where it is", () => {
      expect(server.process.out()).toContain(`Board       ${server.url}/\n`);
    });

    test("shows each worktree as a card, quietly: an idle one does not shout", async () => {
      await expect.poll(() => freshness(page).textContent()).toBe("Live");
      expect(await column(page, "WAITING").locator(".card").count()).toBe(2);
      const idle = card(page, "app/feature");
      expect(await idle.getAttribute("data-voice")).toBe("your-turn");
      expect(await idle.textContent()).toMatch(/feature\/login.*No session started.*your turn/);
    });

    test("a commit changes the card", async () => {
      app.commit("login.ts", lines(7), feature);
      await shows(page, "+7", '[data-card="app/feature"]');
    });

    test("what is not committed is marked", async () => {
      write(feature, "readme", `${lines(10)}more\n`);
      app.git("-C", feature, "add", "readme");
      await shows(page, "uncommitted changes", '[data-card="app/feature"]');
    });

    test("a worktree that is added appears as a card, and in the sidebar", async () => {
      app.worktree("search", "-b", "feature/search");
      await card(page, "app/search").waitFor();
      expect(await page.locator('[data-side="app/search"]').textContent()).toContain("search");
    });

    test("a CI failure that is published is a mark on the card and in the sidebar", async () => {
      await using writer = writerOf(server.url);
      await writer.trpc.snapshots.upsert.mutate({
        workspaceId: "app/search",
        prUrl: "https://example.com/pull/7",
        prNumber: 7,
        prState: "OPEN",
        prCiStatus: "FAILURE",
      });
      await card(page, "app/search").locator('[data-ci="FAILING"]').waitFor();
      await page.locator('[data-side="app/search"] [data-ci="FAILING"]').waitFor();
      expect(await card(page, "app/search").textContent()).toContain("#7");
    });

    test("a pending request that is published needs you, in amber, and counts in the title", async () => {
      await using writer = writerOf(server.url);
      await writer.trpc.snapshots.upsert.mutate({
        workspaceId: "app/feature",
        pendingRequestType: "permission_request",
      });
      await shows(page, "needs you", '[data-column="WAITING"] [data-card="app/feature"]');
      expect(await card(page, "app/feature").getAttribute("data-voice")).toBe("loud");
      expect(await column(page, "WAITING").locator(".card-loud").count()).toBe(1);
      await expect.poll(() => page.title()).toBe("(1) Snapwire");
    });

    test("details tell the whole entry, and what changed last", async () => {
      await card(page, "app/feature").click();
      const pane = page.locator('[data-detail="app/feature"]');
      await pane.waitFor();
      const changes = pane.locator("[data-changes]");
      expect(await changes.textContent()).toMatch(/waits for.*nothing.*permission request/);
      expect(await pane.textContent()).toMatch(/Version.*Position.*Sessions seen/);
      await pane.getByText("The whole entry").click();
      expect(await pane.locator("pre").textContent()).toContain('"workspaceId": "app/feature"');
      expect(new URL(page.url()).searchParams.get("workspace")).toBe("app/feature");
      await page.keyboard.press("Escape");
      await pane.waitFor({ state: "detached" });
    });

    test("a worktree that is removed leaves", async () => {
      app.git("worktree", "remove", "--force", feature.replace(/feature$/, "search"));
      await card(page, "app/search").waitFor({ state: "detached" });
    });

    test("nothing of all this was refused by the page's own policy, or failed", () => {
      expect(complaints).toEqual([]);
    });
  });

  test("the server dies: the view is dimmed and says so; it returns: caught up, no card flashed, no reload", async () => {
    onTestFinished(endAll);
    const app = keep(createRepository());
    const feature = app.worktree("feature", "-b", "feature/login");
    const first = await serving(app);
    const { page } = await opened(first.url);
    await card(page, "app/feature").waitFor();
    await expect.poll(() => freshness(page).textContent()).toBe("Live");
    // Every frame from here on: how many cards there are, and whether the page is still the same one.
    await page.evaluate(() => {
      const seen = { frames: 0, fewest: Number.POSITIVE_INFINITY, glows: 0 };
      Object.assign(globalThis, { seen });
      const look = (): void => {
        seen.frames += 1;
        seen.fewest = Math.min(seen.fewest, document.querySelectorAll(".card").length);
        seen.glows = Math.max(seen.glows, document.querySelectorAll(".glow").length);
        requestAnimationFrame(look);
      };
      look();
    });
    first.process.child.kill("SIGKILL");
    await shows(page, /Reconnecting (in \d+ s|…)/, "[data-freshness]");
    await page.locator(".is-dimmed").waitFor();
    await shows(page, /Stale since \d\d:\d\d\./, "[data-banner=stale]");
    expect(await page.locator(".card").count()).toBe(2);
    await isCleanInBothThemes(page, "stale");
    app.commit("login.ts", lines(7), feature);
    await serving(app, { port: first.port });
    await page.keyboard.press("r");
    await shows(page, "Caught up, 1 change.", "[data-banner=live]");
    expect(await freshness(page).textContent()).toBe("Live");
    expect(await page.locator(".is-dimmed").count()).toBe(0);
    await shows(page, "+7", '[data-card="app/feature"]');
    await shoot(page, "caught-up");
    const seen = await page.evaluate(
      () => (globalThis as unknown as { seen: { frames: number; fewest: number; glows: number } }).seen,
    );
    expect(seen.frames).toBeGreaterThan(10);
    expect(seen).toMatchObject({ fewest: 2, glows: 1 });
  });

  describe("of a whole team", () => {
    afterAll(endAll);
    let server: BoardServer;
    let page: Page;
    let complaints: string[];

    beforeAll(async () => {
      const atlas = keep(createRepository({ name: "atlas", bare: true }));
      server = await serving(atlas);
      await using writer = writerOf(server.url);
      for (const [id, patch] of team("atlas"))
        await writer.trpc.snapshots.upsert.mutate({ workspaceId: `atlas/${id}`, ...patch });
      ({ page, complaints } = await opened(server.url));
      await card(page, "atlas/login-form").waitFor();
    });

    test("each stands where it belongs, newest activity first, and amber is rare", async () => {
      const names = (name: string) => column(page, name).locator(".card-name").allTextContents();
      expect(await names("WORKING")).toEqual([
        "Login form",
        "New runner image",
        "Search index",
        "Rate limits per token",
        "Flaky upload test",
      ]);
      expect((await names("DONE")).at(-1)).toBe("GraphQL, a spike");
      const loud = await page.locator(".card-loud .card-name").allTextContents();
      expect(loud).toEqual(["Billing export", "Dark mode for the settings page", "Session cleanup"]);
    });

    test("is clean by axe in both themes: the board, details, the keyboard page, a search", async () => {
      await isCleanInBothThemes(page, "board");
      await card(page, "atlas/old-sessions").click();
      await page.locator("[data-detail]").waitFor();
      await isCleanInBothThemes(page, "detail");
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      await page.locator("dialog[open]").waitFor();
      await isCleanInBothThemes(page, "keyboard");
      await page.keyboard.press("Escape");
      await page.getByRole("searchbox").fill("nothing like this");
      await shows(page, "Nothing here matches");
      await isCleanInBothThemes(page, "search-empty");
      await page.getByRole("searchbox").fill("");
    });

    test.each([
      ["a wide window", 1_280, 760],
      ["a phone", 390, 844],
    ])(
      "fits %s: its parts scroll, the page does not, and no mark of a card is cut off",
      async (name, width, height) => {
        await page.setViewportSize({ width, height });
        onTestFinished(() => page.setViewportSize({ width: 1_280, height: 760 }));
        for (const path of ["/", "/agents", "/ops"]) {
          await page.goto(`${server.url}${path}`);
          await freshness(page).filter({ hasText: "Live" }).waitFor();
          const size = await page.evaluate(() => {
            const { scrollWidth, scrollHeight } = document.documentElement;
            return [scrollWidth, scrollHeight];
          });
          expect(size, path).toEqual([width, height]);
        }
        await page.goto(server.url);
        await card(page, "atlas/login-form").waitFor();
        await shoot(page, `fits-${name.replace(/.* /, "")}`);
        const cut = await page.evaluate(() =>
          [...document.querySelectorAll(".card")].flatMap((one) => {
            const { right } = one.getBoundingClientRect();
            const marks = [...one.querySelectorAll(".mark")];
            return marks.some((mark) => mark.getBoundingClientRect().right > right) ? [one.textContent] : [];
          }),
        );
        expect(cut).toEqual([]);
        const one = card(page, "atlas/login-form");
        const box = await one.boundingBox();
        expect((box?.x ?? 0) + (box?.width ?? 0), "a card is seen whole").toBeLessThan(width);
        await one.click();
        await page.locator("[data-detail]").waitFor();
        await shoot(page, `fits-${name.replace(/.* /, "")}-detail`);
        await page.keyboard.press("Escape");
      },
    );

    test("is walked by keyboard alone", async () => {
      const focus = () => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.card);
      const press = async (...keys: string[]): Promise<void> => {
        for (const key of keys) await page.keyboard.press(key);
      };
      await page.reload();
      await card(page, "atlas/login-form").waitFor();
      await press("j");
      await expect.poll(focus).toBe("atlas/login-form");
      await press("j", "ArrowDown");
      await expect.poll(focus).toBe("atlas/search-index");
      await press("k");
      await expect.poll(focus).toBe("atlas/new-runner");
      await press("l");
      await expect.poll(focus).toBe("atlas/dark-mode");
      await press("End");
      await expect.poll(focus).toBe("atlas/idle-idea");
      await press("Home");
      await expect.poll(focus).toBe("atlas/billing-export");
      await press("Enter");
      await page.locator('[data-detail="atlas/billing-export"]').waitFor();
      await press("j");
      await page.locator('[data-detail="atlas/dark-mode"]').waitFor();
      await press("Enter");
      await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe("detail-title");
      await press("Escape");
      await expect.poll(focus).toBe("atlas/dark-mode");
      await press("/");
      await page.keyboard.type("csv import");
      await expect.poll(() => page.locator(".card").count()).toBe(1);
      await press("Escape", "Escape");
      await expect.poll(() => page.locator(".card").count()).toBeGreaterThan(10);
      await press("t");
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("light");
      await press("t");
      expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe("dark");
      await press("t", "s");
      await page.locator(".sidebar").waitFor({ state: "detached" });
      await press("s", "o");
      expect(new URL(page.url()).pathname).toBe("/ops");
      await press("b");
      expect(new URL(page.url()).pathname).toBe("/");
      expect(complaints).toEqual([]);
    });

    test("several projects stand side by side, or one by one", async () => {
      await using writer = writerOf(server.url);
      for (const [id, patch] of team("boreas").slice(0, 6))
        await writer.trpc.snapshots.upsert.mutate({ workspaceId: `boreas/${id}`, ...patch });
      await shows(page, "boreas", ".projects");
      await shoot(page, "projects");
      await page.keyboard.press("p");
      await page.keyboard.press("p");
      expect(new URL(page.url()).searchParams.get("project")).toBe("boreas");
      await expect.poll(() => page.locator(".card").count()).toBe(6);
      await isClean(page);
      await page.goto(`${server.url}/?project=nowhere`);
      await shows(page, "There is no project “nowhere”");
      await isCleanInBothThemes(page, "no-such-project");
    });
  });

  describe("beside the board", () => {
    afterAll(endAll);
    let server: BoardServer;
    let page: Page;
    let writer: ReturnType<typeof writerOf>;

    beforeAll(async () => {
      const atlas = keep(createRepository({ name: "atlas", bare: true }));
      server = await serving(atlas);
      writer = keep(writerOf(server.url));
      await writer.trpc.snapshots.upsert.mutate({
        workspaceId: "atlas/login",
        projectId: "atlas",
        name: "Login form",
        status: "READY",
      });
      ({ page } = await opened(server.url));
      await card(page, "atlas/login").waitFor();
    });

    const said = (summary: string) =>
      writer.trpc.events.publish.mutate({
        type: "session.update",
        projectId: "atlas",
        workspaceId: "atlas/login",
        sessionId: "session-1",
        payload: { sessionId: "session-1", lifecycle: "detected", summary },
      });

    test("events come in as they happen, stand still while somebody points at them, and are filtered", async () => {
      await said("Reading the form");
      await page.getByRole("button", { name: "Events" }).click();
      await shows(page, "Reading the form", "[data-feed]");
      await said("Writing the test");
      await shows(page, "Writing the test", "[data-feed]");
      await page.locator(".feed-body").hover();
      await Promise.all(Array.from({ length: 24 }, (_, index) => said(`Step ${index}`)));
      await shows(page, "24 new", "[data-feed]");
      expect(await page.locator("[data-feed] .feed-row").count()).toBe(2);
      await isCleanInBothThemes(page, "events");
      await page.getByRole("button", { name: "24 new" }).click();
      await expect.poll(() => page.locator("[data-feed] .feed-row").count()).toBe(26);
      expect(await page.locator("[data-feed] .feed-row").first().textContent()).toContain("Step 23");
      await page.getByLabel("Filter events").fill("writing");
      await expect.poll(() => page.locator("[data-feed] .feed-row").count()).toBe(1);
      await page.getByLabel("Filter events").fill("");
      await page.locator("[data-feed] .link").first().click();
      await shows(page, "Step 23", '[data-detail="atlas/login"] [data-recent]');
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
    });

    test("agents come and go, with what waits for each", async () => {
      const device = { deviceId: "studio-mac" };
      const stop = await new Promise<{ unsubscribe(): void }>((resolve, reject) => {
        const inbox = writer.trpc.agents.inbox.subscribe(device, {
          onData: () => queueMicrotask(() => resolve(inbox)),
          onError: reject,
        });
      });
      await page.keyboard.press("a");
      await page.locator('[data-device="studio-mac"][data-online="true"]').waitFor();
      for (const clientKey of ["one", "two", "three"])
        await writer.trpc.agents.send.mutate({ ...device, text: "hello", clientKey, waitMs: 0 });
      await expect
        .poll(() => page.locator('[data-device="studio-mac"] .number').allTextContents())
        .toEqual(["3", "1", "0", "0"]);
      await isCleanInBothThemes(page, "agents");
      stop.unsubscribe();
      await page.locator('[data-device="studio-mac"][data-online="false"]').waitFor();
    });

    test("a dead letter is shown with its reason, and sent again", async () => {
      const device = { deviceId: "pi-kitchen" };
      let lease = 0;
      const inbox = writer.trpc.agents.inbox.subscribe(device, {
        onData: ({ data }) => {
          if (data.type === "registered") lease = data.lease;
          if (data.type !== "message") return;
          void writer.trpc.agents.ack.mutate({
            id: data.id,
            lease,
            outcome: "failed",
            error: "no such door",
          });
        },
      });
      await page.locator('[data-device="pi-kitchen"][data-online="true"]').waitFor();
      await writer.trpc.agents.send.mutate({ ...device, text: "open", clientKey: "door", waitMs: 0 });
      await shows(page, "failed: no such door", "[data-dead]");
      inbox.unsubscribe();
      await page.locator('[data-device="pi-kitchen"][data-online="false"]').waitFor();
      await shoot(page, "dead-letters");
      await isClean(page);
      await page.getByRole("button", { name: /^Send .* again$/ }).click();
      await page.locator("[data-dead]").waitFor({ state: "detached" });
    });

    test("ops shows the numbers of the server, and the frames of this page", async () => {
      await page.keyboard.press("o");
      await page.locator('[data-ops="ready"]').waitFor();
      expect(await page.locator('[data-tile="Connections"] .tile-value').textContent()).toBe("2");
      expect(await page.locator('[data-tile="Workspaces"] .tile-value').textContent()).toBe("1");
      await shows(page, "Resumes against fulls");
      await shows(page, "snapshot_full", '[aria-label="Frames of Snapwire"]');
      await isCleanInBothThemes(page, "ops");
    });
  });

  test("2,000 cards cost a page of them, and the last one is reached", async () => {
    onTestFinished(endAll);
    const many = keep(createRepository({ name: "many", bare: true }));
    const server = await serving(many);
    await using writer = writerOf(server.url);
    const now = Date.now();
    const upsert = (index: number) =>
      writer.trpc.snapshots.upsert.mutate({
        workspaceId: `many/${index}`,
        projectId: "many",
        name: `Workspace ${index}`,
        status: "READY",
        hasHadSessions: true,
        isWorking: index % 2 === 0,
        lastActivityAt: new Date(now - index * 60_000).toISOString(),
      });
    for (let first = 0; first < 2_000; first += 100)
      await Promise.all(Array.from({ length: 100 }, (_, index) => upsert(first + index)));
    const { page } = await opened(server.url);
    await shows(page, "1,000", '[data-column="WORKING"]');
    const measured = await page.evaluate(async () => {
      const rows = document.querySelector('[data-column="WORKING"] .rows');
      const frames: number[] = [];
      let most = 0;
      let before = performance.now();
      for (let frame = 0; frame < 120; frame += 1) {
        rows?.scrollBy(0, 900);
        await new Promise((resolve) => requestAnimationFrame(resolve));
        const now = performance.now();
        frames.push(now - before);
        before = now;
        most = Math.max(most, document.querySelectorAll(".card").length);
      }
      frames.sort((a, b) => a - b);
      return {
        most,
        medianMs: frames[60],
        worstMs: frames.at(-1),
        nodes: document.querySelectorAll("*").length,
      };
    });
    console.log(`2,000 cards, 120 frames of scrolling: ${JSON.stringify(measured)}`);
    expect(measured.most).toBeGreaterThan(10);
    expect(measured.most).toBeLessThan(80);
    await page.keyboard.press("j");
    await page.keyboard.press("End");
    await expect
      .poll(() => page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.card))
      .toBe("many/1998");
    await shoot(page, "many");
  });

  describe("with nothing on it", () => {
    afterAll(endAll);
    test("an empty project says how to fill it", async () => {
      const empty = keep(createRepository({ name: "empty", bare: true }));
      const server = await serving(empty);
      const { page } = await opened(server.url);
      await shows(page, "Nothing on the board of empty");
      await isCleanInBothThemes(page, "empty");
    });

    test("while it loads it looks like loading; when nobody answers it says so", async () => {
      const app = keep(createRepository());
      const server = await serving(app);
      const { page } = await opened("about:blank");
      await page.routeWebSocket(/\/trpc/, () => {}); // accepted, and never answered
      await page.goto(server.url);
      await page.locator(".loading").waitFor();
      expect(await freshness(page).textContent()).toBe("Connecting…");
      await isCleanInBothThemes(page, "loading");
      const { page: other } = await opened("about:blank");
      await other.routeWebSocket(/\/trpc/, (socket) => void socket.close());
      await other.goto(server.url);
      await shows(other, "The server does not answer");
      await isCleanInBothThemes(other, "unreachable");
    });
  });

  describe("behind a token", () => {
    afterAll(endAll);
    const token = "swt_only-for-this-test";
    let server: BoardServer;

    beforeAll(async () => {
      const app = keep(createRepository());
      server = await serving(app, { env: { SNAPWIRE_TOKEN: token } });
    });

    test("asks for it, refuses a wrong one, takes the right one", async () => {
      const { page, complaints } = await opened(server.url);
      await shows(page, "This board needs a token");
      expect(await freshness(page).textContent()).toBe("Denied");
      await isCleanInBothThemes(page, "denied");
      const field = page.getByLabel("Token");
      await field.fill("swt_wrong");
      await field.press("Enter");
      await shows(page, "This token is not accepted");
      await field.fill(token);
      await field.press("Enter");
      await card(page, "app/main-worktree").waitFor();
      await page.reload();
      await card(page, "app/main-worktree").waitFor();
      expect(complaints).toEqual([]);
    });

    test("a viewer sees the board, and is told that the numbers are for admins", async () => {
      const tokens = join(built.path, "tokens.json");
      const viewer = createToken({ role: "viewer", projects: ["app"] });
      addToken(tokens, viewer.record);
      const app = keep(createRepository());
      const guarded = await serving(app, { args: ["--no-open", "--tokens", tokens] });
      const { page, complaints } = await opened(`${guarded.url}/ops#token=${viewer.token}`);
      await shows(page, "The numbers of the server are for admins");
      await isCleanInBothThemes(page, "ops-viewer");
      await page.keyboard.press("b");
      await card(page, "app/main-worktree").waitFor();
      expect(complaints).toEqual([]);
    });

    test("takes it from the address, and removes it from there", async () => {
      const { page } = await opened(`${server.url}/?project=app#token=${token}`);
      await card(page, "app/main-worktree").waitFor();
      expect(page.url()).toBe(`${server.url}/?project=app`);
      expect(await page.evaluate(() => sessionStorage.getItem("snapwire-token"))).toBe(token);
    });
  });
});

test.skipIf(CHROMIUM !== undefined)("no Chromium is installed: the board was not looked at", () => {
  expect(existsSync("/usr/bin/chromium")).toBe(false);
});
