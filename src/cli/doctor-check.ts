/** What a look at something says. */
export type Finding =
  | { readonly status: "ok"; readonly detail: string }
  /** `fix` is what to do. */
  | { readonly status: "problem"; readonly detail: string; readonly fix: string };

export interface Check {
  readonly name: string;
  look(): Promise<Finding> | Finding;
}

export function ok(detail: string): Finding {
  return { status: "ok", detail };
}

export function problem(detail: string, fix: string): Finding {
  return { status: "problem", detail, fix };
}
