import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { readAssignments } from "../src/cli/assignments.ts";
import { SnapwireError } from "../src/protocol/errors.ts";
import { authenticateTokens, createToken } from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import { parseWorkspacePatch } from "../src/workspace/patch.ts";
import { run, start } from "./helpers/cli-run.ts";
import { serve } from "./helpers/served.ts";

const served = await serve();
afterAll(() => served[Symbol.asyncDispose]());
afterEach(async () => {
  await served.live.workspaces.remove("w");
});

const left: Server[] = [];
afterEach(() => {
  for (const server of left.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server that gives the same answer to everything, or another one to questions. */
async function answering(status: number, body: string, type: string, toQuestions = body): Promise<string> {
  const server = createServer(({ method }, response) => {
    response.writeHead(status, { "content-type": type }).end(method === "GET" ? toQuestions : body);
  });
  left.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const publish = (...more: string[]) => run(["publish", "w", "--project", "p", "--url", served.url, ...more]);
const entry = () => served.live.workspaces.getByWorkspaceId("w");

describe("what is set", () => {
  test("arrives, and what was done is said", async () => {
    const { code, out, err } = await publish(
      "--set",
      "prState=OPEN",
      "--set",
      "prNumber=42",
      "--set",
      "name=Fix it",
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(entry()).toMatchObject({
      projectId: "p",
      prState: "OPEN",
      prNumber: 42,
      name: "Fix it",
      source: "event:cli",
    });
    expect(out).toMatch(/^w: accepted, changed \(version \d+, position [\w-]{12}\.\d+\)\n$/);
    expect((await publish("--set", "prNumber=42")).out).toMatch(/^w: accepted, nothing new \(version/);
  });

  test("is answered as JSON where that is asked for", async () => {
    const { out } = await publish("--set", "name=x", "--json");
    expect(JSON.parse(out)).toEqual({
      accepted: true,
      changed: true,
      version: entry()?.version,
      position: expect.stringMatching(/^[\w-]{12}\.\d+$/),
    });
  });

  test("is said to be refused when the server knows newer news, with 1", async () => {
    const json = { accepted: false, changed: false, version: 7, position: null };
    const forbidden = { code: "FORBIDDEN", httpStatus: 403 };
    const url = await answering(
      200,
      JSON.stringify({ result: { data: { json } } }),
      "application/json",
      JSON.stringify({ error: { json: { message: "no reading", code: -32003, data: forbidden } } }),
    );
    const { code, out } = await publish("--set", "name=older", "--url", url);
    expect(out).toBe("w: not accepted: newer news is known. Try again in a few seconds (version 7)\n");
    expect(code).toBe(1);
  });
});

describe("the project", () => {
  const publishTo = (project: string, ...more: string[]) =>
    run(["publish", "w", served.url, "--project", project, ...more]);
  const known = async (): Promise<void> => {
    await served.live.workspaces.upsert("x", { projectId: "shop", status: "READY" });
    await served.live.workspaces.upsert("w", { projectId: "site", status: "READY" });
  };
  afterEach(() => served.live.workspaces.remove("x"));

  test("of a workspace is another one: it stays where it is, and both ways to go on are said, with 2", async () => {
    await known();
    const { head } = served.live.workspaces.collection;
    for (const { code, out, err } of [
      await publishTo("shop", "--set", "name=y"),
      await run(["publish", "w", served.url, "--set", "name=y"], { env: { SNAPWIRE_PROJECT: "shop" } }),
    ]) {
      expect(err).toBe(
        "snapwire: w: This workspace is in the project site, not in shop; nothing was set. Say that one with --project, or write --move to move it to shop.\n",
      );
      expect({ code, out }).toEqual({ code: 2, out: "" });
    }
    const { err } = await publishTo("sitte", "--set", "name=y");
    expect(err).toContain("No workspace was to be seen in the project sitte before. Did you mean site?");
    expect(served.live.workspaces.collection.head).toBe(head);
  });

  test("of an archived workspace is another one: it stays there too, and is moved by --move only", async () => {
    await known();
    await served.live.workspaces.upsert("w", { status: "ARCHIVED" });
    const { head } = served.live.workspaces.collection;
    const { code, out, err } = await publishTo("sitte", "--set", "prNumber=7");
    expect(err).toContain(
      "w: This workspace is in the project site, not in sitte; nothing was set. Say that",
    );
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(served.live.workspaces.collection.head).toBe(head);
    const move = await publishTo("shop", "--set", "prNumber=7", "--move");
    expect(move).toMatchObject({ code: 0, err: "" });
    expect(move.out).toMatch(/^w: accepted, changed \(version/); // from where was not to be seen
    expect(served.live.workspaces.projectOf("w")).toBe("shop");
  });

  test("of an archived workspace need not be said: it comes back where it was", async () => {
    await known();
    await served.live.workspaces.upsert("w", { status: "ARCHIVED" });
    const { code, err } = await run(["publish", "w", served.url, "--set", "status=READY"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(entry()).toMatchObject({ projectId: "site", status: "READY" });
  });

  test("of a workspace that somebody moves after we looked is another one: the server says so, and sets nothing", async () => {
    await known();
    const { upsert } = served.live.workspaces;
    const spy = vi
      .spyOn(served.live.workspaces, "upsert")
      .mockImplementationOnce(async (id, patch, options) => {
        await upsert.call(served.live.workspaces, "w", { projectId: "shop" });
        return await upsert.call(served.live.workspaces, id, patch, options);
      });
    const { code, err } = await publishTo("site", "--set", "name=y");
    spy.mockRestore();
    expect(err).toContain("w: This workspace is in the project shop, not in site; nothing was set.");
    expect([code, entry()?.name]).toEqual([2, ""]);
  });

  test("is the asked one because somebody else moved it there: that is not said to be our move", async () => {
    await known();
    const { upsert } = served.live.workspaces;
    const spy = vi
      .spyOn(served.live.workspaces, "upsert")
      .mockImplementationOnce(async (id, patch, options) => {
        await upsert.call(served.live.workspaces, "w", { projectId: "shop" });
        return await upsert.call(served.live.workspaces, id, patch, options);
      });
    const { code, out } = await publishTo("shop", "--set", "name=y");
    spy.mockRestore();
    expect(out).toMatch(/^w: accepted, changed \(version/);
    expect([code, entry()?.name]).toEqual([0, "y"]);
  });

  test("of a workspace that there is need not be said", async () => {
    await known();
    const { code, out, err } = await run(["publish", "w", served.url, "--set", "name=y"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^w: accepted, changed \(version/);
    expect(entry()).toMatchObject({ projectId: "site", name: "y" });
  });

  test("is changed by --move, which says from where to where", async () => {
    await known();
    const { code, out, err } = await publishTo("shop", "--set", "name=y", "--move");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^w: accepted, changed, moved from site to shop \(version/);
    expect(entry()).toMatchObject({ projectId: "shop", name: "y" });
    expect((await publishTo("shop", "--set", "name=z", "--move")).out).toMatch(/^w: accepted, changed \(/);
  });

  test("is new: it comes into being, and stderr says so with the one that was perhaps meant", async () => {
    await served.live.workspaces.upsert("x", { projectId: "shop", status: "READY" });
    const { code, out, err } = await publishTo("shpo", "--set", "name=y", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ accepted: true });
    expect(err).toBe(
      "snapwire: No workspace was to be seen in the project shpo before. Did you mean shop? There is: shop.\n",
    );
    expect((await publishTo("shpo", "--set", "name=z")).err).toBe("");
  });

  test("is not asked about by who may write and not read: what was set is said all the same", async () => {
    const json = { accepted: true, changed: true, version: 7, position: null };
    const forbidden = { code: "FORBIDDEN", httpStatus: 403 };
    const url = await answering(
      200,
      JSON.stringify({ result: { data: { json } } }),
      "application/json",
      JSON.stringify({ error: { json: { message: "no reading", code: -32003, data: forbidden } } }),
    );
    const { code, out, err } = await publish("--set", "name=x", "--url", url);
    expect({ code, out, err }).toEqual({ code: 0, out: "w: accepted, changed (version 7)\n", err: "" });
  });
});

describe("the server's url", () => {
  test("may stand behind the workspace, as with every other command that asks a server", async () => {
    const { code } = await run(["publish", "w", served.url, "--project", "p", "--set", "name=x"]);
    expect([code, entry()?.name]).toEqual([0, "x"]);
    const near = served.url.replace("http://", ""); // as people write it
    expect((await run(["publish", "w", near, "--set", "name=y"])).code).toBe(0);
    expect(entry()?.name).toBe("y");
  });

  test.each([
    [
      ["http://a", "w"],
      "http://a is a url, and the workspace comes before it: snapwire publish <workspaceId>",
    ],
    [["http://a"], "http://a is a url, and the workspace comes before it"],
    [["w", "http://a", "--url", "http://b"], "The url is given twice"],
    [["w", "http://a", "x"], "takes 2 at most"],
  ])("%j is refused", async (words, message) => {
    const { code, err } = await run(["publish", ...words, "--project", "p", "--set", "name=x"]);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});

describe("a value is what the schema makes of it", () => {
  test.each([
    ["prNumber=42", { prNumber: 42 }],
    ["prNumber=null", { prNumber: null }],
    ["hasMergeConflict=true", { hasMergeConflict: true }],
    ["prState=OPEN", { prState: "OPEN" }],
    ['prState="OPEN"', { prState: "OPEN" }],
    ["name=42", { name: "42" }],
    ["branchName=1.0", { branchName: "1.0" }],
    ["branchName=true", { branchName: "true" }],
    ["branchName=null", { branchName: null }],
    ['branchName="null"', { branchName: "null" }],
    ["name=", { name: "" }],
    ["name=a=b", { name: "a=b" }],
    [
      'gitStats={"total":1,"additions":2,"deletions":3,"hasUncommitted":false}',
      { gitStats: { total: 1, additions: 2, deletions: 3, hasUncommitted: false } },
    ],
  ])("%s", (word, patch) => {
    expect(readAssignments([word])).toEqual(patch);
  });
});

describe("what cannot be set is refused before anything is sent: exit 2", () => {
  test.each([
    [["--set", "prStat=OPEN"], 'Unrecognized key: "prStat". Did you mean prState?'],
    [["--set", "frobnicate=1"], "Fields: projectId, name, status"],
    [["--set", "__proto__=1"], '"__proto__"'],
    [["--set", "kanbanColumn=DONE"], "kanbanColumn cannot be set: the server derives it from the fields"],
    [["--set", "statusReason={}"], "statusReason cannot be set"],
    [["--set", "version=9"], "version cannot be set"],
    [["--set", "workspaceId=x"], "workspaceId cannot be set"],
    [["--set", "prState=open"], 'received "open"'],
    [
      ["--set", "prNumber=many"],
      'prNumber: Invalid input: expected number, received string, received "many"',
    ],
    [["--set", "name=null"], "name: Invalid input: expected string, received null"],
    [["--set", "name"], '--set "name" must be key=value'],
    [["--set", "=x"], "must be key=value"],
    [["--set", "name=a", "--set", "name=b"], "name is set twice"],
    [["--set", "projectId=q"], "projectId is set by --project"],
    [[], "Nothing is set."],
  ])("%j", async (more, message) => {
    const { head } = served.live.workspaces.collection;
    const { code, out, err } = await publish(...more);
    expect(err).toContain(message);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(served.live.workspaces.collection.head).toBe(head);
  });

  test.each(["kanbanColumn=DONE", "prState=open", "prStat=OPEN", "prNumber=-1"])(
    "%s in the words that the server would use",
    async (word) => {
      const [key = "", text = ""] = word.split("=");
      const value: unknown = key === "prNumber" ? Number(text) : text;
      const theirs = await served.live.workspaces.upsert("w", { projectId: "p", [key]: value } as never).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(theirs).toBeInstanceOf(SnapwireError);
      expect(() => parseWorkspacePatch({ [key]: value })).toThrow((theirs as Error).message);
      const { err } = await publish("--set", word);
      expect(err).toContain((theirs as Error).message);
    },
  );

  test("a workspace must be named, and the project of a new one", async () => {
    const none = await run(["publish", "--project", "p", "--set", "name=x"]);
    expect(none).toMatchObject({ code: 2, out: "" });
    expect(none.err).toContain("Which workspace? Write: snapwire publish <workspaceId>");
    const { head } = served.live.workspaces.collection;
    const nowhere = await run(["publish", "w", served.url, "--set", "name=x"]);
    expect(nowhere).toMatchObject({ code: 2, out: "" });
    expect(nowhere.err).toContain(
      "No workspace w is known; nothing was set. For a new one say its project: --project",
    );
    expect(served.live.workspaces.collection.head).toBe(head);
    const inEnvironment = await run(["publish", "w", "--set", "name=x", "--url", served.url], {
      env: { SNAPWIRE_PROJECT: "p" },
    });
    expect(inEnvironment.code).toBe(0);
  });
});

describe("a server that", () => {
  test("is not there: 3, and what to do", async () => {
    const gone = await serve();
    await gone[Symbol.asyncDispose]();
    const { code, out, err } = await publish("--set", "name=x", "--url", gone.url);
    expect(err).toContain(`Cannot connect to ${gone.url}/trpc: connect ECONNREFUSED`);
    expect(err).toContain("Start a server there (npx snapwire)");
    expect({ code, out }).toEqual({ code: 3, out: "" });
  });

  test.each([
    [200, "<html>hello</html>", 3, "but not as a Snapwire server does"],
    [404, "Not found.", 3, "answers (404), but not as a Snapwire server does"],
    [200, '{"hello":1}', 3, "but not as a Snapwire server does"],
    [403, "Forbidden", 4, "refuses this machine or this name of it (403)"],
  ])("is another one, and answers %d %s: %d", async (status, body, code, message) => {
    const type = body.startsWith("{") ? "application/json" : "text/plain";
    const url = await answering(status, body, type);
    const ran = await publish("--set", "name=x", "--url", url);
    expect(ran.err).toContain(message);
    expect(ran).toMatchObject({ code, out: "" });
  });

  test.each([
    ["GET", "Ended before anything was set."],
    ["POST", "whether it was set is not known"],
  ])("does not answer %s is left by Ctrl-C: 130, and what is known is said", async (silent, message) => {
    let asked = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const nothing = JSON.stringify({ result: { data: { json: null } } });
    const none = JSON.stringify({ result: { data: { json: { projects: [] } } } });
    const mute = createServer(({ method, url = "" }, response) => {
      if (method === silent) return asked();
      response.writeHead(200, { "content-type": "application/json" });
      response.end(url.includes("byWorkspace") ? nothing : none);
    });
    await new Promise<void>((done) => mute.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const running = start(["publish", "w", "--project", "p", "--set", "name=x", "--url", url]);
    await arrived;
    running.signal("SIGINT");
    expect(await running.done).toBe(130);
    expect(running.stderr.text).toContain(message);
    mute.closeAllConnections();
    mute.close();
  });

  test("does not let this token set: 4, by no token, a wrong one, a viewer's and another project's", async () => {
    const viewer = createToken({ role: "viewer" });
    const other = createToken({ role: "publisher", projects: ["q"] });
    const right = createToken({ role: "publisher", projects: ["p"] });
    const records = [viewer, other, right].map(({ record }) => record);
    const guarded = await serve({ server: { authenticate: authenticateTokens(storeOf(() => records)) } });
    const attempt = (...more: string[]) => publish("--set", "name=x", "--url", guarded.url, ...more);
    const none = await attempt();
    expect(none.err).toContain("A token is needed");
    const wrong = await attempt("--token", "swt_wrong");
    expect(wrong.err).toContain("The token is not valid. Show a token:");
    const sees = await attempt("--token", viewer.token);
    expect(sees.err).toContain("This identity may not write project p.");
    const elsewhere = await attempt("--token", other.token);
    for (const { code, out } of [none, wrong, sees, elsewhere])
      expect({ code, out }).toEqual({ code: 4, out: "" });
    expect((await attempt("--token", right.token)).code).toBe(0);
    await vi.waitFor(() => expect(guarded.live.workspaces.getByWorkspaceId("w")?.name).toBe("x"));
    await guarded[Symbol.asyncDispose]();
  });
});
