/** `snapwire publish`: says what was observed of a workspace. */

import { readAssignments } from "./assignments.ts";
import type { Command, Invocation } from "./command.ts";
import { CliFailure, EXIT, type ExitCode, usageFailure } from "./exit-codes.ts";
import { say } from "./io.ts";
import { createRemote, endpointOf, remoteFailure } from "./remote.ts";
import { jsonLine, safeText } from "./safe-text.ts";

const USAGE = "snapwire publish <workspaceId> --project <id> --set key=value";

export const publishCommand: Command = {
  name: "publish",
  summary: "Set fields of a workspace",
  synopsis: "<workspaceId> --project <id> --set key=value... [flags]",
  maxArguments: 1,
  settings: ["project", "url", "token"],
  flags: {
    set: {
      type: "string",
      multiple: true,
      value: "key=value",
      help: "a field and its value: JSON or plain text; null clears; may be repeated",
    },
    json: { type: "boolean", help: "print the server's answer as JSON" },
  },
  notes: [
    "Fields and their values are those of docs/workspace.md. What the server derives cannot be set.",
    "A workspace that does not exist yet comes into being.",
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
  if (project === undefined)
    throw usageFailure(`Which project does it belong to? Write: ${USAGE} (or set SNAPWIRE_PROJECT)`);
  const words = args.texts("set");
  if (words.length === 0) throw usageFailure(`Nothing is set. Write: ${USAGE}`);
  const patch = readAssignments(words);
  const endpoint = endpointOf(url);
  const remote = createRemote(endpoint, token, io.signal);
  const answer = await remote.snapshots.upsert
    .mutate({ ...(patch as object), projectId: project, workspaceId, source: "cli" })
    .catch((error: unknown) => {
      if (io.signal.aborted)
        throw new CliFailure(
          io.signal.reason === "SIGINT" ? EXIT.interrupted : EXIT.failure,
          "Ended before the server answered: whether it was set is not known. Setting it again does no harm.",
        );
      throw remoteFailure(error, endpoint);
    });
  if (args.has("json")) say(io.stdout, jsonLine(answer));
  else say(io.stdout, describe(workspaceId, answer));
  return answer.accepted ? EXIT.ok : EXIT.failure;
}

interface Answer {
  readonly accepted: boolean;
  readonly changed: boolean;
  readonly version: number;
  readonly position: string | null;
}

function describe(workspaceId: string, { accepted, changed, version, position }: Answer): string {
  const what = !accepted
    ? "not accepted: newer news is known. Try again in a few seconds"
    : changed
      ? "accepted, changed"
      : "accepted, nothing new";
  const where = position === null ? "" : `, position ${safeText(position)}`;
  return `${safeText(workspaceId)}: ${what} (version ${version}${where})`;
}
