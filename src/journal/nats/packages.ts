/** The client of NATS is an optional peer: loaded when this engine is asked for, and not before. */
import { SnapwireError } from "../../protocol/errors.ts";

export interface NatsPackages {
  readonly transport: typeof import("@nats-io/transport-node");
  readonly jetstream: typeof import("@nats-io/jetstream");
}

/** The pins that run on Node 20. */
const INSTALL = "npm install @nats-io/transport-node@3.3.1 @nats-io/jetstream@3.3.1";

/** @throws {@link SnapwireError} `unavailable` when they are not installed, with the command that installs them. */
export async function loadNatsPackages(
  load: () => Promise<NatsPackages> = importPackages,
): Promise<NatsPackages> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new SnapwireError(
      "unavailable",
      `The NATS journal needs two packages that are not installed. Run: ${INSTALL}`,
      { cause: error },
    );
  }
}

async function importPackages(): Promise<NatsPackages> {
  const [transport, jetstream] = await Promise.all([
    import("@nats-io/transport-node"),
    import("@nats-io/jetstream"),
  ]);
  return { transport, jetstream };
}
