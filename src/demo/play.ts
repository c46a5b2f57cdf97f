/** Plays a story to a service: the same doors that anybody else uses. */
import type { Inbox } from "../agents/inbox.ts";
import type { Logger } from "../log.ts";
import { activity } from "../protocol/event-builders.ts";
import type { Snapwire } from "../snapwire.ts";
import { DEMO_PROJECT, type DemoAction, type DemoStep } from "./story.ts";

export interface PlayOptions {
  readonly live: Snapwire;
  readonly story: Iterator<DemoStep, unknown>;
  readonly logger: Logger;
  /** 2 is twice as fast. @defaultValue 1 */
  readonly speed?: number;
}

export interface Playing {
  /** Steps that were played. */
  readonly steps: number;
  stop(): Promise<void>;
}

const SOURCE = "demo";

export function playDemo({ live, story, logger, speed = 1 }: PlayOptions): Playing {
  const inboxes = new Map<string, Inbox>();
  let steps = 0;
  let timer: NodeJS.Timeout | undefined;
  let acting: Promise<void> = Promise.resolve();
  let isOver = false;

  const turn = (): void => {
    const { done, value } = story.next();
    if (done || isOver) return;
    const { afterMs, action } = value as DemoStep;
    timer = setTimeout(() => {
      // One after the other: a story has an order.
      acting = act(action)
        .catch((error: unknown) => logger.warn({ error, kind: action.kind }, "a step of the demo failed"))
        .then(() => {
          steps += 1;
          if (!isOver) turn();
        });
    }, afterMs / speed);
  };

  async function act(action: DemoAction): Promise<void> {
    switch (action.kind) {
      case "workspace":
        await live.workspaces.upsert(
          action.workspaceId,
          { ...action.fields, projectId: DEMO_PROJECT } as never,
          { source: SOURCE },
        );
        return;
      case "leave":
        await live.workspaces.remove(action.workspaceId, { source: SOURCE });
        return;
      case "session":
        await live.sessions.update(action.update);
        return;
      case "event": {
        const { workspaceId, type, text } = action;
        const payload = { deviceId: SOURCE, data: { madeUp: true, text } };
        await live.events.publish(activity(type, payload, { projectId: DEMO_PROJECT, workspaceId }));
        return;
      }
      case "message":
        await live.agents.send({ deviceId: action.deviceId, text: action.text, sender: SOURCE, waitMs: 0 });
        return;
      case "device":
        return action.online ? comes(action.deviceId) : leaves(action.deviceId);
    }
  }

  async function comes(deviceId: string): Promise<void> {
    if (inboxes.has(deviceId)) return;
    const inbox = await live.agents.connect({ deviceId, subject: SOURCE });
    inboxes.set(deviceId, inbox);
    void answer(inbox).catch((error: unknown) =>
      logger.debug({ error, deviceId }, "a device of the demo left"),
    );
  }

  async function answer(inbox: Inbox): Promise<void> {
    for await (const { data } of inbox.frames())
      if (data.type === "message") await inbox.ack({ id: data.id });
  }

  async function leaves(deviceId: string): Promise<void> {
    await inboxes.get(deviceId)?.close();
    inboxes.delete(deviceId);
  }

  turn();
  return {
    get steps() {
      return steps;
    },
    async stop() {
      isOver = true;
      clearTimeout(timer);
      await acting;
      for (const deviceId of [...inboxes.keys()]) await leaves(deviceId).catch(() => undefined);
    },
  };
}
