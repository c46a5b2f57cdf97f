/** Where the page begins: the token, the client, the store, the first render. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { createSnapwireClient } from "../connection.ts";
import { createFrameLog } from "../live-panel/frame-log.ts";
import { createAgentStore } from "./agents/agent-store.ts";
import { createEventStore } from "./feed/event-store.ts";
import { createBoardStore } from "./store/board-store.ts";
import { keepToken } from "./store/token.ts";
import { App } from "./ui/app.tsx";

const element = document.getElementById("board");
if (!element) throw new Error("the page has no place for the board");

// Asked each time: where storage is forbidden, the name alone throws, and only the keeper knows what to do then.
const storage = {
  getItem: (key: string) => sessionStorage.getItem(key),
  setItem: (key: string, value: string) => sessionStorage.setItem(key, value),
  removeItem: (key: string) => sessionStorage.removeItem(key),
};
const keeper = keepToken({ location, history, storage });
const trpc = document.querySelector<HTMLMetaElement>('meta[name="snapwire-trpc"]')?.content ?? "/trpc";
const client = createSnapwireClient({
  url: new URL(trpc, location.origin),
  token: () => keeper.get(),
  retry: { capMs: 15_000 },
});
const frames = createFrameLog();
const store = createBoardStore({ client, snapshots: frames.watch(client.trpc.snapshots) });

createRoot(element).render(
  <StrictMode>
    <App
      client={client}
      store={store}
      events={createEventStore(client)}
      agents={createAgentStore(client)}
      keeper={keeper}
      frames={frames}
    />
  </StrictMode>,
);
