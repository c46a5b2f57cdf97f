/** A disk of a few megabytes that a test can fill: a file system in memory, where this process may mount one. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk extends Disposable {
  readonly path: string;
}

function mount(path: string, bytes: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", path], { stdio: "ignore" });
}

export function canMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const path = mkdtempSync(join(tmpdir(), "snapwire-mount-"));
  try {
    mount(path, 65_536);
    execFileSync("umount", [path], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

export function smallDisk(bytes: number): SmallDisk {
  const room = mkdtempSync(join(tmpdir(), "snapwire-disk-"));
  const path = join(room, "disk");
  mkdirSync(path);
  mount(path, bytes);
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync("umount", [path], { stdio: "ignore" });
      rmSync(room, { recursive: true, force: true });
    },
  };
}
