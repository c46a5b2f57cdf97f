/**
 * The file that keeps tokens: `{ "version": 1, "tokens": [record, ...] }`, readable by its owner only. It is replaced as
 * a whole and by a rename, so a reader sees the old or the new one and never half of one.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { type Logger, silentLogger } from "../log.ts";
import { makeFolder } from "../make-folder.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { readTokenRecord, storeOf, type TokenRecord, type TokenStore } from "./tokens.ts";

export interface TokenFileOptions {
  readonly path: string;
  readonly logger?: Logger;
  /** Monotonic, in milliseconds. */
  readonly now?: () => number;
}

/** How often a use looks whether the file is another one, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

/**
 * Opens a token file. It is read again when it changes, at the next use and at most once a second; one that cannot be
 * read then is logged, and the last good one stays in force.
 * @throws {@link SnapwireError} `invalid-input` when it is missing or malformed now.
 */
export function openTokenFile({
  path,
  logger = silentLogger,
  now = () => performance.now(),
}: TokenFileOptions): TokenStore {
  let stamp = stampOf(path);
  let records = readTokenFile(path);
  let lookedAt = now();
  warnIfShared(path, logger);

  const refresh = (): void => {
    if (now() - lookedAt < LOOK_EVERY_MS) return;
    lookedAt = now();
    const newStamp = stampOf(path);
    if (newStamp === stamp) return;
    stamp = newStamp;
    try {
      records = readTokenFile(path);
      logger.info({ path, tokens: records.length }, "token file read again");
    } catch (error) {
      logger.error({ path, err: error }, "token file cannot be read; the last good one stays in force");
    }
  };
  return storeOf(() => {
    refresh();
    return records;
  });
}

/**
 * Adds a record; makes the file, and its folder, when there is none.
 * @throws {@link SnapwireError} `conflict` while another process writes the file, `invalid-input` when it is malformed.
 */
export function addToken(path: string, record: TokenRecord): void {
  makeFolder(dirname(path), { mode: 0o700 });
  const lock = `${path}.lock`;
  const lockHandle = openLock(lock, path);
  try {
    const tokens = stampOf(path) === "none" ? [] : readTokenFile(path);
    replaceFile(path, `${JSON.stringify({ version: 1, tokens: [...tokens, record] }, null, 2)}\n`);
  } finally {
    closeSync(lockHandle);
    rmSync(lock, { force: true });
  }
}

/** @throws {@link SnapwireError} `invalid-input`, saying which entry is wrong; never repeats what stands there. */
export function readTokenFile(path: string): readonly TokenRecord[] {
  const wrong = (what: string, cause?: unknown): SnapwireError =>
    new SnapwireError("invalid-input", `The token file ${path} ${what}.`, { cause });
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw wrong("cannot be read; make a token with `snapwire token create`", error);
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong("is not JSON");
  }
  const { version, tokens }: { version?: unknown; tokens?: unknown } = Object(parsed);
  if (version !== 1 || !Array.isArray(tokens)) throw wrong('must be { "version": 1, "tokens": [...] }');
  return tokens.map((raw: unknown, index) => {
    const record = readTokenRecord(raw);
    if (typeof record === "string") throw wrong(`is wrong at tokens[${index}]: ${record}`);
    return record;
  });
}

function openLock(lock: string, path: string): number {
  try {
    return openSync(lock, "wx", 0o600);
  } catch (error) {
    throw new SnapwireError(
      "conflict",
      `Another process writes ${path} now. Try again; if none does, remove ${lock}.`,
      { cause: error },
    );
  }
}

function replaceFile(path: string, text: string): void {
  const target = stampOf(path) === "none" ? path : realpathSync(path); // a rename would replace a link, not the file
  const fresh = `${target}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = openSync(fresh, "wx", 0o600);
    try {
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** Tells one state of the file from another. */
function stampOf(path: string): string {
  try {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stat ? `${stat.ino}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs}` : "none";
  } catch {
    return "unreadable";
  }
}

function warnIfShared(path: string, logger: Logger): void {
  if (process.platform === "win32") return;
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o077) !== 0) logger.warn({ path }, "others can read the token file; run chmod 600 on it");
}
