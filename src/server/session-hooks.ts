/** `POST /hooks/session`: what coding agents tell their hooks. Answered 202 whatever it means, so that no agent fails. */
import type { HookIntake } from "../agent-hooks/index.ts";
import { SnapwireError } from "../protocol/errors.ts";
import { EVERY_PROJECT, mayAct } from "../router/identity.ts";
import type { PlainEndpoints, PlainRoute } from "./plain/endpoint.ts";
import { refuseRequest } from "./refusal.ts";

export interface SessionHooksOptions {
  readonly intake: Pick<HookIntake, "take">;
  /** The project of a workspace. */
  readonly projectOf: (workspaceId: string) => string | undefined;
  /** @defaultValue `/hooks/session` */
  readonly path?: string;
}

export function sessionHooks({
  intake,
  projectOf,
  path = "/hooks/session",
}: SessionHooksOptions): PlainEndpoints {
  const route: PlainRoute = {
    path,
    method: "POST",
    async answer({ identity, body, response }) {
      let input: unknown;
      try {
        input = JSON.parse(body);
      } catch {
        refuseRequest(response, { status: 400, message: "The body is no JSON." });
        return;
      }
      const mayWrite = (workspaceId: string): boolean => {
        // Of a workspace that is not known yet nobody can say whose it will be.
        const projectId = projectOf(workspaceId) ?? EVERY_PROJECT;
        return identity !== null && mayAct(identity, "write", { projectId });
      };
      const outcome = await intake.take(input, mayWrite).catch((error: unknown) => {
        if (error instanceof SnapwireError) return undefined; // the journal is away
        throw error;
      });
      if (outcome === undefined) {
        refuseRequest(response, { status: 503, message: "It cannot be stored now." });
        return;
      }
      response.writeHead(outcome === "forbidden" ? 403 : 202, {
        "content-type": "application/json",
        "cache-control": "no-store",
      });
      response.end(JSON.stringify({ outcome }));
    },
  };
  return { sockets: new Map(), routes: new Map([[path, route]]), close: () => undefined };
}
