/** JSON Web Tokens, and rights that end before a token does. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from "jose";
import { describe, expect, test, vi } from "vitest";
import type { Identity } from "../src/router/identity.ts";
import { authenticateJwt, authenticateTokens, createToken, joinAuthenticators } from "../src/server/index.ts";
import { storeOf } from "../src/server/tokens.ts";
import { serve, stockClient, watch } from "./helpers/served.ts";

const ISSUER = "https://login.example.com";
const AUDIENCE = "snapwire";

async function issuer(kid = "k1") {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwks: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: "ES256" }] };
  const sign = (
    claims: Record<string, unknown>,
    { expires = "1h", issuedAt = undefined as number | undefined } = {},
  ) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", kid })
      .setIssuer(String(claims.iss ?? ISSUER))
      .setAudience(String(claims.aud ?? AUDIENCE))
      .setSubject(String(claims.sub ?? "ada"))
      .setIssuedAt(issuedAt)
      .setExpirationTime(expires)
      .sign(privateKey);
  return { jwks, sign };
}

const asking = (token?: string) =>
  ({ headers: token === undefined ? {} : { authorization: `Bearer ${token}` } }) as IncomingMessage;

describe("a JSON Web Token", () => {
  test("stands for the role and the projects of its claims, and a token without projects sees none", async () => {
    const { jwks, sign } = await issuer();
    const authenticate = authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: jwks });
    const who = async (claims: Record<string, unknown>) => authenticate(asking(await sign(claims)), null);
    expect(await who({ role: "viewer", projects: ["p", "q"] })).toMatchObject({
      subject: "ada",
      role: "viewer",
      projects: ["p", "q"],
    });
    expect(await who({ role: "publisher", projects: "p q" })).toMatchObject({ projects: ["p", "q"] });
    expect(await who({ role: "admin", projects: "*" })).toMatchObject({ role: "admin", projects: "*" });
    expect(await who({ role: "viewer" })).toMatchObject({ projects: [] });
    expect(await who({ role: "agent", projects: "*", device_id: " Desk-1 " })).toMatchObject({
      deviceId: "desk-1",
    });
  });

  test.each([
    ["no role", {}],
    ["an unknown role", { role: "root" }],
    ["an agent without a device", { role: "agent" }],
    ["another audience", { role: "viewer", aud: "else" }],
    ["another issuer", { role: "viewer", iss: "https://evil.example.com" }],
    ["projects of another shape", { role: "viewer", projects: [1] }],
    ["a star among projects", { role: "viewer", projects: ["p", "*"] }],
  ])("with %s is nobody's", async (_what, claims) => {
    const { jwks, sign } = await issuer();
    const authenticate = authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: jwks });
    expect(await authenticate(asking(await sign(claims)), null)).toBeNull();
  });

  test("that is expired, forged, unsigned or none at all is nobody's", async () => {
    const { jwks, sign } = await issuer();
    const other = await issuer();
    const authenticate = authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: jwks });
    const good = await sign({ role: "admin", projects: "*" });
    const [head, body] = good.split(".");
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${body}.`;
    for (const token of [
      await sign({ role: "admin" }, { expires: "-1h" }),
      await other.sign({ role: "admin" }),
      unsigned,
      `${head}.${body}.`,
      "swt_not-a-jwt",
      undefined,
    ])
      expect(await authenticate(asking(token), null)).toBeNull();
    expect(await authenticate(asking(), { token: good })).toMatchObject({ role: "admin" });
  });

  test("whose subject is no text, or that says it was issued later than now, is nobody's", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const keys: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" }] };
    const authenticate = authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys });
    const seconds = Math.floor(Date.now() / 1_000);
    const who = async (claims: Record<string, unknown>) => {
      const all = {
        iss: ISSUER,
        aud: [AUDIENCE, "else"],
        sub: "ada",
        role: "viewer",
        exp: seconds + 600,
        ...claims,
      };
      const token = await new SignJWT(all).setProtectedHeader({ alg: "ES256", kid: "k" }).sign(privateKey);
      return authenticate(asking(token), null);
    };
    expect(await who({})).toMatchObject({ subject: "ada" });
    expect(await who({ iat: seconds })).toMatchObject({ subject: "ada" });
    for (const claims of [
      { sub: 7 },
      { sub: ["ada"] },
      { sub: { toString: "ada" } },
      { sub: "" },
      { iat: seconds + 60 },
    ])
      expect(await who(claims)).toBeNull();
  });

  test("is checked with keys that are fetched once; an issuer that does not answer is no verdict", async () => {
    const { jwks, sign } = await issuer();
    let asked = 0;
    const keys = createServer((_request, response) => {
      asked += 1;
      response.setHeader("content-type", "application/json").end(JSON.stringify(jwks));
    }).listen(0, "127.0.0.1");
    await once(keys, "listening");
    const address = keys.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const url = new URL(`http://127.0.0.1:${port}/keys`);
    const authenticate = authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: url });
    const token = await sign({ role: "viewer", projects: ["p"] });
    for (let call = 0; call < 5; call += 1)
      expect(await authenticate(asking(token), null)).toMatchObject({ subject: "ada" });
    expect(asked).toBe(1);
    keys.closeAllConnections();
    await new Promise((resolve) => keys.close(resolve));

    const cold = authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: url });
    await expect(cold(asking(token), null)).rejects.toThrow();
  });

  test("works beside static tokens, on a live socket, and ends there when it expires", async () => {
    const { jwks, sign } = await issuer();
    const fixed = createToken({ role: "admin" });
    let now = Date.now();
    await using served = await serve({
      recheckEveryMs: 20,
      server: {
        authenticate: joinAuthenticators(
          authenticateTokens(storeOf(() => [fixed.record])),
          authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: jwks, now: () => now }),
        ),
      },
    });
    await using admin = stockClient(served.url, fixed.token);
    await using viewer = stockClient(served.url, await sign({ role: "viewer", projects: ["p"] }));
    await admin.trpc.snapshots.upsert.mutate({ workspaceId: "w", projectId: "p", name: "one" });
    const seen = watch(viewer.trpc, "p");
    await vi.waitFor(() => expect(seen.frames[0]?.data.type).toBe("snapshot_full"));
    await expect(viewer.trpc.snapshots.byProject.query({ projectId: "q" })).rejects.toMatchObject({
      data: { code: "FORBIDDEN" },
    });
    now += 2 * 3_600_000;
    await vi.waitFor(() =>
      expect(seen.frames.at(-1)?.data).toMatchObject({ type: "snapshot_ended", reason: "revoked" }),
    );
  });
});

describe("revoke", () => {
  test("ends the subject's live subscriptions at once and refuses what it asks later; others go on", async () => {
    const ada = createToken({ role: "viewer", subject: "ada" });
    const ben = createToken({ role: "viewer", subject: "ben" });
    await using served = await serve({
      server: { authenticate: authenticateTokens(storeOf(() => [ada.record, ben.record])) },
    });
    await using adas = stockClient(served.url, ada.token);
    await using bens = stockClient(served.url, ben.token);
    const [ended, lives] = [watch(adas.trpc, "p"), watch(bens.trpc, "p")];
    await vi.waitFor(() => expect([ended.frames.length, lives.frames.length]).toEqual([1, 1]));
    served.live.revoke({ subject: "ada" });
    await vi.waitFor(() => expect(ended.frames.at(-1)?.data).toMatchObject({ reason: "revoked" }));
    await expect(adas.trpc.snapshots.projects.query()).rejects.toMatchObject({
      data: { code: "UNAUTHORIZED" },
    });
    await using again = stockClient(served.url, ada.token);
    await expect(again.trpc.snapshots.projects.query()).rejects.toMatchObject({
      data: { code: "UNAUTHORIZED" },
    });
    await served.live.workspaces.upsert("w", { projectId: "p" });
    await vi.waitFor(() => expect(lives.frames.at(-1)?.data.type).toBe("snapshot_changed"));
    expect(lives.errors).toEqual([]);
  });

  test("is not needed for a token that was taken out of the file: a socket that only asks and writes is looked at too", async () => {
    let answers = 0;
    let who: Identity | null = { subject: "ada", role: "publisher", projects: ["p", "q"] };
    const authenticate = () => {
      answers += 1;
      return who;
    };
    await using served = await serve({ recheckEveryMs: 20, server: { authenticate } });
    await using client = stockClient(served.url, "token");
    await client.trpc.snapshots.upsert.mutate({ workspaceId: "q/w", projectId: "q" });
    who = { ...who, projects: ["p"] };
    await vi.waitFor(() =>
      expect(client.trpc.snapshots.byProject.query({ projectId: "q" })).rejects.toMatchObject({
        data: { code: "FORBIDDEN" },
      }),
    );
    who = null;
    await vi.waitFor(() =>
      expect(
        client.trpc.snapshots.upsert.mutate({ workspaceId: "p/w", projectId: "p" }),
      ).rejects.toMatchObject({ data: { code: "UNAUTHORIZED" } }),
    );
    await using patient = await serve({ server: { authenticate } });
    who = { subject: "ada", role: "viewer", projects: "*" };
    await using one = stockClient(patient.url, "token");
    await one.trpc.snapshots.projects.query();
    const before = answers;
    for (let call = 0; call < 5; call += 1) await one.trpc.snapshots.projects.query();
    expect(answers).toBe(before); // once a minute, not at each call
  });

  test("holds for tokens that were issued until then, not for newer ones", async () => {
    const { jwks, sign } = await issuer();
    let now = Date.now();
    await using served = await serve({
      now: () => now,
      server: {
        authenticate: authenticateJwt({ issuer: ISSUER, audience: AUDIENCE, keys: jwks, now: () => now }),
      },
    });
    served.live.revoke({ subject: "ada" });
    const seconds = Math.floor(now / 1_000);
    const old = await sign({ role: "viewer", projects: "*" }, { issuedAt: seconds - 60 });
    // The issuer's clock may be ahead of ours by what we tolerate.
    expect(served.live.isRevoked({ subject: "ada", issuedAt: now + 5_000 })).toBe(true);
    expect(served.live.isRevoked({ subject: "ada", issuedAt: now + 5_001 })).toBe(false);
    const fresh = await sign({ role: "viewer", projects: "*" }, { issuedAt: seconds + 7 });
    now += 8_000;
    await using before = stockClient(served.url, old);
    await using after = stockClient(served.url, fresh);
    await expect(before.trpc.snapshots.projects.query()).rejects.toMatchObject({
      data: { code: "UNAUTHORIZED" },
    });
    expect(await after.trpc.snapshots.projects.query()).toEqual({ projects: [] });
    now += 25 * 3_600_000;
    expect(served.live.isRevoked({ subject: "ada" })).toBe(false);
  });
});
