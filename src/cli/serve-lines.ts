/** What a person reads when a server starts. */
import { natsSettings } from "../journal/nats/options.ts";
import { natsOptionsFromUrl } from "../journal/nats/url.ts";
import type { WorkspaceEntry } from "../protocol/workspace.ts";
import type { FoundProject } from "../sources/git/git-source.ts";
import { VERSION } from "../version.ts";
import type { DataChoice } from "./data-folder.ts";
import { knownProjects } from "./project-names.ts";
import { safeText } from "./safe-text.ts";
import type { GithubService } from "./serve-github.ts";
import type { Identities } from "./serve-identity.ts";
import { nodeName } from "./shared-journal.ts";
import { pad, widthOf } from "./text-width.ts";

export interface Address {
  /** As it listens, without a slash at the end. */
  readonly url: string;
  /** As somebody on this machine would write it. */
  readonly near: string;
  readonly everywhere: boolean;
}

export function addressOf(url: string): Address {
  const near = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
  return { url, near, everywhere: near !== url };
}

export function addressLines({ near, everywhere }: Address, hasBoard: boolean): string[] {
  const where = everywhere ? "   (on every address of this machine)" : "";
  return [
    `Snapwire ${VERSION}`,
    "",
    ...(hasBoard ? [line("Board", `${near}/`)] : []),
    line("tRPC", `${near}/trpc${where}`),
    line("WebSocket", `${near.replace(/^http/, "ws")}/trpc`),
  ];
}

export function projectLines(projects: readonly FoundProject[]): string[] {
  return projects.map(({ projectId, path, renamedFrom }, index) => {
    const why = renamedFrom === undefined ? "" : `   (another one is called ${safeText(renamedFrom)} too)`;
    const label = index > 0 ? "" : projects.length === 1 ? "Project" : "Projects";
    return line(label, `${safeText(projectId)}   ${safeText(path)}${why}`);
  });
}

export function dataLine(data: DataChoice): string {
  return data.kind === "folder"
    ? line("Data", safeText(data.folder))
    : line("Data", `in memory only, gone when this ends: ${safeText(data.because)}`);
}

/** Of a state that nodes share: where, as whom, and in which streams when they are others than usual; never the login. */
export function sharedLine(url: string): string {
  const { servers, state, events } = natsSettings(natsOptionsFromUrl(url));
  const usual = natsSettings();
  const isUsual = state.name === usual.state.name && events.name === usual.events.name;
  const streams = isUsual ? "" : `, in the streams ${state.name} and ${events.name}`;
  return line("Data", `shared over ${safeText(servers.join(", "))}, as ${safeText(nodeName(url))}${streams}`);
}

const SHOWN = 12;

/** @param complete - false while there may be more. */
export function workspaceLines(entries: readonly WorkspaceEntry[], complete: boolean): string[] {
  const count = `${entries.length} found${complete ? "" : " so far; the rest is still being read"}`;
  const some = entries.slice(0, SHOWN).map(({ workspaceId, branchName }) => ({
    id: safeText(workspaceId),
    branch: branchName === null ? "(no branch)" : safeText(branchName),
  }));
  const width = Math.max(0, ...some.map(({ id }) => widthOf(id)));
  const shown = some.map(({ id, branch }) => line("", `${pad(id, width)}   ${branch}`));
  const more = entries.length > SHOWN ? [line("", `and ${entries.length - SHOWN} more`)] : [];
  return [line("Workspaces", count), ...shown, ...more];
}

export function tokenLine({ authenticate, tokens, issuer }: Identities): string {
  const { inFile, fromEnvironment, file } = tokens;
  if (!authenticate) return line("Tokens", "none: only this machine may connect, and it may do everything");
  const parts = [
    ...(inFile > 0 ? [`${inFile} in ${safeText(file)}`] : []),
    ...(fromEnvironment ? ["one of an admin in SNAPWIRE_TOKEN"] : []),
    ...(issuer === undefined ? [] : [`those of ${safeText(issuer)}`]),
  ];
  return line("Tokens", `needed: ${parts.join(", and ")}`);
}

/** The paths that a client without tRPC may open. */
export function plainLines(paths: readonly string[]): string[] {
  return paths.length === 0 ? [] : [line("Plain", paths.join(", "))];
}

/** Nothing for whoever has nothing there. */
export function githubLines(
  options: Pick<GithubService, "endpoints" | "polls"> & {
    readonly repositories: ReadonlyMap<string, string>;
  },
): string[] {
  const { repositories, endpoints, polls } = options;
  const names = [...repositories].map(([name, project]) => `${safeText(name)} (${safeText(project)})`);
  const ways = [...(endpoints ? ["webhooks"] : []), ...(polls ? ["asked now and then"] : [])];
  if (ways.length === 0)
    return names.length === 0 ? [] : [line("GitHub", "not connected; how: npx snapwire github")];
  const shown = names.slice(0, SHOWN_REPOSITORIES).join(", ");
  const more = names.length > SHOWN_REPOSITORIES ? ` and ${names.length - SHOWN_REPOSITORIES} more` : "";
  return [line("GitHub", `${shown || "no repository is known"}${more}: ${ways.join(", ")}`)];
}

/** Of what was said about repositories on GitHub, that which can show nowhere. @param said - `owner/name=project` */
export function strayGithubLines(said: readonly string[], projects: readonly string[]): string[] {
  return said.flatMap((one) => {
    const project = one.slice(one.indexOf("=") + 1);
    if (projects.includes(project)) return [];
    const known = knownProjects(project, projects);
    return [line("", `--github ${safeText(one)}: no workspace is known in that project.${known}`)];
  });
}

const SHOWN_REPOSITORIES = 5;
const DEFAULT_NEAR = "http://127.0.0.1:4747";

export function watchLine({ near }: Address, needsToken: boolean): string {
  const url = near === DEFAULT_NEAR ? "" : ` ${near}`;
  const token = needsToken ? "SNAPWIRE_TOKEN=<token> " : "";
  return line("Watch", `${token}npx snapwire watch${url}   (in a second terminal)`);
}

function line(label: string, text: string): string {
  return `  ${label.padEnd(12)}${text}`;
}
