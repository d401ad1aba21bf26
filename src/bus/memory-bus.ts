import { Emitter } from '#util/emitter.ts';
import type { Bus, Topic } from './bus.ts';

/**
 * The bus of one process: listeners are called at once, in the order they came, and share the message, which nobody
 * may change. A listener that throws stops neither the others nor the publisher.
 */
export class MemoryBus<Topics extends object> implements Bus<Topics> {
  /** One emitter per topic that has listeners: topics come and go with streams and must not pile up. */
  readonly #topics = new Map<string, Emitter<{ message(message: unknown): void }>>();
  readonly #watched = new Map<string, Emitter<{ wanted(wanted: boolean): void }>>();

  publish<K extends keyof Topics & string>(topic: Topic<K>, message: Topics[K]): void {
    this.#topics.get(topic)?.emit('message', message);
  }

  subscribe<K extends keyof Topics & string>(
    topic: Topic<K>,
    listener: (message: Topics[K]) => void,
  ): () => void {
    const known = this.#topics.get(topic);
    const emitter = known ?? new Emitter();
    this.#topics.set(topic, emitter);
    // A function of its own, so that the same listener may subscribe twice. Only `publish` of the same topic feeds
    // it, which is why the message is what the topic says.
    const leave = emitter.on('message', (message) => listener(message as Topics[K]));
    if (!known) this.#watched.get(topic)?.emit('wanted', true);
    return () => {
      leave();
      if (emitter.listenerCount('message') > 0 || this.#topics.get(topic) !== emitter) return;
      this.#topics.delete(topic);
      this.#watched.get(topic)?.emit('wanted', false);
    };
  }

  subscribers(topic: Topic<keyof Topics & string>): number {
    return this.#topics.get(topic)?.listenerCount('message') ?? 0;
  }

  watch(topic: Topic<keyof Topics & string>, watcher: (wanted: boolean) => void): () => void {
    const emitter = this.#watched.get(topic) ?? new Emitter();
    this.#watched.set(topic, emitter);
    const leave = emitter.on('wanted', watcher);
    return () => {
      leave();
      if (emitter.listenerCount('wanted') === 0 && this.#watched.get(topic) === emitter)
        this.#watched.delete(topic);
    };
  }

  /** Forgets all listeners. */
  close(): void {
    for (const emitter of this.#topics.values()) emitter.removeAllListeners();
    this.#topics.clear();
    this.#watched.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
