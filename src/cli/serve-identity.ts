/** Who may connect to `serve`: tokens of our own, and JSON Web Tokens of an issuer. */
import { type Authenticate, authenticateJwt, joinAuthenticators } from "../server/index.ts";
import type { LoadedConfig } from "./config.ts";
import { usageFailure } from "./exit-codes.ts";
import { safeText } from "./safe-text.ts";
import type { TokensInForce } from "./tokens-in-force.ts";
import { isWebUrl } from "./web-url.ts";

export interface Identities {
  /** Undefined: only this machine may connect. */
  readonly authenticate: Authenticate | undefined;
  readonly tokens: TokensInForce;
  /** Whose JSON Web Tokens are taken too. */
  readonly issuer: string | undefined;
}

/** @throws {@link CliFailure} with the code for usage, for settings of which one is missing. */
export function identitiesOf({ values, origins }: LoadedConfig, tokens: TokensInForce): Identities {
  const { jwtIssuer: issuer, jwtAudience: audience, jwtKeys } = values;
  if (issuer === undefined) {
    const alone = origins.jwtAudience ?? origins.jwtKeys;
    if (alone !== undefined)
      throw usageFailure(`Whose tokens? Beside ${alone} an issuer is needed: --jwt-issuer <url>`);
    return { authenticate: tokens.authenticate, tokens, issuer };
  }
  if (audience === undefined)
    throw usageFailure(`Meant for whom? Beside ${origins.jwtIssuer} write --jwt-audience <name>`);
  if (jwtKeys === undefined && !isWebUrl(issuer))
    throw usageFailure(
      `The keys of ${safeText(issuer)} cannot be found, since it is no url with https. Say where they are: --jwt-keys <url>`,
    );
  const jwt = authenticateJwt({ issuer, audience, ...(jwtKeys && { keys: new URL(jwtKeys) }) });
  const own = tokens.authenticate;
  return { authenticate: own ? joinAuthenticators(own, jwt) : jwt, tokens, issuer };
}
