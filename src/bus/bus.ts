/**
 * Events between the parts of a server, by topic. Nothing here promises an answer or an order across topics: within one
 * topic, messages of one publisher arrive in the order they were published.
 *
 * `Topics` maps what a topic begins with to the type of its messages: `{ results: Result }` gives messages on
 * `results/<stream>` the type Result.
 */
export interface Bus<Topics extends object> extends AsyncDisposable {
  /** Hands the message to everybody who listens to exactly this topic; nobody listening is no fault. */
  publish<K extends keyof Topics & string>(topic: Topic<K>, message: Topics[K]): void;
  /** Listens to exactly one topic; the returned function ends it and may be called twice. */
  subscribe<K extends keyof Topics & string>(
    topic: Topic<K>,
    listener: (message: Topics[K]) => void,
  ): () => void;
  /** Listeners of a topic: what is costly to make (a JPEG) is made only when somebody wants it. */
  subscribers(topic: Topic<keyof Topics & string>): number;
  /**
   * Tells whether somebody listens to a topic, whenever that changes; nothing is told of how it is now. The returned
   * function ends it.
   */
  watch(topic: Topic<keyof Topics & string>, watcher: (wanted: boolean) => void): () => void;
}

/** A kind of message and what it is about: `results/yard/gate-1`. */
export type Topic<K extends string> = `${K}/${string}`;
