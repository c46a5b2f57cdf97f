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
}

export type Action = "read" | "write" | "administer";

const ACTIONS_OF: Readonly<Record<Role, readonly Action[]>> = {
  viewer: ["read"],
  publisher: ["read", "write"],
  agent: [],
  admin: ["read", "write", "administer"],
};

export function mayAct(identity: Identity, action: Action, projectId?: string): boolean {
  if (!ACTIONS_OF[identity.role].includes(action)) return false;
  return projectId === undefined || identity.projects === "*" || identity.projects.includes(projectId);
}
