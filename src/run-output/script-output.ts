/** The tail of what one run of a script printed. Positions count UTF-16 units from its beginning. */

/** Kept of each script, in bytes of UTF-8. */
export const TAIL_BYTES = 64 * 1024;
/** Small pieces become one: what is kept is bounded in number too. */
const MERGED_BYTES = 4 * 1024;

interface Piece {
  text: string;
  bytes: number;
}

export class ScriptOutput {
  /** Names the run: positions of two runs never compare. */
  readonly tag: string;
  readonly run: string;
  readonly #pieces: Piece[] = [];
  #bytes = 0;
  #start = 0;
  #end = 0;

  constructor(run: string, tag: string) {
    this.run = run;
    this.tag = tag;
  }

  /** Where the tail begins: above 0 when something was left out. */
  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param from - Where it stands: what is known already is not taken again. @returns whether there was something new. */
  append(from: number, text: string): boolean {
    const fresh = from < this.#end ? text.slice(this.#end - from) : text;
    if (fresh === "") return false;
    // What was lost before it is lost: the tail begins anew, and everybody below it gets a fresh one.
    if (from > this.#end) this.#clear(from);
    const bytes = Buffer.byteLength(fresh);
    const last = this.#pieces.at(-1);
    if (last && last.bytes + bytes <= MERGED_BYTES) {
      last.text += fresh;
      last.bytes += bytes;
    } else this.#pieces.push({ text: fresh, bytes });
    this.#bytes += bytes;
    this.#end += fresh.length;
    this.#trim();
    return true;
  }

  /** What stands between `from` and at most `most` units after it. `from` must lie in the tail. */
  slice(from: number, most: number): string {
    let at = this.#start;
    let text = "";
    for (const piece of this.#pieces) {
      const end = at + piece.text.length;
      if (end > from) text += piece.text.slice(Math.max(0, from - at));
      at = end;
      if (text.length >= most) break;
    }
    return wholeCharacters(text.slice(0, most));
  }

  #clear(at: number): void {
    this.#pieces.length = 0;
    this.#bytes = 0;
    this.#start = at;
    this.#end = at;
  }

  #trim(): void {
    while (this.#bytes > TAIL_BYTES) {
      const first = this.#pieces[0];
      if (!first) return;
      const surplus = this.#bytes - TAIL_BYTES;
      const left = first.bytes <= surplus ? "" : withoutFirstBytes(first.text, surplus);
      this.#start += first.text.length - left.length;
      this.#bytes -= first.bytes;
      first.text = left;
      first.bytes = Buffer.byteLength(left);
      this.#bytes += first.bytes;
      if (left === "") this.#pieces.shift();
    }
  }
}

function withoutFirstBytes(text: string, count: number): string {
  const bytes = Buffer.from(text);
  let at = count;
  while (at < bytes.length && ((bytes[at] ?? 0) & 0xc0) === 0x80) at += 1; // not amid a character
  return bytes.subarray(at).toString();
}

/** A pair of surrogates is not torn apart, unless there is nothing else. */
function wholeCharacters(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return text.length > 1 && last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
