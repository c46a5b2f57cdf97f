/** Answers by key, so that a repeated call is answered as the first one was. Bounded: the oldest are forgotten. */
const REMEMBERED_ANSWERS = 4_096;

export class Remembered<Answer> {
  readonly #limit: number;
  readonly #answers = new Map<string, Answer>();

  constructor(limit: number = REMEMBERED_ANSWERS) {
    this.#limit = limit;
  }

  get(...parts: readonly string[]): Answer | undefined {
    return this.#answers.get(JSON.stringify(parts));
  }

  put(answer: Answer, ...parts: readonly string[]): void {
    this.#answers.set(JSON.stringify(parts), answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > this.#limit && oldest !== undefined) this.#answers.delete(oldest);
  }
}
