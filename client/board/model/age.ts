/** Ages and clock times in words. Pure: the present is an argument. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds since 1970 of an RFC 3339 text; undefined for null, '' and nonsense. */
export function momentOf(text: string | null | undefined): number | undefined {
  if (!text) return undefined;
  const moment = Date.parse(text);
  return Number.isNaN(moment) ? undefined : moment;
}

/** Short, for a card: `now`, `4 min`, `3 h`, `2 d`, `5 wk`, `1 y`. A moment in the future is now: clocks differ. */
export function shortAge(moment: number | undefined, now: number): string {
  if (moment === undefined) return "";
  const age = now - moment;
  if (age < MINUTE) return "now";
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h`;
  if (age < 14 * DAY) return `${Math.floor(age / DAY)} d`;
  if (age < 365 * DAY) return `${Math.floor(age / (7 * DAY))} wk`;
  return `${Math.floor(age / (365 * DAY))} y`;
}

/** For a sentence: `just now`, `12 seconds ago`, `4 minutes ago`, `yesterday` is `1 day ago`. */
export function longAge(moment: number | undefined, now: number): string {
  if (moment === undefined) return "never";
  const age = now - moment;
  if (age < 5_000) return "just now";
  if (age < MINUTE) return ago(Math.floor(age / 1_000), "second");
  if (age < HOUR) return ago(Math.floor(age / MINUTE), "minute");
  if (age < DAY) return ago(Math.floor(age / HOUR), "hour");
  return ago(Math.floor(age / DAY), "day");
}

function ago(count: number, unit: string): string {
  return `${counted(count, unit)} ago`;
}

/** `1 change`, `12 changes`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

/** `12,345`, whatever the locale of the browser. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** `14:02` today, else `Nov 19, 14:02`. */
export function clockTime(moment: number, now: number, withSeconds = false): string {
  const at = new Date(moment);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}${withSeconds ? `:${two(at.getSeconds())}` : ""}`;
  return new Date(now).toDateString() === at.toDateString()
    ? time
    : `${MONTHS[at.getMonth()] ?? ""} ${at.getDate()}, ${time}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function two(value: number): string {
  return String(value).padStart(2, "0");
}
