/** Who asks: what `authenticate` answers, and what each role may do. */

export const ROLES = ["viewer", "publisher", "agent", "admin"] as const;
export type Role = (typeof ROLES)[number];

export interface Identity {
  /** Names the token or account in logs; never a secret. */
  readonly subject: string;
  readonly role: Role;
  /** The projects that this identity may see, or `*` for all. */
  readonly projects: readonly string[] | "*";
  /** The device that an `agent` is bound to. */
  readonly deviceId?: string;
  /** When its token was issued, in milliseconds since 1970: a revocation holds for older ones. */
  readonly issuedAt?: number;
  /** When its token ends, in milliseconds since 1970. */
  readonly expiresAt?: number;
}

/** `receive`: what is sent to a device, in its name. */
export type Action = "read" | "write" | "receive" | "administer";

const ACTIONS_OF: Readonly<Record<Role, readonly Action[]>> = {
  viewer: ["read"],
  publisher: ["read", "write"],
  agent: ["receive"],
  admin: ["read", "write", "receive", "administer"],
};

/** Stands for everything, whatever project it belongs to, or none: who may see only some projects may not see this. */
export const EVERY_PROJECT = "*";

/** What is asked for; absent: whether it may be done at all. */
export interface ActionTarget {
  readonly projectId?: string;
  /** Normalised. */
  readonly deviceId?: string;
}

export function mayAct(
  identity: Identity,
  action: Action,
  { projectId, deviceId }: ActionTarget = {},
): boolean {
  if (!ACTIONS_OF[identity.role].includes(action)) return false;
  const { projects } = identity;
  if (projectId !== undefined && projects !== EVERY_PROJECT && !projects.includes(projectId)) return false;
  return deviceId === undefined || identity.role !== "agent" || identity.deviceId === deviceId;
}
