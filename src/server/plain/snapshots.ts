/** `/snapshots?projectId=`: the frames of `snapshots.onProject` as bare JSON, always beginning with a full one. */
import { iterate } from "../../feed/iterate.ts";
import { SnapwireError } from "../../protocol/errors.ts";
import { mayAct } from "../../router/identity.ts";
import type { RightsSweep } from "../../router/rights.ts";
import type { Snapwire } from "../../snapwire.ts";
import { CLOSE } from "../close-codes.ts";
import type { PlainSocketEndpoint } from "./endpoint.ts";
import type { PlainSocket } from "./plain-socket.ts";

const MAX_ID = 512;

export function snapshotsEndpoint<Entry>(
  live: Pick<Snapwire<Entry>, "feed" | "serving">,
  rights: RightsSweep,
): PlainSocketEndpoint {
  return {
    path: "/snapshots",
    maxPayloadBytes: 4 * 1024, // nothing that a client says means anything here
    heartbeat: { pingEveryMs: 30_000, pongWithinMs: 10_000 },
    refuse(query, identity) {
      const projectId = query.get("projectId");
      if (!projectId || projectId.length > MAX_ID)
        return { status: 400, message: "Say which project: /snapshots?projectId=<id>" };
      if (identity && !mayAct(identity, "read", { projectId }))
        return { status: 403, message: "This identity may not read this project." };
      if (!live.serving()) return { status: 503, message: "The service is not running; try again later." };
      return undefined;
    },
    serve: (socket) => {
      watch(live, rights, socket).catch((error: unknown) => {
        if (error instanceof SnapwireError && error.reason === "behind")
          return socket.close(CLOSE.tryAgainLater, "Try another node");
        socket.logger.error({ err: error }, "a plain subscription failed");
        return socket.close(CLOSE.internal, "Internal error");
      });
    },
  };
}

async function watch<Entry>(
  live: Pick<Snapwire<Entry>, "feed">,
  rights: RightsSweep,
  socket: PlainSocket,
): Promise<void> {
  const projectId = socket.query.get("projectId") ?? "";
  const subscription = live.feed.join(projectId);
  const unwatch = rights.watch({
    allowed: async () => {
      const identity = await socket.recheck();
      return identity !== null && mayAct(identity, "read", { projectId });
    },
    revoke: () => subscription.end("revoked"),
  });
  try {
    const begin = (): Promise<void> => live.feed.begin(subscription, undefined);
    const { signal, room } = socket;
    for await (const { data } of iterate(subscription, { begin, signal, room })) {
      socket.sendShared(data);
      if (data.type === "snapshot_ended")
        return data.reason === "revoked"
          ? socket.close(CLOSE.unauthorized, "Unauthorized")
          : socket.close(CLOSE.done, "The subscription has ended");
    }
    return socket.close(CLOSE.tryAgainLater, "Connect again"); // the service stops
  } finally {
    unwatch();
    subscription.close();
  }
}
