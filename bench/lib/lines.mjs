/** Requests over a child process's IPC or lines, one at a time, each with a deadline and the name of who failed. */
export class Pending {
  #who;
  #waiting = new Map();
  #gone;

  constructor(who) {
    this.#who = who;
  }

  ask(key, seconds, send) {
    if (this.#gone) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(key);
        reject(new Error(`${this.#who} did not answer "${key}" within ${seconds} s`));
      }, seconds * 1_000);
      this.#waiting.set(key, {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      send();
    });
  }

  #take(key) {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    return waiting;
  }

  answer(key, value) {
    this.#take(key)?.resolve(value);
  }

  refuse(key, message) {
    this.#take(key)?.reject(new Error(`${this.#who}: ${message}`));
  }

  /** The process is gone: nobody will answer. */
  end(why) {
    this.#gone ??= new Error(`${this.#who} ended: ${why}`);
    for (const key of [...this.#waiting.keys()]) this.#take(key)?.reject(this.#gone);
  }
}
