import type { BrokerChannel, BrokerMessage } from '../broker.ts';
import type { RedisConnection } from './connection.ts';

/**
 * A channel of Redis, and the key of the same name. Bounded by two messages, whatever Redis does: one that it has not
 * answered yet, and the newest of those that came meanwhile.
 */
export class RedisChannel implements BrokerChannel {
  readonly name: string;
  readonly counters = { published: 0, replaced: 0, failed: 0 };
  readonly #onSubscribers: (subscribers: number) => void;
  readonly #onOutcome: (error: unknown) => void;
  readonly #onClose: () => void;
  #connection: RedisConnection | undefined;
  #subscribers = 0;
  #isSending = false;
  #waiting: BrokerMessage | undefined;
  #isOpen = true;

  constructor(options: {
    name: string;
    onSubscribers: (subscribers: number) => void;
    /** Redis took a message (undefined), or did not. */
    onOutcome: (error: unknown) => void;
    onClose: () => void;
  }) {
    this.name = options.name;
    this.#onSubscribers = options.onSubscribers;
    this.#onOutcome = options.onOutcome;
    this.#onClose = options.onClose;
  }

  get subscribers(): number {
    return this.#subscribers;
  }

  publish(message: BrokerMessage): void {
    if (!this.#isOpen) return;
    if (this.#waiting) this.counters.replaced++;
    this.#waiting = message;
    void this.#send();
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#waiting = undefined;
    this.#onClose();
  }

  // ------------------------------------------------------------------------------------------------- for the broker

  /** Another connection, or none: then nobody can subscribe, and the newest message waits. */
  attach(connection: RedisConnection | undefined): void {
    this.#connection = connection;
    if (connection) void this.#send();
    else this.count(0);
  }

  /** So many subscribe now. */
  count(subscribers: number): void {
    if (!this.#isOpen || subscribers === this.#subscribers) return;
    this.#subscribers = subscribers;
    this.#onSubscribers(subscribers);
  }

  async #send(): Promise<void> {
    // A loop of its own at a time: what comes meanwhile it finds waiting.
    if (this.#isSending) return;
    this.#isSending = true;
    for (;;) {
      const connection = this.#connection;
      const message = this.#waiting;
      if (!connection || !message) break;
      this.#waiting = undefined;
      try {
        const bytes = message.bytes();
        const { keepSeconds } = message;
        await Promise.all([
          message.publish ? connection.publish(this.name, bytes) : undefined,
          keepSeconds === undefined ? undefined : connection.keep(this.name, bytes, keepSeconds),
        ]);
        this.counters.published++;
        this.#onOutcome(undefined);
      } catch (error) {
        this.counters.failed++;
        // Of a connection that is lost everybody hears otherwise.
        if (connection === this.#connection) this.#onOutcome(error);
      }
    }
    this.#isSending = false;
  }
}
