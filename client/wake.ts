/**
 * What the client can know of the device that it runs on: whether somebody looks at the page, whether the device says it
 * has a network, and when it is worth to try at once (page visible again, back from the back-forward cache, thawed,
 * looked at, network back). A page sleeps without being told; all timers of a sleeping page are late, so none of them is
 * proof of anything. A machine that wakes up says nothing to a page that was visible all the while: the focus does.
 */

export interface Surroundings {
  /** False in a hidden tab. Always true without a document. */
  readonly visible: boolean;
  /** False when the device says that it has no network. It says nothing about a server on the same machine. */
  readonly online: boolean;
  /** Calls when a new attempt is worth its while. Returns the way to stop listening. */
  onWake(listener: () => void): () => void;
  /** Calls when `online` may have changed. Returns the way to stop listening. */
  onNetwork(listener: () => void): () => void;
}

interface Events {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** The part of a browser's global object that is looked at; every part may be missing. */
export interface PageGlobals extends Partial<Events> {
  readonly document?: (Events & { readonly visibilityState: string }) | undefined;
  readonly navigator?: { readonly onLine?: boolean | undefined } | undefined;
}

const WINDOW_WAKES = ["pageshow", "focus", "online"] as const;

export function surroundingsOf(page: PageGlobals = globalThis as unknown as PageGlobals): Surroundings {
  // Without a document there is no page: Node's own global has events too in some versions, but none of these.
  const { document } = page;
  const window = document && page.addEventListener && page.removeEventListener ? (page as Events) : undefined;
  return {
    get visible() {
      return document?.visibilityState !== "hidden";
    },
    get online() {
      return page.navigator?.onLine !== false;
    },
    onWake(listener) {
      const onVisibility = (): void => {
        if (document?.visibilityState === "visible") listener();
      };
      document?.addEventListener("visibilitychange", onVisibility);
      document?.addEventListener("resume", listener);
      for (const type of WINDOW_WAKES) window?.addEventListener(type, listener);
      return () => {
        document?.removeEventListener("visibilitychange", onVisibility);
        document?.removeEventListener("resume", listener);
        for (const type of WINDOW_WAKES) window?.removeEventListener(type, listener);
      };
    },
    onNetwork(listener) {
      window?.addEventListener("online", listener);
      window?.addEventListener("offline", listener);
      return () => {
        window?.removeEventListener("online", listener);
        window?.removeEventListener("offline", listener);
      };
    },
  };
}
