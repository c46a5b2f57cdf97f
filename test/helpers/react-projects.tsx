/** Live projects whose server and whose frames are the test. */
import { act } from "@testing-library/react";
import { Profiler, type ReactNode } from "react";
import { createLiveProjects, type LiveProjectsOptions } from "../../client/live-projects.ts";
import { SnapwireProvider } from "../../client/react/index.ts";
import { FakePage, FakeSnapshots } from "./client-fakes.ts";
import type { TestFrame } from "./client-frames.ts";
import { FakeFrames } from "./fake-frames.ts";

export function fakeProjects(options: LiveProjectsOptions = {}) {
  const snapshots = new FakeSnapshots();
  const frames = new FakeFrames();
  const page = new FakePage();
  const projects = createLiveProjects(
    { snapshots },
    { schedule: frames.schedule, surroundings: page, ...options },
  );
  return {
    snapshots,
    frames,
    page,
    projects,
    /** The server says this, and one frame later it is shown. */
    async deliver(...delivered: readonly TestFrame[]): Promise<void> {
      await act(async () => {
        snapshots.current.deliver(...delivered);
        await Promise.resolve(); // the replica tells once per turn
        frames.next();
      });
    },
  };
}

/** For `wrapper` of the testing library. */
export function inProvider({ projects }: Pick<ReturnType<typeof fakeProjects>, "projects">) {
  return ({ children }: { readonly children: ReactNode }) => (
    <SnapwireProvider client={projects}>{children}</SnapwireProvider>
  );
}

/** Counts the commits of what is in it. */
export function Counted({ count, children }: { readonly count: () => void; readonly children: ReactNode }) {
  return (
    <Profiler id="counted" onRender={count}>
      {children}
    </Profiler>
  );
}
