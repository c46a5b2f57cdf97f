/** What to do about a journal that cannot be reached or refuses, by what the client, the system and TLS call it. */
import { SnapwireError } from "../protocol/errors.ts";

interface Named {
  readonly names: ReadonlySet<string>;
  readonly codes: ReadonlySet<string>;
  readonly text: string;
}

type Rule = readonly [fits: (error: Named) => boolean, advice: string];

const code =
  (pattern: RegExp): Rule[0] =>
  ({ codes }) =>
    [...codes].some((one) => pattern.test(one));
const says =
  (pattern: RegExp): Rule[0] =>
  ({ text }) =>
    pattern.test(text);
const called =
  (...wanted: readonly string[]): Rule[0] =>
  ({ names }) =>
    wanted.some((name) => names.has(name));

/** The first that fits. */
const RULES: readonly Rule[] = [
  [code(/^ERR_MODULE_NOT_FOUND$/), "Install them, and do this again."],
  [
    called("PermissionViolationError"),
    "Give this user the rights that docs/nodes.md lists: to publish to <prefix>.s.> and <prefix>.e.>, to subscribe to " +
      "<prefix>.live.> and _INBOX.>, and to use $JS.API.> for the two streams.",
  ],
  [
    called("AuthorizationError", "UserAuthenticationExpiredError"),
    "Check the user and the password, or the token, in the url: nats://user:password@host or nats://token@host, with %40 " +
      "for @; or name a file with credentials that are in force: ?creds=<file>.",
  ],
  [
    code(/^ERR_TLS_CERT_ALTNAME_INVALID$/),
    "Name the servers in the url as their certificate does, or give them one for the name in the url.",
  ],
  [
    code(/^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/),
    "Give the servers a certificate that is valid now, and see that the clock of this machine is right.",
  ],
  [
    code(/SELF_SIGNED|^UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|^CERT_UNTRUSTED$/),
    "If the certificate of the servers is of an authority of your own, name its file in the url: ?ca=<file>.",
  ],
  [
    says(/does not support 'tls'/),
    "Write nats:// in place of tls://, or start the servers with a certificate.",
  ],
  [
    says(/ doesn't exist$/m),
    "See that the files that ca=, cert= and key= name in the url are there and can be read.",
  ],
  [
    code(/^ERR_(SSL|OSSL|TLS)_/),
    "See that the servers and the url agree about TLS: ca=<file> for an authority of your own, cert=<file> and key=<file> " +
      "where the servers ask for a certificate.",
  ],
  [
    says(/jetstream (is )?not enabled/i),
    "Start the servers with JetStream (-js), and let the account of this user use it.",
  ],
  [
    code(/^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|ECONNRESET)$/),
    "See that the servers run, that the url names them with the port for clients (4222, unless they say otherwise), and that " +
      "nothing between here and there blocks it.",
  ],
  [
    called("TimeoutError"),
    "Something is there and does not answer: see that the url names the port for clients, and that the servers are well. If " +
      "they ask for a certificate, name one in the url: ?cert=<file>&key=<file>.",
  ],
];

/** Undefined where nothing better can be said than what the error says. */
export function journalAdvice(error: unknown): string | undefined {
  if (error instanceof SnapwireError && error.reason === "invalid-input")
    return "Correct the url; docs/nodes.md lists what may stand in it.";
  const named = namedOf(error);
  return RULES.find(([fits]) => fits(named))?.[1];
}

const MOST_CAUSES = 8;

function namedOf(error: unknown): Named {
  const names = new Set<string>();
  const codes = new Set<string>();
  const texts: string[] = [];
  let one = error;
  for (let depth = 0; depth < MOST_CAUSES && one instanceof Error; depth += 1, one = one.cause) {
    names.add(one.name);
    const said = (one as NodeJS.ErrnoException).code;
    if (typeof said === "string") codes.add(said);
    texts.push(one.message);
  }
  return { names, codes, text: texts.join("\n") };
}
