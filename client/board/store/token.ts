/**
 * The token of this tab: from `#token=` of the address (and at once removed from it, so that it is in no history, no
 * screenshot and no copied link), else from the tab's own storage.
 */

const KEY = "snapwire-token";

export interface TokenPlace {
  readonly location: Pick<Location, "hash" | "pathname" | "search">;
  readonly history: Pick<History, "replaceState" | "state">;
  readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
}

export interface TokenKeeper {
  get(): string | undefined;
  set(token: string): void;
}

export function keepToken({ location, history, storage }: TokenPlace): TokenKeeper {
  let token = tokenOf(location.hash);
  if (token !== undefined) {
    history.replaceState(history.state, "", `${location.pathname}${location.search}`);
    remember(storage, token);
  }
  token ??= recall(storage);
  return {
    get: () => token,
    set(given) {
      token = given === "" ? undefined : given;
      remember(storage, token);
    },
  };
}

/** `#token=swt_...`, alone or among others joined by `&`. */
export function tokenOf(hash: string): string | undefined {
  const token = new URLSearchParams(hash.replace(/^#/, "")).get("token");
  return token === null || token === "" ? undefined : token;
}

function remember(storage: TokenPlace["storage"], token: string | undefined): void {
  try {
    if (token === undefined) storage.removeItem(KEY);
    else storage.setItem(KEY, token);
  } catch {
    // storage may be forbidden: then the token lives as long as the page
  }
}

function recall(storage: TokenPlace["storage"]): string | undefined {
  try {
    return storage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}
