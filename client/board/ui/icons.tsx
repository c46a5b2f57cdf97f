/** Small line drawings, 16 by 16, in the colour of the text around them. Words stand beside them or in a title. */

const PATHS = {
  branch:
    "M4.8 5.6v4.8M4.8 2.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 0 1 0-3.2M4.8 10.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 0 1 0-3.2M11.4 2.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 0 1 0-3.2M11.4 5.6c0 2.6-6.6 2-6.6 4.8",
  pull: "M4.6 5.6v4.8M4.6 2.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 0 1 0-3.2M4.6 10.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 0 1 0-3.2M11.4 10.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 0 1 0-3.2M11.4 10.4V6.2c0-1.3-.7-2.1-2-2.1H7.6M9.2 2.4 7.5 4.1l1.7 1.7",
  check: "M3.5 8.5l3 3 6-7",
  cross: "M4.2 4.2l7.6 7.6M11.8 4.2l-7.6 7.6",
  ring: "M8 2.8a5.2 5.2 0 1 0 5.2 5.2",
  circle: "M8 3.6a4.4 4.4 0 1 0 .01 0",
  dash: "M4.5 8h7",
  arrow: "M3 8h9.5M9.3 4.8 12.5 8l-3.2 3.2",
  alert: "M8 3.2v6M8 12.2v.1",
  warning: "M8 2.6 14 13H2L8 2.6ZM8 6.6v3M8 11.3v.1",
  search: "M7 2.8a4.2 4.2 0 1 0 .01 0M10.2 10.2l3.3 3.3",
  sun: "M8 5.2a2.8 2.8 0 1 0 .01 0M8 1.6v1.2M8 13.2v1.2M1.6 8h1.2M13.2 8h1.2M3.5 3.5l.8.8M11.7 11.7l.8.8M3.5 12.5l.8-.8M11.7 4.3l.8-.8",
  moon: "M12.9 9.7A5.4 5.4 0 0 1 6.3 3.1a5.4 5.4 0 1 0 6.6 6.6Z",
  auto: "M8 2.8a5.2 5.2 0 1 0 .01 0M8 2.8v10.4",
  help: "M8 2.2a5.8 5.8 0 1 0 .01 0M6.4 6.4c0-2.2 3.3-2 3.3 0 0 1.4-1.7 1.3-1.7 2.7M8 11.3v.1",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  session: "M2.5 3.5h11v9h-11zM5 6.5l1.8 1.6L5 9.7M8.4 9.8H11",
  pulse: "M1.8 8.6h2.7l1.6-4.4 2.6 7.4 1.5-3h4",
  board: "M2.6 3h3v10h-3zM6.6 3h3v6.5h-3zM10.6 3h3v8h-3z",
  gauge: "M2.5 11.5a5.6 5.6 0 1 1 11 0M8 10.4l2.6-3.6",
  agent: "M4 6h8v6.5H4zM8 6V3.4M8 3.4a.7.7 0 1 0 0-.01M6.4 9v.6M9.6 9v.6",
  link: "M6.5 3.5h-3v9h9v-3M9 3h4v4M13 3 7.5 8.5",
  pencil: "M3 13l.6-2.7 7-7 2.1 2.1-7 7L3 13Z",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.6 4v.1M2.6 8v.1M2.6 12v.1",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, spin = false }: { readonly name: IconName; readonly spin?: boolean }) {
  return (
    <svg
      className={spin ? "icon icon-spin" : "icon"}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
