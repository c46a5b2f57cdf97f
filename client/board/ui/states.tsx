/** What stands in place of the board while there is nothing to show on it. Each says what is the case and what to do. */
import { type ReactNode, useState } from "react";
import { Icon, type IconName } from "./icons.tsx";

function Panel({
  icon,
  title,
  children,
}: {
  readonly icon: IconName;
  readonly title: string;
  readonly children: ReactNode;
}) {
  return (
    <div className="state">
      <span className="state-icon">
        <Icon name={icon} />
      </span>
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** Shapes of cards, not of data: nothing is known yet, and it does not look like nothing. */
export function Loading() {
  return (
    <div className="columns loading" aria-busy="true">
      <span className="unseen">Loading the board</span>
      {[4, 3, 2].map((count) => (
        <div className="column" key={count} aria-hidden="true">
          <div className="column-head">
            <span className="ghost ghost-title" />
          </div>
          {Array.from({ length: count }, (_, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they are all the same, and none of them moves
            <div className="card ghost-card" key={index}>
              <span className="ghost ghost-name" />
              <span className="ghost ghost-line" />
              <span className="ghost ghost-short" />
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}

export function Unreachable({
  detail,
  onRetry,
}: {
  readonly detail: string | undefined;
  readonly onRetry: () => void;
}) {
  return (
    <Panel icon="pulse" title="The server does not answer">
      <p>
        This page is kept, and goes on trying. Start the server again with <code>npx snapwire</code>, or look
        at its log.
      </p>
      {detail ? <p className="state-detail">{detail}</p> : null}
      <button type="button" className="button button-main" onClick={onRetry}>
        Try now
      </button>
    </Panel>
  );
}

export function NoProjects() {
  return (
    <Panel icon="board" title="No project yet">
      <p>
        Nothing has been published, and no repository is served. Run <code>npx snapwire</code> inside a git
        repository, or publish a workspace:
      </p>
      <pre className="state-code">snapwire publish my-workspace --project my-project --set status=READY</pre>
      <p className="state-detail">It appears here by itself.</p>
    </Panel>
  );
}

export function NoWorkspaces({ projectId }: { readonly projectId: string | undefined }) {
  return (
    <Panel icon="branch" title={projectId ? `Nothing on the board of ${projectId}` : "Nothing on the board"}>
      <p>The project is live and has no workspace. Add a worktree, and its card appears here by itself:</p>
      <pre className="state-code">git worktree add ../my-feature -b my-feature</pre>
    </Panel>
  );
}

export function NoSuchProject({
  projectId,
  onAll,
}: {
  readonly projectId: string;
  readonly onAll: () => void;
}) {
  return (
    <Panel icon="search" title={`There is no project “${projectId}”`}>
      <p>Or this identity may not see it. It appears here as soon as there is one.</p>
      <button type="button" className="button button-main" onClick={onAll}>
        Show all projects
      </button>
    </Panel>
  );
}

export interface DeniedProps {
  readonly hadToken: boolean;
  readonly reason: string;
  readonly onToken: (token: string) => void;
}

export function Denied({ hadToken, reason, onToken }: DeniedProps) {
  const [token, setToken] = useState("");
  return (
    <Panel icon="warning" title={hadToken ? "This token is not accepted" : "This board needs a token"}>
      <p>{reason}</p>
      <form
        className="token-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim() !== "") onToken(token.trim());
        }}
      >
        <label htmlFor="token">Token</label>
        <div className="token-row">
          <input
            id="token"
            type="password"
            autoComplete="off"
            spellCheck={false}
            placeholder="swt_…"
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
          />
          <button type="submit" className="button button-main" disabled={token.trim() === ""}>
            Show the board
          </button>
        </div>
      </form>
      <p className="state-detail">
        <code>snapwire token create --role viewer --project &apos;*&apos;</code> makes one. It stays in this
        tab, and is forgotten with it.
      </p>
    </Panel>
  );
}
