/** What the keyboard does. A real dialog: focus stays in it, Escape ends it, and goes back to where it was. */
import { useEffect, useRef } from "react";
import { Icon } from "./icons.tsx";

const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [["j", "↓"], "next card"],
  [["k", "↑"], "previous card"],
  [["h", "←"], "column to the left"],
  [["l", "→"], "column to the right"],
  [["Home", "End"], "first, last card of the column"],
  [["Enter"], "details; once more goes into them"],
  [["Esc"], "close details, clear the search"],
  [["/"], "search"],
  [["p"], "next project"],
  [["e"], "event feed"],
  [["b"], "board"],
  [["a"], "agents"],
  [["o"], "ops"],
  [["s"], "sidebar"],
  [["t"], "theme: system, light, dark"],
  [["r"], "try again now"],
  [["?"], "this page"],
];

export function Help({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself
    <dialog
      ref={dialog}
      className="help"
      aria-labelledby="help-title"
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) dialog.current.close();
      }}
    >
      <div className="help-inside">
        <header className="help-head">
          <h2 id="help-title">Keyboard</h2>
          <button
            type="button"
            className="icon-button"
            aria-label="Close"
            onClick={() => dialog.current?.close()}
          >
            <Icon name="cross" />
          </button>
        </header>
        <dl className="keys">
          {KEYS.map(([keys, what]) => (
            <div key={what}>
              <dt>
                {keys.map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </div>
    </dialog>
  );
}
