/** How the devices word the frames of the feed. */
import type { FrameWording } from "../feed/frames.ts";
import type { AgentPresence, PresenceFrame } from "../protocol/agents.ts";

export const presenceWording: FrameWording<AgentPresence, PresenceFrame> = {
  full: (_, entries, reason) => ({ type: "presence_full", entries, reason }),
  resumed: (_, until, missed) => ({ type: "presence_resumed", until, missed }),
  changed: (_, deviceId, entry) => ({ type: "presence_changed", deviceId, entry }),
  removed: (_, deviceId) => ({ type: "presence_removed", deviceId }),
  progress: () => ({ type: "presence_progress" }),
  status: (_, { fresh, reason, since }) => ({
    type: "presence_status",
    fresh,
    ...(reason === undefined ? {} : { reason }),
    since,
  }),
  ended: (_, reason) => ({ type: "presence_ended", reason }),
};
