/** The line on top: where one is, what is searched, how fresh it is. */
import type { ReactNode, Ref } from "react";
import { goTo, type Place, type ViewName } from "./address.ts";
import type { Theme } from "./hooks.ts";
import { Icon, type IconName } from "./icons.tsx";

export interface HeaderProps {
  readonly place: Place;
  readonly views: readonly ViewName[];
  readonly query: string;
  readonly onQuery: (query: string) => void;
  readonly searchRef: Ref<HTMLInputElement>;
  readonly theme: Theme;
  readonly onTheme: () => void;
  readonly onHelp: () => void;
  readonly onSidebar: () => void;
  readonly sidebarOpen: boolean;
  readonly children: ReactNode;
}

const VIEW_WORDS: Readonly<Record<ViewName, { title: string; icon: IconName }>> = {
  board: { title: "Board", icon: "board" },
  agents: { title: "Agents", icon: "agent" },
  ops: { title: "Ops", icon: "gauge" },
};

const THEME_ICONS: Readonly<Record<Theme, IconName>> = { auto: "auto", light: "sun", dark: "moon" };
const THEME_WORDS: Readonly<Record<Theme, string>> = { auto: "as the system", light: "light", dark: "dark" };

export function Header(props: HeaderProps) {
  const { place, views, theme } = props;
  return (
    <header className="top">
      <button
        type="button"
        className="icon-button"
        aria-label="Sidebar"
        aria-expanded={props.sidebarOpen}
        onClick={props.onSidebar}
      >
        <Icon name="menu" />
      </button>
      <h1 className="brand">
        <svg className="brand-sign" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
          <rect width="32" height="32" rx="8" />
          <path d="M7 18.5h5l3-9 4 14 2.5-5H25" />
        </svg>
        <span className="brand-name">Snapwire</span>
      </h1>
      <nav className="views" aria-label="Views">
        {views.map((view) => (
          <a
            key={view}
            href={view === "board" ? "/" : `/${view}`}
            aria-current={place.view === view ? "page" : undefined}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
              event.preventDefault();
              goTo({ view });
            }}
          >
            <Icon name={VIEW_WORDS[view].icon} />
            <span>{VIEW_WORDS[view].title}</span>
          </a>
        ))}
      </nav>
      <search className="search">
        <Icon name="search" />
        <input
          ref={props.searchRef}
          type="search"
          aria-label="Search workspaces"
          placeholder="Search"
          spellCheck={false}
          value={props.query}
          onChange={(event) => props.onQuery(event.currentTarget.value)}
        />
        <kbd>/</kbd>
      </search>
      {props.children}
      <button
        type="button"
        className="icon-button"
        aria-label={`Theme: ${THEME_WORDS[theme]}`}
        title={`Theme: ${THEME_WORDS[theme]}`}
        onClick={props.onTheme}
      >
        <Icon name={THEME_ICONS[theme]} />
      </button>
      <button
        type="button"
        className="icon-button for-keyboards"
        aria-label="Keyboard"
        title="Keyboard (?)"
        onClick={props.onHelp}
      >
        <Icon name="help" />
      </button>
    </header>
  );
}
