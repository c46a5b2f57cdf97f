/** A settings file of another program: read whole, replaced in one step, with a copy of what was there before. */
import {
  chmodSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";

const BACKUP = ".before-snapwire";
const LONGEST = 16 * 1024 * 1024;

/** Undefined: there is none. @throws Error when it cannot be read, or is too large to be one. */
export function readSettings(path: string): string | undefined {
  try {
    const { size } = statSync(path);
    if (size > LONGEST) throw new Error(`it has ${size} bytes`);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export const backupOf = (path: string): string => `${path}${BACKUP}`;

/** In one step: whoever reads sees the old or the new, whole. A link stays one. Its folder must be there. */
export function writeSettings(path: string, text: string): void {
  const place = existsSync(path) ? realpathSync(path) : path;
  const mode = existsSync(place) ? statSync(place).mode & 0o777 : 0o600;
  const draft = `${place}.snapwire-${process.pid}`;
  try {
    writeFileSync(draft, text, { mode, flag: "wx" });
    chmodSync(draft, mode); // the umask takes bits away
    renameSync(draft, place);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

export function removeSettings(path: string): void {
  rmSync(path, { force: true });
}
