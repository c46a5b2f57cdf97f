/** A TypeScript project of its own in a temporary folder, with Snapwire installed as it is published, and any tRPC. */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

/** Where the tRPC of each age is installed. */
export const TRPC = {
  oldest: join(ROOT, "test/hosts/oldest/node_modules/@trpc"),
  middle: join(ROOT, "test/hosts/middle/node_modules/@trpc"),
  newest: join(ROOT, "node_modules/@trpc"),
} as const;

/** What `npm install snapwire` brings along. */
const DEPENDENCIES = ["zod", "superjson", "ws", "pino", "p-limit", "jose", "@octokit/webhooks-methods"];
/** What a host in TypeScript has besides. */
const NODE_TYPES: readonly string[] = ["@types/node", "@types/ws"];

export interface Ran {
  readonly code: number;
  readonly output: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : 1) : 0;
      resolve({ code, output: stdout + stderr });
    });
  });
}

export const tsc = (cwd: string, ...args: string[]): Promise<Ran> =>
  run(process.execPath, [TSC, ...args], cwd);

export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "snapwire-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** The package as it is published, without the command: compiled code and declarations, and what `exports` says. */
export async function buildPackage(folder: string): Promise<void> {
  const built = await tsc(ROOT, "-p", "tsconfig.build.json", "--outDir", join(folder, "dist"));
  if (built.code !== 0) throw new Error(built.output);
  await cp(join(ROOT, "package.json"), join(folder, "package.json"));
}

/** Packs what was built there as `npm publish` would. @returns the path of the tarball */
export async function packPackage(folder: string): Promise<string> {
  await mustRun(process.execPath, [
    join(ROOT, "scripts/bundle-cli.mjs"),
    join(folder, "dist/cli/snapwire.mjs"),
  ]);
  const published = ["README.md", "CHANGELOG.md", "LICENSE", "docs"];
  for (const name of published) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  // The build is done, and in another folder than the scripts of the package would look for it.
  await mustRun("npm", ["pack", "--ignore-scripts"], folder);
  const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack made no tarball");
  return join(folder, tarball);
}

export async function mustRun(command: string, args: readonly string[], cwd = ROOT): Promise<string> {
  const { code, output } = await run(command, args, cwd);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${output}`);
  return output;
}

/**
 * Installs: a built package, and links to what this repository has installed. `trpc` is what the host resolves; `own`
 * is another copy that only Snapwire resolves.
 */
export async function createProject(
  folder: string,
  options: {
    readonly packageFolder: string;
    readonly trpc: string;
    readonly ownTrpc?: string;
    readonly skipLibCheck?: boolean;
    /** @defaultValue those of Node; none = a page in a browser */
    readonly types?: readonly string[];
  },
): Promise<void> {
  const { types = NODE_TYPES, skipLibCheck = true } = options;
  const modules = join(folder, "node_modules");
  const link = async (target: string, path: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true });
    await symlink(target, path, "dir");
  };
  for (const name of [...DEPENDENCIES, ...types])
    await link(join(ROOT, "node_modules", name), join(modules, name));
  for (const part of ["server", "client"]) await link(join(options.trpc, part), join(modules, "@trpc", part));
  // A copy, not a link: the compiler follows links, and would then find this repository's tRPC beside the package.
  await cp(options.packageFolder, join(modules, "snapwire"), { recursive: true });
  if (options.ownTrpc !== undefined) {
    for (const part of ["server", "client"])
      await link(join(options.ownTrpc, part), join(modules, "snapwire/node_modules/@trpc", part));
  }
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ name: "host", type: "module", private: true }),
  );
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        module: "NodeNext",
        target: "ES2022",
        lib: ["ES2023", "DOM", "DOM.Iterable", "ESNext.Disposable"],
        types: types.includes("@types/node") ? ["node"] : [],
        noEmit: true,
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        verbatimModuleSyntax: true,
        skipLibCheck,
      },
      include: ["*.ts"],
    }),
  );
}
