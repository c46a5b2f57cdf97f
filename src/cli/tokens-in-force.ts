/** Which tokens a server takes: those of the token file, and the one in the environment. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "../log.ts";
import {
  type Authenticate,
  adminToken,
  authenticateTokens,
  joinTokenStores,
  openTokenFile,
  readTokenFile,
  type TokenStore,
} from "../server/index.ts";
import type { CliIo } from "./io.ts";

export interface TokensInForce {
  /** Undefined: there are no tokens, and only this machine may connect. */
  readonly authenticate: Authenticate | undefined;
  /** In the file, at this moment. */
  readonly inFile: number;
  readonly fromEnvironment: boolean;
  readonly file: string;
}

export function defaultTokenFile(env: CliIo["env"]): string | undefined {
  const folder = env.XDG_CONFIG_HOME || (env.HOME && join(env.HOME, ".config"));
  return folder ? join(folder, "snapwire", "tokens.json") : undefined;
}

export interface TokenChoice {
  readonly file: string | undefined;
  /** The file was asked for: then it must be there. */
  readonly mustExist: boolean;
  readonly token: string | undefined;
  readonly logger: Logger;
}

/** @throws SnapwireError `invalid-input` when the file is malformed, or was asked for and is missing. */
export function tokensInForce({ file = "", mustExist, token, logger }: TokenChoice): TokensInForce {
  const isThere = file !== "" && (mustExist || existsSync(file));
  const inFile = isThere ? readTokenFile(file).length : 0;
  const stores: TokenStore[] = [];
  if (inFile > 0) stores.push(openTokenFile({ path: file, logger }));
  if (token !== undefined) stores.push(adminToken(token));
  return {
    authenticate: stores.length > 0 ? authenticateTokens(joinTokenStores(...stores)) : undefined,
    inFile,
    fromEnvironment: token !== undefined,
    file,
  };
}
