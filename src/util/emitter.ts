/**
 * A typed event emitter. A listener that throws never stops the others nor the emitter: at the borders between rooms
 * a fault must stay where it happened, so it is handed to `onListenerError` instead.
 */
export class Emitter<Events extends { [K in keyof Events]: (...args: never[]) => void }> {
  readonly #listeners = new Map<keyof Events, Set<(...args: never[]) => void>>();

  /** Adds a listener; the returned function removes it. */
  on<K extends keyof Events>(event: K, listener: Events[K]): () => void {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    set.add(listener);
    return () => set.delete(listener);
  }

  emit<K extends keyof Events>(event: K, ...args: Parameters<Events[K]>): void {
    const set = this.#listeners.get(event);
    if (!set) return;
    for (const listener of [...set]) {
      try {
        listener(...args);
      } catch (error) {
        onListenerError(error, String(event));
      }
    }
  }

  listenerCount(event: keyof Events): number {
    return this.#listeners.get(event)?.size ?? 0;
  }

  removeAllListeners(): void {
    this.#listeners.clear();
  }
}

let onListenerError: (error: unknown, event: string) => void = (error, event) => {
  process.emitWarning(`A listener of "${event}" failed: ${String((error as Error)?.stack ?? error)}`);
};

/** Where faults of listeners go; the process's logger sets it once at start. */
export function setListenerErrorHandler(handler: (error: unknown, event: string) => void): void {
  onListenerError = handler;
}
