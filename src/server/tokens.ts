/**
 * Static tokens. Only their SHA-256 digests are kept: a token has 256 random bits, so a plain digest cannot be reversed,
 * and the token itself is shown once, when it is made.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { SnapwireError } from "../protocol/errors.ts";
import { type Identity, ROLES, type Role } from "../router/identity.ts";

/** Answers who a token stands for. */
export interface TokenStore {
  find(token: string): Identity | null;
}

/** What a token may do. */
export interface TokenGrant {
  readonly role: Role;
  /** @defaultValue `*`, all */
  readonly projects?: readonly string[] | "*";
  /** Required for `agent`, and only for it. */
  readonly deviceId?: string;
  /** Names the token in logs. @defaultValue made from its digest */
  readonly subject?: string;
}

/** A token as it is kept. Plain JSON. */
export interface TokenRecord {
  readonly subject: string;
  /** SHA-256 of the token, 64 hexadecimal digits. */
  readonly digest: string;
  readonly role: Role;
  readonly projects: readonly string[] | "*";
  readonly deviceId?: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

/**
 * Makes a token. `token` is shown once and cannot be had again; `record` is what is kept.
 * @throws {@link SnapwireError} `invalid-input` for a grant that makes no sense.
 */
export function createToken(
  grant: TokenGrant,
  { now = Date.now, random = randomBytes }: { now?: () => number; random?: (bytes: number) => Buffer } = {},
): { readonly token: string; readonly record: TokenRecord } {
  const token = `swt_${random(32).toString("base64url")}`;
  const digest = digestOf(token).toString("hex");
  const { role, projects = "*", deviceId, subject = `token-${digest.slice(0, 8)}` } = grant;
  const record = readTokenRecord({
    subject,
    digest,
    role,
    projects,
    ...(deviceId !== undefined && { deviceId }),
    createdAt: new Date(now()).toISOString(),
  });
  if (typeof record === "string") throw new SnapwireError("invalid-input", `No token was made: ${record}.`);
  return { token, record };
}

/** One token that is admin of everything, given in plain, as from the environment. */
export function adminToken(token: string, subject = "admin"): TokenStore {
  if (token.trim() === "" || /\s/.test(token))
    throw new SnapwireError(
      "invalid-input",
      "The admin token is empty or holds blanks; use 32 random characters or more.",
    );
  const digest = digestOf(token).toString("hex");
  return storeOf(() => [{ subject, digest, role: "admin", projects: "*", createdAt: "" }]);
}

/** Looks in each; the first that knows the token answers. */
export function joinTokenStores(...stores: readonly TokenStore[]): TokenStore {
  return {
    find(token) {
      let found: Identity | null = null;
      for (const store of stores) found ??= store.find(token);
      return found;
    },
  };
}

/** @param records - asked at every use, so that it may change. */
export function storeOf(records: () => readonly TokenRecord[]): TokenStore {
  return {
    find(token) {
      const asked = digestOf(token);
      let found: TokenRecord | undefined;
      // Every entry is compared, in constant time: how long it takes tells nothing of what is kept.
      for (const record of records())
        if (timingSafeEqual(asked, Buffer.from(record.digest, "hex"))) found = record;
      return found ? identityOf(found) : null;
    },
  };
}

/** Reads a record of a token file; a string says what is wrong with it. */
export function readTokenRecord(raw: unknown): TokenRecord | string {
  if (typeof raw !== "object" || raw === null) return "a token must be an object";
  const { subject, digest, role, projects, deviceId, createdAt }: Partial<Record<string, unknown>> = {
    ...raw,
  };
  if (typeof subject !== "string" || subject === "" || subject.length > 200) return "subject must be a name";
  if (typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest))
    return "digest must be 64 hexadecimal digits";
  if (!isRole(role)) return `role must be one of ${ROLES.join(", ")}`;
  if (projects !== "*" && !isNames(projects)) return 'projects must be "*" or a list of project ids';
  if (typeof createdAt !== "string") return "createdAt must be a time";
  const record: TokenRecord = { subject, digest, role, projects, createdAt };
  if (role === "agent")
    return typeof deviceId === "string" && deviceId.trim() !== ""
      ? { ...record, deviceId: deviceId.trim().toLowerCase() }
      : "an agent needs a deviceId";
  return deviceId === undefined ? record : "only an agent is bound to a deviceId";
}

function identityOf({ subject, role, projects, deviceId }: TokenRecord): Identity {
  return deviceId === undefined ? { subject, role, projects } : { subject, role, projects, deviceId };
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function isRole(role: unknown): role is Role {
  return ROLES.some((one) => one === role);
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string" && one !== "");
}
