import { EventEmitter } from "node:events";

/** An EventEmitter whose throwing listener harms nobody: the others hear, and the emitter goes on. */
export class GuardedEmitter<Events extends Record<keyof Events, unknown[]>> extends EventEmitter<
  Events & Record<never, never>
> {
  readonly #onListenerError: (event: string, error: unknown) => void;

  constructor(onListenerError: (event: string, error: unknown) => void) {
    super();
    this.setMaxListeners(0);
    this.#onListenerError = onListenerError;
  }

  /** Calls each listener by itself. @returns whether there was one. */
  protected tellAll<Name extends keyof Events & string>(event: Name, ...args: Events[Name]): boolean {
    const listeners = this.rawListeners(event as never);
    for (const listener of listeners) {
      try {
        const answer: unknown = Reflect.apply(listener, this, args);
        if (answer instanceof Promise) answer.catch((error: unknown) => this.#onListenerError(event, error));
      } catch (error) {
        this.#onListenerError(event, error);
      }
    }
    return listeners.length > 0;
  }
}
