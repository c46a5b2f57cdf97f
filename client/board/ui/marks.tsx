/** The small signs on a card and in the sidebar. Each has words for whoever does not see it. */
import type { SidebarCIState } from "../../../src/protocol/workspace.ts";
import { grouped } from "../model/age.ts";
import { type CardModel, ciMark, type Mark } from "../model/card.ts";
import { Icon, type IconName } from "./icons.tsx";

const CI_ICONS: Readonly<Record<Mark["kind"], IconName>> = {
  good: "check",
  bad: "cross",
  running: "ring",
  plain: "dash",
};

export function CiSign({
  state,
  withWord = false,
}: {
  readonly state: SidebarCIState;
  readonly withWord?: boolean;
}) {
  const mark = ciMark(state);
  if (!mark) return null;
  return (
    <span className={`mark mark-${mark.kind}`} title={mark.words} data-ci={state}>
      <Icon name={CI_ICONS[mark.kind]} spin={mark.kind === "running"} />
      {withWord ? <span>CI {mark.glyph}</span> : <span className="unseen">{mark.words}</span>}
    </span>
  );
}

export function PullSign({ mark }: { readonly mark: Mark | undefined }) {
  if (!mark) return null;
  return (
    <span className={`mark mark-${mark.kind === "bad" ? "plain" : mark.kind}`} title={mark.words}>
      <Icon name="pull" />
      <span aria-hidden="true">{mark.glyph}</span>
      <span className="unseen">{mark.words}</span>
    </span>
  );
}

export function SessionSign({ mark }: { readonly mark: Mark | undefined }) {
  if (!mark) return null;
  return (
    <span className={`mark mark-${mark.kind}`} title={mark.words}>
      <Icon name="session" />
      <span aria-hidden="true">{mark.glyph}</span>
      <span className="unseen">{mark.words}</span>
    </span>
  );
}

export function Lines({ additions, deletions, files }: Pick<CardModel, "additions" | "deletions" | "files">) {
  if (files === 0 && additions === 0 && deletions === 0) return <span className="lines">no changes</span>;
  const words = `${additions} lines added, ${deletions} removed, in ${files} ${files === 1 ? "file" : "files"}`;
  return (
    <span className="lines" title={words}>
      <span className="unseen">{words}</span>
      <span aria-hidden="true" className="added">
        +{grouped(additions)}
      </span>
      <span aria-hidden="true" className="removed">
        −{grouped(deletions)}
      </span>
    </span>
  );
}

export function Uncommitted() {
  return (
    <span className="mark mark-uncommitted" title="Not everything is committed">
      <Icon name="pencil" />
      <span className="unseen">uncommitted changes</span>
    </span>
  );
}

/** Working is a dot that breathes; at rest it is a ring. */
export function ActivityDot({ working }: { readonly working: boolean }) {
  return (
    <span className={working ? "dot dot-working" : "dot"} title={working ? "Working" : "At rest"}>
      <span className="unseen">{working ? "working" : "at rest"}</span>
    </span>
  );
}
