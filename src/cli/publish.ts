/** `snapwire publish`: says what was observed of a workspace. */

import { readAssignments } from "./assignments.ts";
import type { Command, Invocation } from "./command.ts";
import { CliFailure, EXIT, type ExitCode, usageFailure } from "./exit-codes.ts";
import { say } from "./io.ts";
import { placeFailure, type Seen, seenBefore, unseenProject } from "./publish-place.ts";
import { createRemote, endpointOf, remoteFailure } from "./remote.ts";
import { jsonLine, safeText } from "./safe-text.ts";
import { isServerUrl } from "./web-url.ts";

const USAGE = "snapwire publish <workspaceId> --project <id> --set key=value";

export const publishCommand: Command = {
  name: "publish",
  summary: "Set fields of a workspace",
  synopsis: "<workspaceId> [url] [--project <id>] --set key=value... [flags]",
  maxArguments: 2,
  arguments: [undefined, "url"],
  settings: ["project", "url", "token"],
  flags: {
    set: {
      type: "string",
      multiple: true,
      value: "key=value",
      help: "a field and its value: JSON or plain text; null clears; may be repeated",
    },
    move: { type: "boolean", help: "move the workspace to the project when it is in another one" },
    json: { type: "boolean", help: "print the server's answer as JSON" },
  },
  notes: [
    "Fields and their values are those of docs/workspace.md. What the server derives cannot be set.",
    "A workspace that does not exist yet comes into being in the project that --project names; it is said when nothing",
    "was to be seen in that before. One that is in another project stays there, hidden ones too, unless --move is given.",
  ],
  examples: [
    "snapwire publish app/fix-login --project app --set prState=OPEN --set prNumber=42",
    "snapwire publish app/fix-login --project app --set pendingRequestType=null",
  ],
  defaults: () => ({ url: "http://127.0.0.1:4747" }),
  run: publish,
};

async function publish({ io, args, config }: Invocation): Promise<ExitCode> {
  const [workspaceId] = args.positionals;
  const { project, url = "", token } = config.values;
  if (workspaceId === undefined) throw usageFailure(`Which workspace? Write: ${USAGE}`);
  if (isServerUrl(workspaceId))
    throw usageFailure(
      `${safeText(workspaceId)} is a url, and the workspace comes before it: snapwire publish <workspaceId> [url]`,
    );
  const words = args.texts("set");
  if (words.length === 0) throw usageFailure(`Nothing is set. Write: ${USAGE}`);
  const patch = readAssignments(words);
  const endpoint = endpointOf(url);
  const remote = createRemote(endpoint, token, io.signal);
  const asked = async <T>(
    call: Promise<T>,
    ended: string,
    refused: (error: unknown) => CliFailure | undefined = () => undefined,
  ): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      if (!io.signal.aborted) throw refused(error) ?? remoteFailure(error, endpoint);
      throw new CliFailure(io.signal.reason === "SIGINT" ? EXIT.interrupted : EXIT.failure, ended);
    }
  };
  const isMove = args.has("move");
  const seen = await asked(seenBefore(remote, workspaceId), "Ended before anything was set.");
  const answer = await asked(
    remote.snapshots.upsert.mutate({
      ...(patch as object),
      ...(project !== undefined && { projectId: project }),
      ...(project !== undefined && !isMove && { expectedProjectId: project }),
      workspaceId,
      source: "cli",
    }),
    "Ended before the server answered: whether it was set is not known. Setting it again does no harm.",
    (error) => placeFailure(error, { workspaceId, target: project, seen }),
  );
  const strange = answer.accepted && project !== undefined ? unseenProject(project, seen) : undefined;
  if (strange !== undefined) say(io.stderr, `snapwire: ${strange}`);
  if (args.has("json")) say(io.stdout, jsonLine(answer));
  else say(io.stdout, describe(workspaceId, answer, isMove ? moved(seen, project) : ""));
  return answer.accepted ? EXIT.ok : EXIT.failure;
}

interface Answer {
  readonly accepted: boolean;
  readonly changed: boolean;
  readonly version: number;
  readonly position: string | null;
}

function moved({ project: from }: Seen, to: string | undefined): string {
  return from === undefined || to === undefined || from === to
    ? ""
    : `, moved from ${safeText(from)} to ${safeText(to)}`;
}

function describe(
  workspaceId: string,
  { accepted, changed, version, position }: Answer,
  move: string,
): string {
  const what = !accepted
    ? "not accepted: newer news is known. Try again in a few seconds"
    : changed
      ? `accepted, changed${move}`
      : "accepted, nothing new";
  const where = position === null ? "" : `, position ${safeText(position)}`;
  return `${safeText(workspaceId)}: ${what} (version ${version}${where})`;
}
