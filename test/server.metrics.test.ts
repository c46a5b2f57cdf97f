import type { IncomingMessage } from "node:http";
import { describe, expect, test, vi } from "vitest";
import type { Role } from "../src/router/identity.ts";
import { serve, stockClient, watch } from "./helpers/served.ts";

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

describe("/metrics", () => {
  test("counts what happened, in the text format of Prometheus, and names no project", async () => {
    await using served = await serve();
    await served.live.workspaces.upsert("secret/a", { projectId: "secret" });
    await using client = stockClient(served.url);
    const { frames } = watch(client.trpc, "secret");
    await vi.waitFor(() => expect(frames).toHaveLength(1));
    await served.live.workspaces.upsert("secret/a", { name: "b" });
    await vi.waitFor(() => expect(frames).toHaveLength(2));
    const response = await fetch(`${served.url}/metrics`);
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    for (const line of [
      "snapwire_sockets 1",
      "snapwire_subscriptions 1",
      "snapwire_deliveries_total 2",
      'snapwire_full_frames_total{reason="first"} 1',
      'snapwire_full_frames_total{reason="trimmed"} 0',
      "snapwire_encodes_total 2",
      'snapwire_delivery_lag_seconds_bucket{le="+Inf"} 1',
      "snapwire_delivery_lag_seconds_count 1",
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    expect(text).not.toContain("secret");
    for (const line of text.trimEnd().split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) snapwire_\w+ .+|snapwire_\w+(\{\w+="[^"]*"\})? [0-9.e+-]+)$/);
    }
  });

  test("answers an admin token only, where there are tokens", async () => {
    const identity = (role: Role) => ({ subject: role, role, projects: "*" as const });
    const authenticate = (request: IncomingMessage) => {
      if (request.headers.authorization === "Bearer admin") return identity("admin");
      return request.headers.authorization === "Bearer viewer" ? identity("viewer") : null;
    };
    await using served = await serve({ server: { authenticate } });
    expect((await fetch(`${served.url}/metrics`)).status).toBe(401);
    expect((await fetch(`${served.url}/metrics`, bearer("viewer"))).status).toBe(403);
    expect((await fetch(`${served.url}/metrics`, bearer("admin"))).status).toBe(200);
    expect((await fetch(`${served.url}/metrics`, { method: "POST", ...bearer("admin") })).status).toBe(405);
  });
});
