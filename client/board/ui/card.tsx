/** One workspace, on one card. Four lines: name, branch, why it stands where it stands, what there is to see. */
import { memo } from "react";
import { longAge, shortAge } from "../model/age.ts";
import type { CardModel, Voice } from "../model/card.ts";
import { Icon, type IconName } from "./icons.tsx";
import { CiSign, Lines, PullSign, SessionSign, Uncommitted } from "./marks.tsx";

export interface CardProps {
  readonly card: CardModel;
  readonly now: number;
  readonly selected: boolean;
  readonly tabbable: boolean;
  readonly withProject: boolean;
  /** When this page saw it change; undefined: it has not. */
  readonly changedAt: number | undefined;
  readonly onOpen: (id: string) => void;
  readonly onFocus: (id: string) => void;
}

export const Card = memo(function Card(props: CardProps) {
  const { card, now, selected, tabbable, withProject, changedAt, onOpen, onFocus } = props;
  const age = shortAge(card.activeAt, now);
  return (
    <button
      type="button"
      className={`card card-${card.voice}`}
      data-card={card.id}
      data-voice={card.voice}
      aria-pressed={selected}
      tabIndex={tabbable ? 0 : -1}
      onClick={() => onOpen(card.id)}
      onFocus={() => onFocus(card.id)}
    >
      {changedAt === undefined ? null : <span key={changedAt} className="glow" aria-hidden="true" />}
      <span className="card-head">
        <span className="card-name" title={card.id}>
          {card.name}
        </span>
        <span className="card-age" title={age ? `Last activity ${longAge(card.activeAt, now)}` : undefined}>
          {age}
        </span>
      </span>
      <span className="card-branch">
        <Icon name="branch" />
        <span className="clip">
          {withProject ? <span className="card-project">{card.projectId} / </span> : null}
          {card.branch}
        </span>
      </span>
      <Reason card={card} />
      <span className="card-meta">
        <Lines additions={card.additions} deletions={card.deletions} files={card.files} />
        {card.uncommitted ? <Uncommitted /> : null}
        <span className="card-marks">
          <SessionSign mark={card.session} />
          <PullSign mark={card.pullRequest} />
          <CiSign state={card.entry.sidebarStatus.ciState} />
        </span>
      </span>
    </button>
  );
});

const VOICE_ICONS: Readonly<Record<Voice, IconName | undefined>> = {
  loud: "alert",
  "your-turn": "circle",
  working: undefined,
  quiet: "dash",
  done: "dash",
};

export function Reason({ card }: { readonly card: CardModel }) {
  const { voice, danger, reason } = card;
  const merged = card.entry.statusReason.tone === "success";
  const icon = danger ? "warning" : merged ? "check" : VOICE_ICONS[voice];
  return (
    <span className={`reason reason-${voice} ${merged ? "is-good" : ""}`}>
      <span className="reason-words">
        {icon ? <Icon name={icon} /> : <span className="dot dot-working" aria-hidden="true" />}
        <span className="clip">{reason}</span>
      </span>
      {voice === "your-turn" ? <span className="turn">your turn</span> : null}
      {voice === "loud" ? <span className="turn turn-loud">needs you</span> : null}
    </span>
  );
}
