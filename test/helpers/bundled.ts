/** Our own TypeScript as a file that plain Node runs, for tests that need a process of their own. */
import { symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const ROOT = new URL("../../", import.meta.url);

/**
 * @param path - from the root of the project
 * @param external - packages that stay imports: those that hold more than code
 * @returns the path of the file, which lies in `folder`
 */
export async function bundled(
  path: string,
  folder: string,
  external: readonly string[] = ["lmdb"],
): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(new URL(path, ROOT)),
    platform: "node",
    logLevel: "silent",
    external: [...external],
    transform: { target: "node20" },
  });
  const file = join(folder, basename(path).replace(/\.ts$/, ".mjs"));
  await bundle.write({ file, format: "esm", codeSplitting: false });
  await bundle.close();
  symlinkSync(fileURLToPath(new URL("node_modules", ROOT)), join(folder, "node_modules"), "dir");
  return file;
}
