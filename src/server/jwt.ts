/** JSON Web Tokens: who a token stands for by its claims, checked against the keys of its issuer. */
import type { IncomingMessage } from "node:http";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { SnapwireError } from "../protocol/errors.ts";
import { type Identity, ROLES, type Role } from "../router/identity.ts";
import { type Authenticate, type ConnectionParams, presentedToken } from "./auth.ts";

export interface JwtOptions {
  /** Must stand in `iss`. */
  readonly issuer: string;
  /** Must stand in `aud`. */
  readonly audience: string;
  /** Where the issuer's keys are, or the keys themselves. @defaultValue `<issuer>/.well-known/jwks.json` */
  readonly keys?: URL | JSONWebKeySet;
  /** How long fetched keys are used, in milliseconds; an unknown key id asks again, at most every 30 s. @defaultValue 600_000 */
  readonly keysForMs?: number;
  /** @defaultValue the asymmetric ones: RS, PS, ES, EdDSA */
  readonly algorithms?: readonly string[];
  /** What the clocks may differ by, in seconds. @defaultValue 5 */
  readonly toleranceS?: number;
  /** Where role, projects and device stand. @defaultValue `role`, `projects`, `device_id` */
  readonly claims?: { readonly role?: string; readonly projects?: string; readonly deviceId?: string };
  /** The role of a token that names none. @defaultValue none: it is refused */
  readonly defaultRole?: Role;
  /** Milliseconds since 1970. @defaultValue Date.now */
  readonly now?: () => number;
}

const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
const KEYS_FOR_MS = 600_000;
const KEYS_COOLDOWN_MS = 30_000;
const KEYS_TIMEOUT_MS = 5_000;
const MAX_PROJECTS = 1_000;

/**
 * Answers `null` for a token that is not valid, expired ones too: live subscriptions end at the next look at their
 * rights. Throws when the keys cannot be had, so that clients try again.
 * @throws SnapwireError `invalid-input` for an issuer that is no URL while no keys are given.
 */
export function authenticateJwt(options: JwtOptions): Authenticate {
  const keys = keysOf(options);
  const { algorithms = ALGORITHMS, toleranceS = 5, now = Date.now } = options;
  return async (request: IncomingMessage, params: ConnectionParams) => {
    const token = presentedToken(request, params);
    if (token === undefined || !looksLikeJwt(token)) return null;
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: options.issuer,
        audience: options.audience,
        algorithms: [...algorithms],
        clockTolerance: toleranceS,
        currentDate: new Date(now()),
        requiredClaims: ["sub", "exp"],
      });
      // Who was issued tomorrow could not be revoked today.
      if (payload.iat !== undefined && payload.iat > now() / 1_000 + toleranceS) return null;
      return identityOf(payload, options);
    } catch (error) {
      if (isAboutTheToken(error)) return null;
      throw error;
    }
  };
}

/** Asks one after the other; the first that knows who it is answers. */
export function joinAuthenticators(...all: readonly Authenticate[]): Authenticate {
  return async (request, params) => {
    for (const authenticate of all) {
      const identity = await authenticate(request, params);
      if (identity) return identity;
    }
    return null;
  };
}

function keysOf({ keys, issuer, keysForMs = KEYS_FOR_MS }: JwtOptions): JWTVerifyGetKey {
  if (keys !== undefined && !(keys instanceof URL)) return createLocalJWKSet(keys);
  return createRemoteJWKSet(keys ?? wellKnown(issuer), {
    cacheMaxAge: keysForMs,
    cooldownDuration: KEYS_COOLDOWN_MS,
    timeoutDuration: KEYS_TIMEOUT_MS,
  });
}

function wellKnown(issuer: string): URL {
  try {
    return new URL(`${issuer.replace(/\/$/, "")}/.well-known/jwks.json`);
  } catch {
    throw new SnapwireError(
      "invalid-input",
      `The issuer "${issuer}" is no URL, so its keys cannot be found: give \`keys\`.`,
    );
  }
}

function looksLikeJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
}

/** What cannot be told now (the issuer does not answer) is no verdict on the token. */
function isAboutTheToken(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) return false;
  return error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC";
}

function identityOf(payload: JWTPayload, { claims = {}, defaultRole }: JwtOptions): Identity | null {
  const { sub, iat, exp } = payload;
  const role = payload[claims.role ?? "role"] ?? defaultRole;
  const projects = projectsOf(payload[claims.projects ?? "projects"]);
  const deviceId = payload[claims.deviceId ?? "device_id"];
  if (typeof sub !== "string" || sub === "" || !isRole(role) || projects === undefined) return null;
  const identity: Identity = {
    subject: sub,
    role,
    projects,
    ...(iat === undefined ? {} : { issuedAt: iat * 1_000 }),
    ...(exp === undefined ? {} : { expiresAt: exp * 1_000 }),
  };
  if (role !== "agent") return identity;
  if (typeof deviceId !== "string" || deviceId.trim() === "") return null;
  return { ...identity, deviceId: deviceId.trim().toLowerCase() };
}

/** A list, a text of names with blanks between, or `*`; absent is none, never all. */
function projectsOf(claim: unknown): readonly string[] | "*" | undefined {
  if (claim === undefined) return [];
  if (claim === "*") return "*";
  const list = typeof claim === "string" ? claim.split(/\s+/).filter(Boolean) : claim;
  if (!Array.isArray(list) || list.length > MAX_PROJECTS) return undefined;
  return list.every((one): one is string => typeof one === "string" && one !== "" && one !== "*")
    ? list
    : undefined;
}

function isRole(role: unknown): role is Role {
  return ROLES.some((one) => one === role);
}
