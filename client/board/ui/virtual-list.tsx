/**
 * A list of rows of one height, of which only those in sight are in the page: 2,000 cards cost as much as 20. Rows keep
 * their element while they move, so they glide to their new place instead of blinking.
 */
import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

export interface VirtualListProps<Item> {
  readonly items: readonly Item[];
  readonly idOf: (item: Item) => string;
  /** Pixels from one row to the next. */
  readonly rowHeight: number;
  readonly render: (item: Item, index: number) => ReactNode;
  readonly labelledBy: string;
  readonly className?: string;
  /** The row to bring into sight and focus; a new object asks again. */
  readonly reach?: { readonly id: string } | undefined;
}

/** Rows above and below what is in sight, so that a turn of the wheel meets cards. */
const OVERSCAN = 6;

export function VirtualList<Item>(props: VirtualListProps<Item>) {
  const { items, idOf, rowHeight, render, labelledBy, className = "", reach } = props;
  const box = useRef<HTMLDivElement>(null);
  const reached = useRef<VirtualListProps<Item>["reach"]>(undefined);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    setHeight(element.clientHeight);
    return () => observer.disconnect();
  }, []);

  const first = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const last = Math.min(items.length, Math.ceil((top + height) / rowHeight) + OVERSCAN);

  useEffect(() => {
    const element = box.current;
    if (!element || !reach || reached.current === reach) return;
    const index = items.findIndex((item) => idOf(item) === reach.id);
    if (index < 0) return;
    const row = index * rowHeight;
    if (row < element.scrollTop) element.scrollTop = row;
    else if (row + rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = row + rowHeight - element.clientHeight;
    const target = element.querySelector<HTMLElement>(`[data-row="${index}"] button`);
    if (!target) {
      setTop(element.scrollTop); // it is rendered next, and focused then
      return;
    }
    reached.current = reach;
    target.focus({ preventScroll: true });
  });

  const rows = [];
  for (let index = first; index < last; index += 1) {
    const item = items[index];
    if (item === undefined) continue;
    rows.push(
      <li
        key={idOf(item)}
        className="row"
        data-row={index}
        aria-setsize={items.length}
        aria-posinset={index + 1}
        style={{ transform: `translateY(${index * rowHeight}px)`, height: rowHeight }}
      >
        {render(item, index)}
      </li>,
    );
  }
  return (
    <div
      ref={box}
      className={`rows ${className}`}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <ul aria-labelledby={labelledBy} style={{ height: items.length * rowHeight }}>
        {rows}
      </ul>
    </div>
  );
}
