/** The line to the server in a component. Freshness of a project is in its own view: this is about the wire. */
import { useSyncExternalStore } from "react";
import type { LiveStatus } from "../live-status.ts";
import { useProjects } from "./provider.ts";

const ON_SERVER: LiveStatus = Object.freeze({ status: "connecting", reason: undefined, detail: undefined });

export function useLiveStatus(): LiveStatus {
  const { onStatus, getStatus } = useProjects();
  return useSyncExternalStore(onStatus, getStatus, () => ON_SERVER);
}
