/** The board's files over real HTTP: who gets the page, and with which headers. What the page does is tested in a browser. */
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createBoard } from "../src/server/index.ts";
import { temporaryFolder } from "./helpers/git-repository.ts";
import { type Served, serve } from "./helpers/served.ts";

const PAGE = '<!doctype html><meta name="snapwire-trpc" content="/trpc" /><title>Snapwire</title>';
const SCRIPT = "console.log(1);\n".repeat(200);

const folder = temporaryFolder();
let served: Served;

beforeAll(async () => {
  mkdirSync(join(folder.path, "assets"));
  writeFileSync(join(folder.path, "index.html"), PAGE);
  writeFileSync(join(folder.path, "theme.js"), "// theme\n");
  writeFileSync(join(folder.path, "assets", "index-abc123.js"), SCRIPT);
  writeFileSync(join(folder.path, "notes.txt"), "not a file of the page");
  served = await serve({ server: { board: createBoard({ folder: folder.path }) } });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** Without the manners of `fetch`: no Accept of its own, no unpacking, the path as it is written. */
function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  const { hostname, port } = new URL(served.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("latin1"),
        }),
      );
    });
    asked.on("error", reject);
    asked.end();
  });
}

const HTML = { accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" };

describe("the page", () => {
  test("is the answer to whoever accepts text/html, on every path that nobody owns", async () => {
    for (const path of ["/", "/ops", "/agents", "/?project=app", "/anything/else"]) {
      const { status, headers, body } = await ask(path, HTML);
      expect([path, status, headers["content-type"]]).toEqual([path, 200, "text/html; charset=utf-8"]);
      expect(body).toBe(PAGE);
    }
  });

  test("is not the answer to whoever does not accept it, or writes", async () => {
    const answers = [
      await ask("/"),
      await ask("/", { accept: "*/*" }),
      await ask("/", { accept: "application/json" }),
      await ask("/", { accept: "text/html;q=0, */*" }),
      await ask("/", HTML, "POST"),
      await ask("/", HTML, "PUT"),
      await ask("/", HTML, "DELETE"),
    ];
    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      answers.map(() => [404, "Not found.\n"]),
    );
  });

  test("S10 is never the answer on a subscription path, nor on any other that belongs to an endpoint", async () => {
    const paths = [
      "/snapshots?projectId=app",
      "/snapshots/",
      "/api/ws?token=x",
      "/api/anything",
      "/agent/ws",
      "/devices",
      "/transcription",
      "/events",
      "/trpc",
      "/trpc/snapshots.projects",
      "/livez",
      "/readyz",
      "/api/health",
      "/metrics",
      "/SNAPSHOTS",
      "/%73napshots",
      "/assets/missing.js",
      "/missing.js",
      "/favicon.ico",
    ];
    for (const path of paths) {
      const { headers, body } = await ask(path, HTML);
      expect([path, body.includes("<title>")]).toEqual([path, false]);
      expect(String(headers["content-type"])).not.toContain("text/html");
    }
  });

  test("allows nothing inline and nothing from elsewhere, and is looked at anew each time", async () => {
    const { headers } = await ask("/", HTML);
    const policy = String(headers["content-security-policy"]);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*|data:/);
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    });
  });

  test("costs no body when it is known, or when only its head is asked for", async () => {
    const first = await ask("/", HTML);
    const again = await ask("/", { ...HTML, "if-none-match": String(first.headers.etag) });
    expect([again.status, again.body]).toEqual([304, ""]);
    const head = await ask("/", HTML, "HEAD");
    expect([head.status, head.body, head.headers["content-length"]]).toEqual([200, "", String(PAGE.length)]);
  });

  test("knows where tRPC is, when it is elsewhere", async () => {
    await using elsewhere = await serve({
      server: {
        basePath: "/api/trpc",
        board: createBoard({ folder: folder.path, basePath: "/api/trpc" }),
      },
    });
    const page = await fetch(elsewhere.url, { headers: HTML });
    expect(await page.text()).toContain('content="/api/trpc"');
  });
});

describe("a file of the page", () => {
  test("is kept for ever when its name carries its content, and packed for whoever can unpack", async () => {
    const plain = await ask("/assets/index-abc123.js");
    expect(plain.status).toBe(200);
    expect(plain.body).toBe(SCRIPT);
    expect(plain.headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "public, max-age=31536000, immutable",
      "x-content-type-options": "nosniff",
    });
    const packed = await ask("/assets/index-abc123.js", { "accept-encoding": "br, gzip" });
    expect(packed.headers["content-encoding"]).toBe("gzip");
    expect(packed.body.length).toBeLessThan(SCRIPT.length / 4);
    const refused = await ask("/assets/index-abc123.js", { "accept-encoding": "gzip;q=0" });
    expect(refused.headers["content-encoding"]).toBeUndefined();
  });

  test("is looked at anew when its name does not change", async () => {
    expect((await ask("/theme.js")).headers["cache-control"]).toBe("no-cache");
  });

  test("is one that was built: no other file, and nothing outside the folder", async () => {
    for (const path of [
      "/notes.txt",
      "/../package.json",
      "/assets/../notes.txt",
      "/..%2fpackage.json",
      "//theme.js",
    ])
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
  });
});

test("a page of another host's name gets nothing while there are no tokens", async () => {
  const { status, body } = await ask("/", { ...HTML, host: "evil.example" });
  expect(status).toBe(403);
  expect(body).not.toContain("<title>");
});

test("a folder that holds no board is refused by name", () => {
  using empty = temporaryFolder();
  expect(() => createBoard({ folder: empty.path })).toThrow(/no board in .*npm run build/);
});
