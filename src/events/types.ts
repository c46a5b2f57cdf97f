/** Which types there are, ours and a host's own, and the check of what they say. */
import { z } from "zod";
import { CONTROL_TYPES, type HostEvent, type Publishable } from "../protocol/envelope.ts";
import { SnapwireError } from "../protocol/errors.ts";
import type { EventAbout } from "../protocol/event-builders.ts";
import { assertPlain, type PlainPayload, plainPayload } from "./plain-json.ts";
import { EVENT_SCHEMAS } from "./schemas.ts";

/** A host's own types and the shapes of their payloads: `{ "deploy:finished": z.object({ ... }) }`. */
export type HostTypes = Readonly<Record<string, z.ZodType<object>>>;

const HOST_TYPE = /^[a-z][a-z0-9]*(-[a-z0-9]+)*:[a-z0-9]+(-[a-z0-9]+)*$/;
const MAX_TYPE_LENGTH = 128;
const SHOWN_ISSUES = 5;

export class EventTypes {
  readonly #schemas: ReadonlyMap<string, z.ZodType>;

  constructor(own: HostTypes = {}) {
    const schemas = new Map<string, z.ZodType>(Object.entries(EVENT_SCHEMAS));
    for (const [type, schema] of Object.entries(own)) {
      if (schemas.has(type) || (CONTROL_TYPES as readonly string[]).includes(type))
        throw new SnapwireError(
          "invalid-input",
          `There is an event type ${type} already; give yours another name.`,
        );
      if (!HOST_TYPE.test(type) || type.length > MAX_TYPE_LENGTH)
        throw new SnapwireError(
          "invalid-input",
          `An event type is called like namespace:kebab-case, not ${JSON.stringify(type)}.`,
        );
      schemas.set(type, schema);
    }
    this.#schemas = schemas;
  }

  names(): readonly string[] {
    return [...this.#schemas.keys()];
  }

  /** @throws {@link SnapwireError} `invalid-input`, with the names that there are. */
  assertKnown(type: string): void {
    if (this.#schemas.has(type)) return;
    const namespaceOf = (name: string): string => name.split(/[:.]/, 1)[0] ?? name;
    const near = this.names().filter((name) => namespaceOf(name) === namespaceOf(type));
    const known =
      near.length > 0
        ? `There are ${near.join(", ")}.`
        : `There are namespaces ${[...new Set(this.names().map(namespaceOf))].join(", ")}; a host registers its own types with createSnapwire({ events: { types } }).`;
    throw new SnapwireError(
      "invalid-input",
      `Unknown event type ${JSON.stringify(type.slice(0, MAX_TYPE_LENGTH))}. ${known}`,
    );
  }

  /** The payload as it will be told. @throws {@link SnapwireError} `invalid-input` */
  check(type: string, payload: unknown): PlainPayload {
    this.assertKnown(type);
    assertPlain(type, payload);
    const parsed = this.#schemas.get(type)?.safeParse(payload);
    if (parsed?.success) return plainPayload(type, parsed.data);
    throw new SnapwireError(
      "invalid-input",
      `Not the payload of ${type}: ${parsed ? issuesOf(parsed.error) : ""}.`,
    );
  }
}

function issuesOf({ issues }: z.ZodError): string {
  const shown = issues
    .slice(0, SHOWN_ISSUES)
    .map(({ path, message }) => [path.map(String).join("."), message].filter(Boolean).join(": "));
  if (issues.length > SHOWN_ISSUES) shown.push(`and ${issues.length - SHOWN_ISSUES} more`);
  return shown.join("; ");
}

/** What a host's types publish as: one typed builder each. */
export type HostBuilders<Types extends HostTypes> = {
  readonly [Type in keyof Types & string]: (payload: z.input<Types[Type]>, about?: EventAbout) => HostEvent;
};

export interface DefinedEvents<Types extends HostTypes> {
  /** For `createSnapwire({ events: { types } })`. */
  readonly types: Types;
  /** `live.events.publish(build["deploy:finished"]({ ... }))`. */
  readonly build: HostBuilders<Types>;
  /** Reads a frame of one of these types; `undefined` for every other one. */
  read<Type extends keyof Types & string>(
    type: Type,
    frame: { readonly type: string; readonly payload: object },
  ): z.output<Types[Type]> | undefined;
}

/** A host's own types, typed where they are published and where they are read. */
export function defineEvents<const Types extends HostTypes>(types: Types): DefinedEvents<Types> {
  const build = Object.fromEntries(
    Object.keys(types).map((type) => [
      type,
      (payload: object, about?: EventAbout): Publishable<string, object> => ({ ...about, type, payload }),
    ]),
  );
  return {
    types,
    build: build as unknown as HostBuilders<Types>,
    read: (type, frame) => (frame.type === type ? (frame.payload as never) : undefined),
  };
}

/** A syntactically sound event id. */
export const eventId = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "an id has 1 to 128 printable ASCII characters and no blanks");
