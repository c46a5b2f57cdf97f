/** Looks at where a server here keeps its state, and begins a new epoch there when that is asked for. */
import { existsSync, mkdtempSync, rmdirSync, statfsSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadData } from "../journal/embedded/contents.ts";
import { createEmbeddedJournal, filesIn } from "../journal/embedded/embedded.ts";
import { lockHolder } from "../journal/embedded/lock.ts";
import { loadStorage } from "../journal/embedded/store.ts";
import { createGitRunner } from "../sources/git/git-runner.ts";
import { identifyRepository } from "../sources/git/identify.ts";
import { defaultDataFolder } from "./data-folder.ts";
import { type Finding, ok, problem } from "./doctor-check.ts";
import { servedAt } from "./served-at.ts";

const LEAST_FREE = 64 * 1024 * 1024;

export interface DataPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly repositories: readonly string[];
}

/** Where a server here would keep its state: can it, and can what lies there be read. Nothing of it is changed. */
export async function dataCheck(given: string | undefined, place: DataPlace): Promise<Finding> {
  const folder = await folderOf(given, place);
  if (folder === undefined)
    return problem("there is no home folder: the state is kept in memory only", "Name one: --data <folder>.");
  try {
    await loadStorage();
  } catch (error) {
    return problem(
      (error as Error).message,
      "Until then the state is kept in memory, and is gone at each end.",
    );
  }
  const files = filesIn(folder);
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  try {
    const user = userOf(folder);
    if (user !== undefined) return ok(`${folder} is in use by ${user}`);
    const refused = refusedFolder(there);
    if (refused !== undefined) {
      const what = there === folder ? `${folder} cannot be written` : `${folder} cannot be made`;
      return problem(`${what}: nothing can be put into ${there} (${refused})`, OTHER_FOLDER);
    }
    loadData(files.data);
  } catch (error) {
    return problem((error as Error).message, OTHER_FOLDER);
  }
  const { bavail, bsize } = statfsSync(there);
  const free = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB free`;
  if (bavail * bsize < LEAST_FREE) return problem(`${folder}: ${free}`, "Make room on that disk.");
  return ok(`${folder}, ${free}`);
}

const OTHER_FOLDER = "Name another folder: --data <folder>.";

/** For data that was put back in a way that no start can notice. What it holds stays; every client begins anew. */
export async function newDataEpoch(given: string | undefined, place: DataPlace): Promise<Finding> {
  const folder = await folderOf(given, place);
  if (folder === undefined || !existsSync(filesIn(folder).data))
    return problem(
      folder === undefined ? "there is no home folder, and so no data" : `there is no data in ${folder}`,
      "Name the folder that is meant: --data <folder>.",
    );
  const user = userOf(folder);
  if (user !== undefined)
    return problem(`${folder} is in use by ${user}`, "Stop that server, do this again, and start it again.");
  const journal = createEmbeddedJournal({ folder, newEpoch: true });
  try {
    await journal.open();
    await journal.close();
  } catch (error) {
    return problem((error as Error).message, "Mend that, and do this again.");
  }
  return ok(`a new one has begun in ${folder}; every client gets a full snapshot`);
}

function userOf(folder: string): string | undefined {
  const pid = lockHolder(filesIn(folder).lock);
  if (pid === undefined) return undefined;
  const url = servedAt(folder, pid);
  return `process ${pid}${url === undefined ? "" : `, which serves ${url}`}`;
}

/** Rights say what should be possible; only doing it says what is, as on a file system that is none. */
function refusedFolder(there: string): string | undefined {
  try {
    rmdirSync(mkdtempSync(join(there, ".snapwire-doctor-")));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function folderOf(
  given: string | undefined,
  { env, repositories }: DataPlace,
): Promise<string | undefined> {
  return given ?? defaultDataFolder(env, await mainFolderOf(repositories));
}

async function mainFolderOf(repositories: readonly string[]): Promise<string> {
  const [first = "."] = repositories;
  return identifyRepository(createGitRunner({ concurrency: 2, timeoutMs: 10_000 }), first).then(
    ({ path }) => path,
    () => first,
  );
}
