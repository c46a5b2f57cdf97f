/** How sessions word the frames of the feed. A session is a scope of its own, and the only key in it. */
import type { FrameWording } from "../feed/frames.ts";
import type { SessionEntry, SessionFrame } from "../protocol/sessions.ts";

export const sessionWording: FrameWording<SessionEntry, SessionFrame> = {
  full: (sessionId, [session = null], reason, complete) => ({
    type: "session_full",
    sessionId,
    session,
    reason,
    complete,
  }),
  resumed: (sessionId, until, missed) => ({ type: "session_resumed", sessionId, until, missed }),
  changed: (sessionId, _key, session) => ({ type: "session_changed", sessionId, session }),
  removed: (sessionId) => ({ type: "session_removed", sessionId }),
  progress: (sessionId, complete) => ({ type: "session_progress", sessionId, complete }),
  status: (sessionId, { fresh, reason, since }) => ({
    type: "session_status",
    sessionId,
    fresh,
    ...(reason === undefined ? {} : { reason }),
    since,
  }),
  ended: (sessionId, reason) => ({ type: "session_ended", sessionId, reason }),
};
